"""Compare two analyses of the same exhibit: persons, segments and parameters side by side."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, request, url_for

from detector.schema.analysis import Analysis, Segment
from detector.schema.scores import overlap as box_overlap
from detector.verdict.judged_persons import flagged_segments
from reports.language.formatting import probability, shown, timecode
from reports.language.translation import gettext
from reports.procedure.method import ParameterView, parameter_views
from reports.procedure.reproduction import decided_by
from reports.wording.sections import Fact
from webapp.accounts.permissions import Permission, current, require
from webapp.analyses.results import get_finished, load_result
from webapp.errors import UserError
from webapp.review.blinding import Disclosure
from webapp.storage.tables import AnalysisRow

_SAME_FACE = 0.3  # least overlap (intersection over union) of two persons' median boxes


@dataclass(frozen=True)
class SegmentRow:
    """A segment of the first analysis, of the second, or one that both found; each in words or empty.

    ``overlap`` is empty unless both flagged it.
    """

    person: str
    first: str
    second: str
    overlap: str


@dataclass(frozen=True)
class ParameterDifference:
    """A parameter in which the two differ, or what made them; the name of that is translated already."""

    name: str
    first: str
    second: str


def match_persons(first: Analysis, second: Analysis) -> dict[str, str]:
    """Whom of the second analysis each person of the first one is, by where their faces are."""
    pairs = [
        (box_overlap(a.median_box, b.median_box), a.id, b.id) for a in first.persons for b in second.persons
    ]
    found: dict[str, str] = {}
    for overlap, a, b in sorted(pairs, key=lambda pair: (-pair[0], pair[1] != pair[2], pair)):
        if overlap >= _SAME_FACE and a not in found and b not in found.values():
            found[a] = b
    return found


def match_segments(first: Analysis, second: Analysis) -> tuple[SegmentRow, ...]:
    """Every segment of either in order of time, those that overlap side by side."""
    known = match_persons(first, second)
    flagged = [flagged_segments(each.persons, each.segments) for each in (first, second)]
    left = {segment.id: segment for segment in second.segments}
    rows: list[tuple[float, SegmentRow]] = []
    for one in first.segments:
        same = [s for s in left.values() if s.person == known.get(one.person) and _shared(one, s) > 0]
        other = max(same, key=lambda s: _shared(one, s), default=None)
        if other is not None:
            del left[other.id]
        both = other is not None and one in flagged[0] and other in flagged[1]
        share = shown(_shared(one, other), ".0%") if other and both else ""
        row = SegmentRow(
            gettext("Person %(person)s", person=one.person),
            _words(one, one in flagged[0]),
            _words(other, other in flagged[1]) if other else "",
            share,
        )
        rows.append((one.start, row))
    back = {b: a for a, b in known.items()}
    for other in left.values():
        who = back.get(other.person)
        name = (
            gettext("Person %(who)s", who=who)
            if who
            else gettext("Person %(person)s of the second", person=other.person)
        )
        rows.append((other.start, SegmentRow(name, "", _words(other, other in flagged[1]), "")))
    return tuple(row for _, row in sorted(rows, key=lambda pair: pair[0]))


def parameter_differences(first: Analysis, second: Analysis) -> tuple[ParameterDifference, ...]:
    """The networks and the engine, by SHA-256, and the parameters in which they differ."""
    other: dict[str, ParameterView] = {each.name: each for each in parameter_views(second)}
    return _made_otherwise(first, second) + tuple(
        ParameterDifference(each.name, each.value, other[each.name].value)
        for each in parameter_views(first)
        if each.value != other[each.name].value
    )


def _made_otherwise(first: Analysis, second: Analysis) -> tuple[ParameterDifference, ...]:
    """Of what is told by its SHA-256 what differs: models of one name may have other weights, or fusions."""
    one, other = ({str(fact.name): fact for fact in decided_by(each)} for each in (first, second))
    return tuple(
        ParameterDifference(name, _beginning(one.get(name)), _beginning(other.get(name)))
        for name in {**one, **other}
        if name not in one or name not in other or one[name].value != other[name].value
    )


def _beginning(fact: Fact | None) -> str:
    return f"{str(fact.value)[:12]}…" if fact else "–"


def _words(segment: Segment, flagged: bool) -> str:
    when = "" if segment.start == segment.end else f"{timecode(segment.start)} – {timecode(segment.end)}, "
    words = f"{segment.id}: {when}{probability(segment.confidence)}"
    return words if flagged else gettext("%(words)s, looked at, not flagged", words=words)


def _shared(one: Segment, other: Segment) -> float:
    """Their temporal intersection over union; two flags of a still image share all."""
    union = max(one.end, other.end) - min(one.start, other.start)
    if union <= 0:
        return 1.0
    return max(0.0, min(one.end, other.end) - max(one.start, other.start)) / union


blueprint = Blueprint("two_analyses", __name__)


class DifferentExhibitsError(UserError):
    """Two exhibits are compared another way: one as the reference of the other."""

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
            gettext("These are analyses of two different exhibits; here two of the same one are compared."),
            gettext("Compare one exhibit with the other as its reference.")
            if may
            else gettext("Choose two analyses of the same exhibit; its page lists them."),
        )


@blueprint.get("/compare")
@require(Permission.READ)
def show() -> str:
    """Analyses ``a`` and ``b``, which must be of the same exhibit."""
    ids = [request.args.get("a", ""), request.args.get("b", "")]
    if not all(ids) or ids[0] == ids[1]:
        raise UserError(
            400,
            gettext("A comparison needs two analyses."),
            gettext("Choose two analyses of one exhibit in the library."),
        )
    (row_a, folder_a), (row_b, folder_b) = (get_finished(one, Disclosure.FINDINGS) for one in ids)
    if row_a.exhibit_id != row_b.exhibit_id:
        raise DifferentExhibitsError(row_a, row_b)
    first, second = load_result(folder_a), load_result(folder_b)
    return render_template(
        "pages/analysis/two_analyses.html",
        sides=({"row": row_a, "view": first.view}, {"row": row_b, "view": second.view}),
        pairs=match_persons(first.analysis, second.analysis),
        segments=match_segments(first.analysis, second.analysis),
        differences=parameter_differences(first.analysis, second.analysis),
    )
