"""Two analyses of one exhibit held against each other: persons, segments, parameters."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema import boxes
from detector.schema.analysis import Analysis, Segment
from detector.verdict.persons.flagged import flagged_segments
from reports.text.numbers import probability, shown, timecode
from reports.text.translation.language import gettext
from reports.view.facts import Fact
from reports.view.method.method import ParameterView, parameter_views
from reports.view.method.reproduction import decided_by

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


def persons(first: Analysis, second: Analysis) -> dict[str, str]:
    """Whom of the second analysis each person of the first one is, by where their faces are."""
    pairs = [
        (boxes.overlap(a.median_box, b.median_box), a.id, b.id) for a in first.persons for b in second.persons
    ]
    found: dict[str, str] = {}
    for overlap, a, b in sorted(pairs, key=lambda pair: (-pair[0], pair[1] != pair[2], pair)):
        if overlap >= _SAME_FACE and a not in found and b not in found.values():
            found[a] = b
    return found


def segments(first: Analysis, second: Analysis) -> tuple[SegmentRow, ...]:
    """Every segment of either in order of time, those that overlap side by side."""
    known = persons(first, second)
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


def differences(first: Analysis, second: Analysis) -> tuple[ParameterDifference, ...]:
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
