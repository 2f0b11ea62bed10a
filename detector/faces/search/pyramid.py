"""Find small faces in a large photograph: CenterFace on tiles of an image pyramid.

CenterFace finds a face surely from about 24 px of width on, as it is shown. Of a photograph of 12 megapixels
one search of the whole at 640 px shows a face of 48 px, which is judged, 8 px wide. So the photograph is
searched at the size at which the narrowest face that is judged has 24 px, and at halves of that down to the
whole search, each in tiles that lie over one another. A video has no pyramid: its faces come again, and the
searches of its frames would take several times as long.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from detector.faces.crop import Face
from detector.faces.search.centerface import FaceDetector
from detector.faces.search.matching import shifted
from detector.faces.search.place_search import among
from detector.faces.search.searched_size import reduced, searched_scale
from detector.media.frame import Image
from detector.schema.analysis import Box, Parameters
from detector.schema.boxes import shared_area
from detector.schema.method.parameters import SURELY_FOUND

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
        whole = searched_scale(image, self._searched)
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
            if not among(face.box, faces) and not _part_of_one(face.box, faces):
                faces.append(face)
        return faces

    def _at_scale(self, image: Image, scale: float) -> list[Face]:
        height, width = (round(side * scale) for side in image.shape[:2])
        level = reduced(image, (width, height)) if scale < 1 else image
        found = []
        for top in _starts(height):
            for left in _starts(width):
                tile = np.ascontiguousarray(level[top : top + _SIDE, left : left + _SIDE])
                edges = (left > 0, top > 0, left + _SIDE < width, top + _SIDE < height)
                found += [
                    _scaled(shifted(face, left, top), 1 / scale)
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
    area = shared_area(box, box)
    return any(shared_area(box, face.box) >= _INSIDE * area for face in faces)
