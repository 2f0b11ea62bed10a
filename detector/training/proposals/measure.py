"""How many of CenterFace's faces the proposals lead to, in whole frames of role ``develop``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from detector.faces.search.centerface import FaceDetector
from detector.faces.search.place_search import PlaceSearch
from detector.faces.search.proposals import FaceProposals
from detector.media.frame import Image
from detector.schema.analysis import Parameters
from detector.schema.boxes import overlap
from detector.training.data.face_samples import read_csv
from detector.training.proposals.pictures import spread_frames

_FRAMES = 4  # of each clip
_SAME = 0.3  # overlap of two boxes that are one face
_SURE = 0.7, 0.5  # CenterFace's confidence: of what is judged, of what is followed
_JUDGED = 48.0  # px, the narrowest face that is judged


def measure(data: Path, onnx: Path) -> dict[str, float]:
    """Shares of faces found in frames below ``data``, with the network ``onnx``."""
    parameters = Parameters()
    detect = FaceDetector(parameters.detection_threshold, parameters.detection_width)
    propose, look = FaceProposals(parameters.detection_width, onnx), PlaceSearch(parameters)
    found: dict[float, list[bool]] = {sure: [] for sure in _SURE}
    proposed, places = 0, 0
    for image in _frames(data):
        boxes = propose(image)
        seen = [face for face in (look(image, box) for box in boxes) if face is not None]
        proposed, places = proposed + len(boxes), places + 1
        for face in detect(image):
            if face.width >= _JUDGED:
                led = any(overlap(face.box, one.box) >= _SAME for one in seen)
                for sure in _SURE:
                    found[sure] += [led] if face.confidence >= sure else []
    return {
        "faces of develop frames, 48 px and wider, confidence 0.7": float(len(found[_SURE[0]])),
        "of these led to": float(np.mean(found[_SURE[0]])),
        "faces with confidence 0.5": float(len(found[_SURE[1]])),
        "of these led to as well": float(np.mean(found[_SURE[1]])),
        "places proposed a frame": proposed / places,
    }


def _frames(data: Path) -> Iterator[Image]:
    for folder in ("clips", "videos"):
        for row in read_csv(data / folder / "labels.csv"):
            if row["role"] == "develop":
                yield from spread_frames(data / folder / row["file"], _FRAMES)
