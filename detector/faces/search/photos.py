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
from detector.schema.geometry import intersection_area
from detector.schema.method import SURELY_FOUND

_SIDE = 640  # px of a tile
_OVERLAP = 128  # px: twice as high as the faces that a level is for, so that each lies wholly in a tile
_EDGE = 3  # px of a tile: a face nearer to its edge may be cut off by it
_INSIDE = 0.6  # share of a box in that of a surer face from which on it is a part of that one


class PyramidSearch:
    """Adds to what CenterFace finds in a whole photograph the faces that it is shown too small there."""

    def __init__(self, parameters: Parameters) -> None:
        self._searched = parameters.detection_width
        self._threshold, self._sure = parameters.detection_threshold, parameters.minimum_confidence
        self._finest = min(1.0, SURELY_FOUND / max(1.0, parameters.minimum_face))

    @cached_property
    def _detect(self) -> FaceDetector:
        # Not the one that searches the whole: to change the size of one takes longer than a tile.
        return FaceDetector(self._threshold, _SIDE)

    def __call__(self, image: Image, found: list[Face]) -> list[Face]:
        """``found``, the faces of the whole search of ``image`` (RGB), with those of the tiles.

        Of two finds of one face the surer counts, but a whole search that shows it large enough and is sure
        is not outdone: its boxes are those that the networks have learnt from.
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
            if not is_among(face.box, faces) and not _part_of_one(face.box, faces):
                faces.append(face)
        return faces

    def _at_scale(self, image: Image, scale: float) -> list[Face]:
        height, width = (round(side * scale) for side in image.shape[:2])
        level = shrink(image, (width, height)) if scale < 1 else image
        found = []
        for top in _starts(height):
            for left in _starts(width):
                tile = np.ascontiguousarray(level[top : top + _SIDE, left : left + _SIDE])
                edges = (left > 0, top > 0, left + _SIDE < width, top + _SIDE < height)
                found += [
                    _scaled(shift_face(face, left, top), 1 / scale)
                    for face in self._detect(tile)
                    if not _is_cut(face.box, tile, edges)
                ]
        return found


def _starts(length: int) -> list[int]:
    """Where tiles begin that cover ``length`` px evenly."""
    tiles = max(1, math.ceil((length - _OVERLAP) / (_SIDE - _OVERLAP)))
    return [round(start) for start in np.linspace(0, max(0, length - _SIDE), tiles).tolist()]


def _is_cut(box: Box, tile: Image, goes_on: tuple[bool, ...]) -> bool:
    """Whether an edge of ``tile`` may cut off the face in ``box``; left, top, right, below: ``goes_on``."""
    height, width = tile.shape[:2]
    room = box[0], box[1], width - box[2], height - box[3]
    return any(beyond and left <= _EDGE for beyond, left in zip(goes_on, room, strict=True))


def _scaled(face: Face, by: float) -> Face:
    x0, y0, x1, y1 = (float(value) * by for value in face.box)
    return Face((x0, y0, x1, y1), face.confidence, face.landmarks * np.float32(by))


def _part_of_one(box: Box, faces: list[Face]) -> bool:
    """Whether ``box`` lies mostly in one of ``faces``: a part of it that passes for a face."""
    area = intersection_area(box, box)
    return any(intersection_area(box, face.box) >= _INSIDE * area for face in faces)


_LEANS = 30.0  # degrees of median tilt: CenterFace gives 30 and more of faces that lie on their side
_BETTER = 1.2  # times as upright as it is stored: a person who leans by 45 degrees turns nothing


def may_be_rotated(detections: Detections) -> bool:
    """Whether the frames in which these faces were found may lie on their side or upside down."""
    rolls = detections.rows["roll"][detections.rows["usable"]]
    return not len(rolls) or float(np.median(np.abs(rolls))) > _LEANS


def find_upright_turn(images: Iterable[Image], parameters: Parameters, *, still: bool = False) -> int:
    """The clockwise quarter turns after which the faces of ``images`` stand most upright; 0 for none.

    A face counts by the detector's confidence times the cosine of its roll: of one on its side the detector
    is about as sure, and gives too small a roll. Half of the pictures have to show one, so that a pattern in
    a single frame turns no video. Of a photograph (``still``) a face that would not be judged however it
    lies, such as one without colour, turns nothing: all would be analysed again for the same answer. But it
    keeps a photograph in which it stands upright as it is.
    """
    detect = FaceDetector(parameters.minimum_confidence, parameters.detection_width)
    small = PyramidSearch(parameters) if still else None
    upright, seen, count = [0.0] * 4, [0] * 4, 0
    for image in images:
        count += 1
        for turn in range(4):
            turned = np.ascontiguousarray(np.rot90(image, -turn))
            found = detect(turned)
            faces = [
                face
                for face in (small(turned, found) if small else found)
                if face.width >= parameters.minimum_face
                and face.confidence >= parameters.minimum_confidence
                and not (still and turn and photo_flaw(turned, face.box, parameters))
            ]
            upright[turn] += sum(face.confidence * max(0.0, cos(radians(roll(face)))) for face in faces)
            seen[turn] += bool(faces)
    best = max(range(4), key=lambda turn: upright[turn])
    return best if 2 * seen[best] >= count and upright[best] > _BETTER * upright[0] else 0
