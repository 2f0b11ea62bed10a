"""Which way up a picture is, asked where its faces do not stand upright as stored, or none is judged."""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, radians

import numpy as np

from detector.faces.crop import roll
from detector.faces.detections import Detections
from detector.faces.photo_range import flaw_of_photo
from detector.faces.search.centerface import FaceDetector
from detector.faces.search.pyramid import PyramidSearch
from detector.media.frame import Image
from detector.schema.analysis import Parameters

_LEANS = 30.0  # degrees of median tilt: CenterFace gives 30 and more of faces that lie on their side
_BETTER = 1.2  # times as upright as it is stored: a person who leans by 45 degrees turns nothing


def may_lie(detections: Detections) -> bool:
    """Whether the frames in which these faces were found may lie on their side or upside down."""
    rolls = detections.rows["roll"][detections.rows["usable"]]
    return not len(rolls) or float(np.median(np.abs(rolls))) > _LEANS


def turn_with_faces(images: Iterable[Image], parameters: Parameters, *, still: bool = False) -> int:
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
                and not (still and turn and flaw_of_photo(turned, face.box, parameters))
            ]
            upright[turn] += sum(face.confidence * max(0.0, cos(radians(roll(face)))) for face in faces)
            seen[turn] += bool(faces)
    best = max(range(4), key=lambda turn: upright[turn])
    return best if 2 * seen[best] >= count and upright[best] > _BETTER * upright[0] else 0
