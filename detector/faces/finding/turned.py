"""Which way up a picture is, asked where no face could be judged as it is stored."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from detector.faces.finding.detector import FaceDetector
from detector.faces.photo_range import flaw_of_photo
from detector.media.frame import Image
from detector.schema.analysis import Parameters

# Clockwise quarter turns; upside down is the most frequent.
_TURNS = (2, 1, 3)


def turn_with_faces(images: Iterable[Image], parameters: Parameters, *, still: bool = False) -> int:
    """The clockwise quarter turns after which most of ``images`` show a face worth judging; 0 for none.

    Half of the pictures have to show one, so that a pattern in a single frame turns no video. Of a photograph
    (``still``) a face that would not be judged however it lies, such as one without colour, turns nothing:
    all would be analysed again for the same answer.
    """
    detect = FaceDetector(parameters.minimum_confidence, parameters.detection_width)
    seen = dict.fromkeys(_TURNS, 0)
    count = 0
    for image in images:
        count += 1
        for turn in _TURNS:
            turned = np.ascontiguousarray(np.rot90(image, -turn))
            seen[turn] += any(
                face.box[2] - face.box[0] >= parameters.minimum_face
                and not (still and flaw_of_photo(turned, face.box, parameters))
                for face in detect(turned)
            )
    best = max(_TURNS, key=lambda turn: seen[turn])
    return best if seen[best] and 2 * seen[best] >= count else 0
