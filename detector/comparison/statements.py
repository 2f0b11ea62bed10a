"""What a comparison says, in words, and what it does not."""

from __future__ import annotations

import math

from detector.schema.comparison import ComparedSegment, Comparison, Region
from detector.schema.formatting import timecode

LIMITS = (
    "Nothing in the comparison says which of the two files is the original: what differs may have been "
    "changed in either of them, unless Content Credentials or a custody record say which came first. A face "
    "that does not differ may be manipulated in both files alike."
)
UNRELATED_LIMITS = (
    "It does not say that the exhibit is authentic: only that no part of this reference was found in it. A "
    "part shorter than half a second, or one that fills less than a quarter of the picture, is not found."
)


def of_segment(segment: ComparedSegment) -> str:
    """What one segment proves."""
    still = segment.start == segment.end
    when = "In the photo" if still else f"Between {timecode(segment.start)} and {timecode(segment.end)}"
    return (
        f"{when} the face of person {segment.person} differs from the reference by "
        f"{_times(segment.difference)} what "
        f"compression, colour and scaling explain, while its surroundings differ by "
        f"{_times(segment.surroundings)} that."
    )


def _times(difference: float) -> str:
    """The log of a ratio of squares as a ratio of levels."""
    return f"{math.exp(difference / 2):.1f} times"


def of_region(region: Region) -> str:
    """What one region shows."""
    x0, y0, x1, y1 = (round(v) for v in region.box)
    when = (
        "" if region.start == region.end else f"between {timecode(region.start)} and {timecode(region.end)} "
    )
    return (
        f"Part of the picture {when}(x {x0} to {x1}, y {y0} to {y1}) differs from the reference by "
        f"{_times(region.difference)} what compression, colour and scaling explain."
    )


def summary(comparison: Comparison) -> str:
    """What the whole comparison found."""
    if not comparison.related or comparison.transform is None:
        return "The exhibit shows no part of the reference: the two files are unrelated."
    parts = [_shown(comparison)]
    if comparison.segments:
        parts += [segment.statement for segment in comparison.segments]
    elif comparison.persons:
        parts.append("No face differs by more than compression, colour and scaling explain.")
    else:
        parts.append("No face was found that could be compared.")
    if comparison.regions:
        count = len(comparison.regions)
        noun, verb = ("part", "differs") if count == 1 else ("parts", "differ")
        parts.append(f"{count} {noun} of the picture beside the faces {verb}.")
    return " ".join(parts)


def _shown(comparison: Comparison) -> str:
    transform = comparison.transform
    assert transform is not None
    ways = []
    if transform.mirror:
        ways.append("mirrored")
    if abs(transform.scale - 1) > 0.01:
        ways.append(f"at {transform.scale:.2f} times the size")
    if abs(transform.rotation) > 0.3:
        ways.append(f"turned by {transform.rotation:.1f} degrees")
    reference = comparison.reference
    x0, y0, x1, y1 = transform.crop
    share = (x1 - x0) * (y1 - y0) / (reference.width * reference.height)
    if share < 0.98:
        ways.append(f"cropped to {share:.0%} of its picture")
    how = f", {', '.join(ways)}" if ways else ""
    if comparison.reference.duration == 0:
        return f"The exhibit shows the picture of the reference{how}."
    if comparison.exhibit.duration == 0:
        at = comparison.time_map[0].reference.start
        return f"The exhibit shows the reference at {timecode(at)}{how}."
    count = len(comparison.time_map)
    shown = sum(piece.exhibit.end - piece.exhibit.start for piece in comparison.time_map)
    stretches = "one stretch" if count == 1 else f"{count} stretches"
    return f"The exhibit shows {stretches} of the reference, {shown:.1f} seconds together{how}."
