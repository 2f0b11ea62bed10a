"""Whether a comparison says what its own figures say.

Reports print its sentences as they stand. Each follows from other fields, so one that was replaced is noticed
without the reference; so are figures of a segment, which follow from those of its frames.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from statistics import fmean

from detector.comparison import statements
from detector.schema.comparison import ComparedSegment, Comparison, Region
from detector.schema.formatting import timecode
from reports.text.translation.words import UNRELATED_AT_FIRST

_GAPS = {
    "exhibit": {"shows nothing of the reference"},
    "reference": {
        "is left out of the exhibit",
        "comes before what the exhibit shows",
        "comes after what the exhibit shows",
    },
}
_ROUNDING = 1e-6  # of a mean; and of times, which are fractions stored as the nearest float
_COUNT = re.compile(r"(\d[\d,]*) faces")


def contradictions(comparison: Comparison) -> Iterator[str]:
    """Which sentences do not follow from the figures beside them."""
    try:
        yield from _contradictions(comparison)
    except (ArithmeticError, IndexError, ValueError):  # such as of a figure that is no number
        yield "its figures are none of which a sentence could be made"


def _contradictions(comparison: Comparison) -> Iterator[str]:
    for one in comparison.segments:
        if one.statement not in (statements.of_segment(one), _segment_at_first(one)):
            yield f"what it says of segment {one.id} does not follow from its figures"
        if not _is_mean(one, comparison):
            yield f"the differences of segment {one.id} are not those of its frames"
    for part in comparison.regions:
        if part.statement not in (statements.of_region(part), _region_at_first(part)):
            yield f"what it says of {part.id} does not follow from its figures"
    if comparison.statement != statements.summary(comparison):
        yield "what it says as a whole does not follow from its figures"
    limits = (statements.LIMITS,) if comparison.related else (statements.UNRELATED_LIMITS, UNRELATED_AT_FIRST)
    if comparison.limits not in limits:
        yield "what it says of its limits is not what comparisons say"
    for gap in comparison.gaps:
        if gap.reason not in _GAPS[gap.file]:
            yield f"the reason of the gap at {timecode(gap.start)} is none that comparisons give"
    for remark in comparison.not_compared:
        if remark not in _remarks(remark, comparison.parameters.minimum_face):
            yield "what it says was not compared is nothing that comparisons say"


def _is_mean(segment: ComparedSegment, comparison: Comparison) -> bool:
    """Whether the differences of a segment are the means of those of its person's frames inside."""
    start, end = segment.start - _ROUNDING, segment.end + _ROUNDING
    inside = [
        one
        for person in comparison.persons
        if person.id == segment.person
        for one in person.differences
        if start <= one.time <= end
    ]
    return bool(inside) and all(
        math.isclose(figure, fmean(of_frames), abs_tol=_ROUNDING)
        for figure, of_frames in (
            (segment.difference, [one.difference for one in inside]),
            (segment.surroundings, [one.surroundings for one in inside]),
        )
    )


def _remarks(remark: str, least: float) -> tuple[str, ...]:
    """All that may be said of as many faces as ``remark`` tells of, also by versions before 26 November."""
    found = _COUNT.match(remark)
    count = int(found[1].replace(",", "")) if found else 1
    return (
        statements.of_small_faces(count, least),
        statements.of_faces_not_shown(count),
        f"{count} faces are less than {least:g} pixels wide in one of the files.",
        f"{count} faces lie where the reference shows nothing.",
    )


def _segment_at_first(segment: ComparedSegment) -> str:
    """The sentence of the first version that compared, which gave ratios of squares."""
    still = segment.start == segment.end
    when = "In the photo" if still else f"Between {timecode(segment.start)} and {timecode(segment.end)}"
    return (
        f"{when} the face of person {segment.person} differs from the reference by "
        f"{math.exp(segment.difference):.1f} times what compression, colour and scaling explain, while its "
        f"surroundings differ by {math.exp(segment.surroundings):.1f} times."
    )


def _region_at_first(region: Region) -> str:
    doubled = region.model_copy(update={"difference": 2 * region.difference})
    return statements.of_region(doubled)
