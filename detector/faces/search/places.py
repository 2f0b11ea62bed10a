"""Search for a face near a known or proposed place instead of in the whole frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import Face
from detector.faces.search.matching import normalised_pixels, shift_face
from detector.faces.search.networks import FaceDetector, FaceProposals, search_scale
from detector.media.frame import Image
from detector.schema.analysis import Box, Parameters
from detector.schema.scores import grow_box, overlap

# Side of the searched place, and of the face's longer side in it, in px of the detector's input.
_PLACE = 224
_FACE = 112
_EDGE = 3  # px; a face nearer to the edge of the place may be cut off
SAME_FACE = 0.3  # least overlap of two boxes in one frame that are one face
_LEAST = 0.25  # least overlap of two grown boxes that may be one face at two times


class PlaceSearch:
    """Searches for the face near a box, with CenterFace on the pixels around it, scaled to suit the face."""

    def __init__(self, parameters: Parameters) -> None:
        self._width = parameters.detection_width
        # Separate from the detector for whole frames, because changing its input size takes longer than this
        # search.
        self._detect = FaceDetector(parameters.detection_threshold, _PLACE)

    def __call__(self, image: Image, box: Box) -> Face | None:
        """Return the face near ``box`` of ``image`` (RGB), if there is one."""
        face, is_inside = self._at_place(image, box)
        if face is not None and not is_inside:  # it moved so far that the place cuts it off
            face, _ = self._at_place(image, face.box)
        return face

    def _at_place(self, image: Image, box: Box) -> tuple[Face | None, bool]:
        """Return the face in the place around ``box``, and whether it lies completely in that place."""
        height, width = image.shape[:2]
        longer = max(box[2] - box[0], box[3] - box[1], 1.0)
        # Never larger than in a search of the whole frame.
        scale = min(search_scale(image, self._width), _FACE / longer)
        side = 4 * round(_PLACE / scale / 4)  # so that it can be halved
        left, top = (
            max(0, min(round((box[axis] + box[axis + 2]) / 2 - side / 2), length - side))
            for axis, length in enumerate((width, height))
        )
        place = image[top : top + side, left : left + side]
        if place.shape[0] < side or place.shape[1] < side:  # the frame is smaller than the place
            below, beside = side - place.shape[0], side - place.shape[1]
            place = cv2.copyMakeBorder(place, 0, below, 0, beside, cv2.BORDER_CONSTANT)
        faces = [shift_face(face, left, top) for face in self._detect(place)]
        best = max(faces, key=lambda face: overlap(grow_box(face.box), grow_box(box)), default=None)
        if best is None or not may_be_same_face(best.box, box):
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


def is_among(box: Box, faces: Iterable[Face]) -> bool:
    """Return whether the face in ``box`` is one of ``faces`` of the same frame."""
    return any(overlap(box, face.box) >= SAME_FACE for face in faces)


def may_be_same_face(a: Box, b: Box) -> bool:
    """Return whether the boxes can belong to one face at two times, close together."""
    return overlap(grow_box(a), grow_box(b)) >= _LEAST


_UNCHANGED = 0.9  # correlation with a refused place above which CenterFace would refuse it again


class _Place(NamedTuple):
    """A proposed place and its picture."""

    box: Box
    picture: NDArray[np.float32]

    def is_like(self, other: _Place) -> bool:
        """Return whether ``other`` is the same place and looks the same."""
        return overlap(self.box, other.box) >= SAME_FACE and float(self.picture @ other.picture) >= _UNCHANGED


class NewcomerSearch:
    """Searches for new faces at places that a small network proposes; ``look`` finds the face near a box.

    A place where ``look`` found nothing is not searched again while it looks the same.
    """

    def __init__(self, width: int, look: Callable[[Image, Box], Face | None]) -> None:
        self._width = width
        self._look = look
        self._refused: list[_Place] = []

    def __call__(self, image: Image, known: Sequence[Face]) -> list[Face]:
        """Return faces at proposed places of ``image`` where none of the ``known`` faces is."""
        newcomers: list[Face] = []
        refused: list[_Place] = []
        for box in self._propose(image):
            if is_among(box, known):
                continue
            place = _Place(box, normalised_pixels(image, box))
            before = next((old for old in self._refused if old.is_like(place)), None)
            face = None if before else self._look(image, box)
            if face is None:
                refused.append(before or place)
            elif not is_among(face.box, [*known, *newcomers]):
                newcomers.append(face)
        self._refused = refused
        return newcomers

    @cached_property
    def _propose(self) -> FaceProposals:
        return FaceProposals(self._width)
