"""Find small and rotated faces in photographs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property
from math import cos, radians

import numpy as np

from detector.faces.crop import Face, roll
from detector.faces.detections import Detections
from detector.faces.quality import photo_flaw
from detector.faces.search.matching import shift_face
from detector.faces.search.networks import FaceDetector, search_scale, shrink
from detector.faces.search.places import is_among
from detector.media.frame import Image
from detector.schema.analysis import Box, Parameters
from detector.schema.method import SURELY_FOUND
from detector.schema.scores import intersection_area

_SIDE = 640  # px of a tile
_OVERLAP = (
    128  # px, twice the height of the faces that a level is for, so that each lies completely in a tile
)
_EDGE = 3  # px; a face nearer to the edge of a tile may be cut off
_INSIDE = 0.6  # share of a box inside that of a surer face from which it is only a part of that face


class PyramidSearch:
    """Finds faces that are too small in a reduced photograph, with CenterFace on tiles of an image pyramid.

    CenterFace is reliable from a face width of about 24 px on. In a photo of 12 megapixels, a search at 640
    px shows a face of 48 px, which is judged, at only 8 px. The finest level shows the narrowest judged face
    at 24 px, and each further level is half as large. Videos need no pyramid, because their faces come again.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._searched = parameters.detection_width
        self._threshold, self._sure = parameters.detection_threshold, parameters.minimum_confidence
        self._finest = min(1.0, SURELY_FOUND / max(1.0, parameters.minimum_face))

    @cached_property
    def _detect(self) -> FaceDetector:
        # Separate from the detector for the whole photo, because changing its input size takes longer than a
        # tile.
        return FaceDetector(self._threshold, _SIDE)

    def __call__(self, image: Image, found: list[Face]) -> list[Face]:
        """Return the faces of tiles of ``image`` (RGB) with those ``found`` in the whole of it.

        Of two detections of one face the more confident counts. A confident one in the whole photo at a
        sufficient size has priority, because the networks were trained on such boxes.
        """
        whole = search_scale(image, self._searched)
        smaller: list[Face] = []
        scale = self._finest
        while scale > whole:
            smaller += self._at_scale(image, scale)
            scale /= 2
        if not smaller:
            return found

        def is_surely_found(face: Face) -> bool:
            return face.width * whole >= SURELY_FOUND and face.confidence >= self._sure

        faces = [face for face in found if is_surely_found(face)]
        rest = [*smaller, *(face for face in found if not is_surely_found(face))]
        for face in sorted(rest, key=lambda face: -face.confidence):
            if not is_among(face.box, faces) and not _is_part(face.box, faces):
                faces.append(face)
        return faces

    def _at_scale(self, image: Image, scale: float) -> list[Face]:
        height, width = (round(side * scale) for side in image.shape[:2])
        level = shrink(image, (width, height)) if scale < 1 else image
        faces = []
        for top in _starts(height):
            for left in _starts(width):
                tile = np.ascontiguousarray(level[top : top + _SIDE, left : left + _SIDE])
                edges = (left > 0, top > 0, left + _SIDE < width, top + _SIDE < height)
                for face in self._detect(tile):
                    margins = (
                        face.box[0],
                        face.box[1],
                        tile.shape[1] - face.box[2],
                        tile.shape[0] - face.box[3],
                    )
                    # An edge beyond which the picture continues may cut off the face.
                    if any(inside and margin <= _EDGE for inside, margin in zip(edges, margins, strict=True)):
                        continue
                    moved = shift_face(face, left, top)
                    x0, y0, x1, y1 = (float(value) * (1 / scale) for value in moved.box)
                    landmarks = moved.landmarks * np.float32(1 / scale)
                    faces.append(Face((x0, y0, x1, y1), face.confidence, landmarks))
        return faces


def _starts(length: int) -> list[int]:
    """Return the starts of tiles that cover ``length`` px evenly."""
    tiles = max(1, math.ceil((length - _OVERLAP) / (_SIDE - _OVERLAP)))
    return [round(start) for start in np.linspace(0, max(0, length - _SIDE), tiles).tolist()]


def _is_part(box: Box, faces: list[Face]) -> bool:
    """Return whether ``box`` lies mostly inside one of ``faces``, as a part that passes for a face."""
    area = intersection_area(box, box)
    return any(intersection_area(box, face.box) >= _INSIDE * area for face in faces)


_LEAST_LEAN = 30.0  # degrees of median tilt; CenterFace reports 30 and more for faces on their side
_LEAST_IMPROVEMENT = 1.2  # times as upright as stored, so that a person who leans by 45 degrees turns nothing


def may_be_rotated(detections: Detections) -> bool:
    """Return whether the frames of these faces may be on their side or upside down."""
    rolls = detections.rows["roll"][detections.rows["usable"]]
    return not len(rolls) or float(np.median(np.abs(rolls))) > _LEAST_LEAN


def find_upright_turn(images: Iterable[Image], parameters: Parameters, *, still: bool = False) -> int:
    """Return the clockwise quarter turns after which the faces of ``images`` are most upright; 0 for none.

    A face counts by the detector's confidence times the cosine of its roll, because the detector is about as
    confident about a face on its side but reports too small a roll. Half of the pictures must show a face, so
    that a pattern in a single frame turns no video. In a photograph (``still``) a face that would not be
    judged in any orientation, such as one without colour, turns nothing, but an upright one keeps the photo
    as it is.
    """
    detect = FaceDetector(parameters.minimum_confidence, parameters.detection_width)
    small = PyramidSearch(parameters) if still else None
    upright, with_faces, count = [0.0] * 4, [0] * 4, 0
    for image in images:
        count += 1
        for turn in range(4):
            turned = np.ascontiguousarray(np.rot90(image, -turn))
            detected = detect(turned)
            faces = [
                face
                for face in (small(turned, detected) if small else detected)
                if face.width >= parameters.minimum_face
                and face.confidence >= parameters.minimum_confidence
                and not (still and turn and photo_flaw(turned, face.box, parameters))
            ]
            upright[turn] += sum(face.confidence * max(0.0, cos(radians(roll(face)))) for face in faces)
            with_faces[turn] += bool(faces)
    best = max(range(4), key=lambda turn: upright[turn])
    return best if 2 * with_faces[best] >= count and upright[best] > _LEAST_IMPROVEMENT * upright[0] else 0
