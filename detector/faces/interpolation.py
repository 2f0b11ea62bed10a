"""A face in the frames between two in which it was looked for: predicted, and the prediction verified.

Half a second of a face that hardly moves need not be looked at frame by frame: its box lies on the
line between those at both ends. Over the research clips that line is nearer to CenterFace's own
boxes than these are to one another when only the size of what is searched differs
(docs/engine.md). What moves more, or looks different on the way, is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import Face
from detector.faces.tracks import correlating
from detector.media.frame import Frame, Image
from detector.schema.analysis import Box

LONGEST = 1.0  # seconds over which a face is predicted, at most
_STILL = 0.1  # of a face's width: the farthest an edge of its box may have gone
_LIKE = 0.8  # correlation of a face's picture with itself a moment later, at least
_PICTURE = 16  # px, the side of such a picture


def faces_between(
    frames: Sequence[Frame], start: Face, end: Face, look: Callable[[Image, Box], Face | None]
) -> list[Face] | None:
    """The face in each of the frames but the first, where it is ``start``, and the last, where it is ``end``.

    ``look`` finds the face near a box of an image. None if it is lost on the way.
    """
    if len(frames) < 3:
        return []
    line = [_predicted(start, end, _share(frames, frame)) for frame in frames[1:-1]]
    if _moved(start, end) <= _STILL and _stays_alike(frames, [start, *line, end]):
        return line
    middle = len(frames) // 2
    found = look(frames[middle].image, line[middle - 1].box)
    if found is None:
        return None
    before = faces_between(frames[: middle + 1], start, found, look)
    after = faces_between(frames[middle:], found, end, look)
    return None if before is None or after is None else [*before, found, *after]


def _share(frames: Sequence[Frame], frame: Frame) -> float:
    first = frames[0].time
    return float((frame.time - first) / (frames[-1].time - first))


def _predicted(start: Face, end: Face, share: float) -> Face:
    x0, y0, x1, y1 = (a + (b - a) * share for a, b in zip(start.box, end.box, strict=True))
    return Face(
        (x0, y0, x1, y1),
        start.confidence + (end.confidence - start.confidence) * share,
        start.landmarks + (end.landmarks - start.landmarks) * np.float32(share),
    )


def _moved(start: Face, end: Face) -> float:
    return max(abs(a - b) for a, b in zip(start.box, end.box, strict=True)) / max(1.0, start.width)


def _stays_alike(frames: Sequence[Frame], faces: Sequence[Face]) -> bool:
    """Whether each face looks like the one before: not turned away, not covered, not another."""
    pictures = correlating(
        np.array([_picture(frame.image, face.box) for frame, face in zip(frames, faces, strict=True)])
    )
    return bool((np.sum(pictures[:-1] * pictures[1:], axis=1) >= _LIKE).all())


def _picture(image: Image, box: Box) -> NDArray[np.float32]:
    """What is in ``box``, in grey levels, small."""
    left, top = (max(0, int(edge)) for edge in box[:2])
    inside = image[top : max(top + 1, round(box[3])), left : max(left + 1, round(box[2]))]
    small = cv2.resize(inside, (_PICTURE, _PICTURE), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32).ravel()
