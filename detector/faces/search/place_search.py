"""The face near a place where one was seen, or proposed: CenterFace on the pixels around it alone.

The place is shown to CenterFace at a size that suits the face.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2

from detector.faces.crop import Face
from detector.faces.search.centerface import FaceDetector
from detector.faces.search.matching import shifted
from detector.faces.search.searched_size import searched_scale
from detector.media.frame import Image
from detector.schema.analysis import Box, Parameters
from detector.schema.boxes import grown, overlap

# Side of the place that is looked at, and the face's longer side in it, px of the detector's input.
_PLACE = 224
_FACE = 112
_EDGE = 3  # px of the place: a face nearer to its edge may be cut off by it
SAME_FACE = 0.3
"""Overlap of two boxes in one frame that are one face, at least."""
_LEAST = 0.25  # overlap of two grown boxes that may be one face at two times


class PlaceSearch:
    """Looks for the face near a box, in frames that are searched at ``parameters``' width."""

    def __init__(self, parameters: Parameters) -> None:
        self._width = parameters.detection_width
        # Not the one that searches whole frames: to change the size of one takes longer than this search.
        self._detect = FaceDetector(parameters.detection_threshold, _PLACE)

    def __call__(self, image: Image, box: Box) -> Face | None:
        """The face near ``box`` of ``image`` (RGB), if there is one."""
        face, whole = self._at_place(image, box)
        if face is not None and not whole:  # it went so far that the place cuts it off
            face, _ = self._at_place(image, face.box)
        return face

    def _at_place(self, image: Image, box: Box) -> tuple[Face | None, bool]:
        """The face in the place around ``box``, and whether it lies wholly in that place."""
        height, width = image.shape[:2]
        longer = max(box[2] - box[0], box[3] - box[1], 1.0)
        # Never larger than a whole search would show it, unless that is not reduced at all.
        scale = min(searched_scale(image, self._width), _FACE / longer)
        side = 4 * round(_PLACE / scale / 4)  # so that it can be halved
        left, top = (
            _kept_inside((box[axis] + box[axis + 2]) / 2 - side / 2, side, whole)
            for axis, whole in enumerate((width, height))
        )
        place = image[top : top + side, left : left + side]
        if place.shape[0] < side or place.shape[1] < side:  # the frame is smaller than the place
            below, beside = side - place.shape[0], side - place.shape[1]
            place = cv2.copyMakeBorder(place, 0, below, 0, beside, cv2.BORDER_CONSTANT)
        found = [shifted(face, left, top) for face in self._detect(place)]
        best = max(found, key=lambda face: overlap(grown(face.box), grown(box)), default=None)
        if best is None or not may_be(best.box, box):
            return None, True
        x0, y0, x1, y1 = best.box
        edge = side / _PLACE * _EDGE
        inside = (
            (x0 - left > edge or left == 0)
            and (y0 - top > edge or top == 0)
            and (left + side - x1 > edge or left + side >= width)
            and (top + side - y1 > edge or top + side >= height)
        )
        return best, inside


def among(box: Box, faces: Iterable[Face]) -> bool:
    """Whether the face in ``box`` is one of ``faces`` of the same frame."""
    return any(overlap(box, face.box) >= SAME_FACE for face in faces)


def may_be(a: Box, b: Box) -> bool:
    """Whether the boxes can be those of one face at two times, near each other."""
    return overlap(grown(a), grown(b)) >= _LEAST


def _kept_inside(start: float, side: int, whole: int) -> int:
    return max(0, min(round(start), whole - side))
