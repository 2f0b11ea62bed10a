"""Locate a face in the frames between two detections, by matching pixels and by interpolation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import Face
from detector.media.frame import Frame, Image
from detector.schema.analysis import Box

_WIDTH = 32  # px of a face's picture
_SEARCH_MARGIN = 10  # px of these, distance from the line within which a face is searched
_SMALL = 16  # px of a picture that only tells whether something changed
_LEAST_CORRELATION = 0.75  # least correlation with both pictures; at 0.7 a half covered face would pass

Grey = NDArray[np.uint8]


def match_faces_between(frames: Sequence[Frame], start: Face, end: Face) -> list[Face] | None:
    """Locate a face in the frames between the first, where it is ``start``, and the last, ``end``.

    The face is expected on the line between both boxes. Both pictures of it are compared with the
    surroundings of each place on the line by normalised cross-correlation, to fractions of a pixel. Returns
    None if nothing is similar enough in some frame, because the face is turned away, covered, or farther off
    the line.
    """
    ratio = (start.box[3] - start.box[1]) / max(1.0, start.width)
    height = int(np.clip(round(_WIDTH * ratio), _WIDTH // 2, 2 * _WIDTH))
    pictures = [
        _part(frame.image, face.box, (_WIDTH, height))
        for frame, face in ((frames[0], start), (frames[-1], end))
    ]
    faces = []
    for frame in frames[1:-1]:
        face = interpolate_face(frames, frame, start, end)
        offset = _find_offset(frame.image, face.box, pictures, _share(frames, frame))
        if offset is None:
            return None
        faces.append(shift_face(face, *offset))
    return faces


def normalised_pixels(image: Image, box: Box) -> NDArray[np.float32]:
    """Return the pixels in ``box`` so that the product of two such vectors is their correlation."""
    return normalise_rows(_part(image, box, (_SMALL, _SMALL)).astype(np.float32).reshape(1, -1))[0]


def normalise_rows(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalise pictures (n, d) so that the product of two is their correlation; 0 without contrast."""
    centred = pictures - pictures.mean(axis=1, keepdims=True)
    spread = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)


def _find_offset(
    image: Image, box: Box, pictures: Sequence[Grey], share: float
) -> tuple[float, float] | None:
    """Return the offset in px from ``box`` at which both ``pictures`` match best; None if none is similar."""
    x0, y0, x1, y1 = box
    height, width = pictures[0].shape
    across, down = (x1 - x0) / width, (y1 - y0) / height  # px of the frame to one of a picture
    wide = (
        x0 - _SEARCH_MARGIN * across,
        y0 - _SEARCH_MARGIN * down,
        x1 + _SEARCH_MARGIN * across,
        y1 + _SEARCH_MARGIN * down,
    )
    place = _part(image, wide, (width + 2 * _SEARCH_MARGIN, height + 2 * _SEARCH_MARGIN))
    first, last = (cv2.matchTemplate(place, picture, cv2.TM_CCOEFF_NORMED) for picture in pictures)
    likeness = (1 - share) * first + share * last
    row, column = divmod(int(likeness.argmax()), likeness.shape[1])
    if (
        likeness[row, column] < _LEAST_CORRELATION
        or not 0 < row < 2 * _SEARCH_MARGIN
        or not 0 < column < 2 * _SEARCH_MARGIN
    ):
        return None
    right = column + _vertex(likeness[row, column - 1 : column + 2]) - _SEARCH_MARGIN
    below = row + _vertex(likeness[row - 1 : row + 2, column]) - _SEARCH_MARGIN
    return right * across, below * down


def _vertex(values: NDArray[np.float32]) -> float:
    """Return the vertex of the parabola through three neighbouring values, relative to the middle one."""
    before, middle, after = values.tolist()
    bend = before - 2 * middle + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


def _part(image: Image, box: Box, size: tuple[int, int]) -> Grey:
    """Return the contents of ``box`` in grey at ``size`` px; outside the frame, its edge is repeated."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (round(edge) for edge in box)
    x1, y1 = max(x1, x0 + 2), max(y1, y0 + 2)
    left, right = (min(max(edge, 0), width) for edge in (x0, x1))
    top, bottom = (min(max(edge, 0), height) for edge in (y0, y1))
    if right - left < 2 or bottom - top < 2:
        return np.zeros(size[::-1], np.uint8)  # correlates with nothing
    step = max(1, (x1 - x0) // (2 * size[0]))  # sampling is sufficient
    inside = cv2.cvtColor(np.ascontiguousarray(image[top:bottom:step, left:right:step]), cv2.COLOR_RGB2GRAY)
    across, down = size[0] / (x1 - x0), size[1] / (y1 - y0)
    at = min(size[0] - 1, round((left - x0) * across)), min(size[1] - 1, round((top - y0) * down))
    shown = (
        max(1, min(size[0] - at[0], round((right - left) * across))),
        max(1, min(size[1] - at[1], round((bottom - top) * down))),
    )
    small = cv2.resize(inside, shown, interpolation=cv2.INTER_AREA)
    if shown == size:
        return cast(Grey, small)
    beyond = size[1] - at[1] - shown[1], size[0] - at[0] - shown[0]
    return cast(Grey, cv2.copyMakeBorder(small, at[1], beyond[0], at[0], beyond[1], cv2.BORDER_REPLICATE))


def interpolate_face(frames: Sequence[Frame], frame: Frame, start: Face, end: Face) -> Face:
    """Return the face in ``frame`` if it moves evenly from ``start`` in the first to ``end`` in the last."""
    share = _share(frames, frame)
    x0, y0, x1, y1 = (a + (b - a) * share for a, b in zip(start.box, end.box, strict=True))
    return Face(
        (x0, y0, x1, y1),
        start.confidence + (end.confidence - start.confidence) * share,
        start.landmarks + (end.landmarks - start.landmarks) * np.float32(share),
    )


def _share(frames: Sequence[Frame], frame: Frame) -> float:
    first = frames[0].time
    return float((frame.time - first) / (frames[-1].time - first))


def shift_face(face: Face, right: float, below: float) -> Face:
    """Move ``face`` to the right and down."""
    x0, y0, x1, y1 = face.box
    moved = face.landmarks + np.array([right, below], np.float32)
    return Face((x0 + right, y0 + below, x1 + right, y1 + below), face.confidence, moved)


LONGEST_FOLLOWED = 1.5  # seconds over which a face is followed by matching


def faces_between(
    frames: Sequence[Frame], start: Face, end: Face, look: Callable[[Image, Box], Face | None]
) -> list[Face] | None:
    """Follow a face through the frames between the first, where it is ``start``, and the last, ``end``.

    It is matched by pixels, which differs less from CenterFace's boxes than these do from one another between
    sizes of search (docs/faces.md). Where that fails, ``look`` finds the face near a box of an image. Returns
    None if the face is lost.
    """
    if len(frames) < 3:
        return []
    matched = match_faces_between(frames, start, end)
    if matched is not None:
        return matched
    middle = len(frames) // 2
    halfway = look(frames[middle].image, interpolate_face(frames, frames[middle], start, end).box)
    if halfway is None:
        return None
    before = faces_between(frames[: middle + 1], start, halfway, look)
    after = faces_between(frames[middle:], halfway, end, look)
    return None if before is None or after is None else [*before, halfway, *after]
