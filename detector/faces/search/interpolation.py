"""A face in the frames between two in which it was looked for.

A second of a face need not be searched frame by frame: its pictures at both ends are found again on the way
(:mod:`detector.faces.search.matching`), which is nearer to CenterFace's own boxes than these are to one
another when only the size of what is searched differs (docs/faces.md). What looks different on the way is
looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from detector.faces.crop import Face
from detector.faces.search.matching import faces_along, on_the_line
from detector.media.frame import Frame, Image
from detector.schema.analysis import Box

LONGEST_FOLLOWED = 1.5  # seconds over which a face is followed so, at most


def faces_between(
    frames: Sequence[Frame], start: Face, end: Face, look: Callable[[Image, Box], Face | None]
) -> list[Face] | None:
    """The face in each of the frames but the first, where it is ``start``, and the last, where it is ``end``.

    ``look`` finds the face near a box of an image. None if it is lost on the way.
    """
    if len(frames) < 3:
        return []
    found = faces_along(frames, start, end)
    if found is not None:
        return found
    middle = len(frames) // 2
    halfway = look(frames[middle].image, on_the_line(frames, frames[middle], start, end).box)
    if halfway is None:
        return None
    before = faces_between(frames[: middle + 1], start, halfway, look)
    after = faces_between(frames[middle:], halfway, end, look)
    return None if before is None or after is None else [*before, halfway, *after]
