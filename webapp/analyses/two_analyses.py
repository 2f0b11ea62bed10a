"""Compare two analyses of the same exhibit: persons, segments and parameters side by side."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, request, url_for

from detector.schema.analysis import Analysis, Segment
from detector.schema.scores import overlap as box_overlap
from detector.verdict.finding import finding_of
from language.formatting import probability, shown, timecode
from language.translation import gettext
from reports.procedure.method import ParameterView, parameter_views
from reports.procedure.reproduction import decided_by
from reports.wording.sections import Fact
from webapp.accounts.permissions import Permission, current, require
from webapp.casework.blinding import Disclosure
from webapp.errors import UserError
from webapp.exhibits.results import get_finished, load_result
from webapp.storage.tables import AnalysisRow

_SAME_FACE = 0.3  # minimum overlap (intersection over union) of two persons' median boxes


@dataclass(frozen=True)
class SegmentRow:
    """Overlapping segments of both analyses, or a segment of one; descriptions, empty if missing.

    ``overlap`` is empty unless both are flagged.
    """

    person: str
    first: str
    second: str
    overlap: str


@dataclass(frozen=True)
class ParameterDifference:
    """A difference in a parameter, a network or the engine; ``name`` is translated."""

    name: str
    first: str
    second: str


def match_persons(first: Analysis, second: Analysis) -> dict[str, str]:
    """Map persons of the first analysis to persons of the second by the position of their faces."""
    pairs = [
        (box_overlap(a.median_box, b.median_box), a.id, b.id) for a in first.persons for b in second.persons
    ]
    matches: dict[str, str] = {}
    for overlap, a, b in sorted(pairs, key=lambda pair: (-pair[0], pair[1] != pair[2], pair)):
        if overlap >= _SAME_FACE and a not in matches and b not in matches.values():
            matches[a] = b
    return matches


def match_segments(first: Analysis, second: Analysis) -> tuple[SegmentRow, ...]:
    """List the segments of both analyses by time, overlapping ones in one row."""
    persons = match_persons(first, second)
    flagged_first, flagged_second = (finding_of(analysis).flagged_ids for analysis in (first, second))
    unmatched = {segment.id: segment for segment in second.segments}
    rows: list[tuple[float, SegmentRow]] = []
    for segment in first.segments:
        candidates = [
            other
            for other in unmatched.values()
            if other.person == persons.get(segment.person) and _overlap(segment, other) > 0
        ]
        other = max(candidates, key=lambda candidate: _overlap(segment, candidate), default=None)
        both = False
        if other is not None:
            del unmatched[other.id]
            both = segment.id in flagged_first and other.id in flagged_second
        row = SegmentRow(
            gettext("Person %(person)s", person=segment.person),
            _describe(segment, segment.id in flagged_first),
            _describe(other, other.id in flagged_second) if other else "",
            shown(_overlap(segment, other), ".0%") if other and both else "",
        )
        rows.append((segment.start, row))
    first_persons = {b: a for a, b in persons.items()}
    for segment in unmatched.values():
        who = first_persons.get(segment.person)
        name = (
            gettext("Person %(who)s", who=who)
            if who
            else gettext("Person %(person)s of the second", person=segment.person)
        )
        words = _describe(segment, segment.id in flagged_second)
        rows.append((segment.start, SegmentRow(name, "", words, "")))
    return tuple(row for _, row in sorted(rows, key=lambda pair: pair[0]))


def parameter_differences(first: Analysis, second: Analysis) -> tuple[ParameterDifference, ...]:
    """List differing networks and engines, by SHA-256, and differing parameters."""
    first_facts, second_facts = (
        {str(fact.name): fact for fact in decided_by(analysis)} for analysis in (first, second)
    )
    values: dict[str, ParameterView] = {parameter.name: parameter for parameter in parameter_views(second)}
    # Models of one name may have other weights, or fusions.
    return tuple(
        ParameterDifference(name, _short_hash(first_facts.get(name)), _short_hash(second_facts.get(name)))
        for name in {**first_facts, **second_facts}
        if name not in first_facts
        or name not in second_facts
        or first_facts[name].value != second_facts[name].value
    ) + tuple(
        ParameterDifference(parameter.name, parameter.value, values[parameter.name].value)
        for parameter in parameter_views(first)
        if parameter.value != values[parameter.name].value
    )


def _short_hash(fact: Fact | None) -> str:
    return f"{str(fact.value)[:12]}…" if fact else "–"


def _describe(segment: Segment, flagged: bool) -> str:
    when = "" if segment.start == segment.end else f"{timecode(segment.start)} – {timecode(segment.end)}, "
    words = f"{segment.id}: {when}{probability(segment.confidence)}"
    return words if flagged else gettext("%(words)s, looked at, not flagged", words=words)


def _overlap(one: Segment, other: Segment) -> float:
    """Return the temporal intersection over union; two flags of a still image overlap completely."""
    union = max(one.end, other.end) - min(one.start, other.start)
    if union <= 0:
        return 1.0
    return max(0.0, min(one.end, other.end) - max(one.start, other.start)) / union


blueprint = Blueprint("two_analyses", __name__)


class DifferentExhibitsError(UserError):
    """Two different exhibits are compared in another way: one as the reference of the other."""

    def __init__(self, row: AnalysisRow, other: AnalysisRow) -> None:
        may = current().may(Permission.ANALYSE)
        if other.duration == 0 and row.duration:
            # A photo can be compared with a video, and no video with a photo.
            row, other = other, row
        if may:
            address = url_for("comparisons.ask", analysis_id=row.id, q=other.exhibit.sha256)
            self.link = address, gettext("Compare with a reference")
        super().__init__(
            400,
            gettext("These are analyses of two different exhibits; this page compares two of the same one."),
            gettext("Compare one exhibit with the other as its reference.")
            if may
            else gettext("Choose two analyses of the same exhibit; its page lists them."),
        )


@blueprint.get("/compare")
@require(Permission.READ)
def show() -> str:
    """Show analyses ``a`` and ``b``, which must be of the same exhibit."""
    ids = [request.args.get("a", ""), request.args.get("b", "")]
    if not all(ids) or ids[0] == ids[1]:
        raise UserError(
            400,
            gettext("A comparison needs two analyses."),
            gettext("Choose two analyses of one exhibit in the library."),
        )
    (row_a, folder_a), (row_b, folder_b) = (get_finished(id_, Disclosure.FINDINGS) for id_ in ids)
    if row_a.exhibit_id != row_b.exhibit_id:
        raise DifferentExhibitsError(row_a, row_b)
    first, second = load_result(folder_a), load_result(folder_b)
    return render_template(
        "analyses/two_analyses.html",
        sides=({"row": row_a, "view": first.view}, {"row": row_b, "view": second.view}),
        pairs=match_persons(first.analysis, second.analysis),
        segments=match_segments(first.analysis, second.analysis),
        differences=parameter_differences(first.analysis, second.analysis),
    )
