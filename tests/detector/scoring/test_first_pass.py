"""The first pass: each detection gets its own score."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.faces.crop import Face
from detector.faces.search.search import FoundFaces
from detector.media.frame import Frame, Image
from detector.schema.analysis import Parameters
from detector.scoring import first_pass
from detector.scoring.first_pass import BATCH, FirstPass

ANY_CROP = Parameters(minimum_contrast=0, minimum_sharpness=0, maximum_sharpness=1e9, minimum_face=48)


class Search:
    """Finds the same four faces in every frame, as if it had looked."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._number = -1

    def process_frame(self, frame: Frame, is_cut: bool) -> list[FoundFaces]:
        self._number += 1
        # Two that are sure, one that is so now and then, and one that never is.
        sure = (0.9, 0.8, 0.9 if self._number % 3 == 0 else 0.6, 0.6)
        return [
            FoundFaces(frame, is_cut, [placed(place, confidence) for place, confidence in enumerate(sure)])
        ]

    def flush(self) -> list[FoundFaces]:
        return []


def placed(place: int, confidence: float) -> Face:
    left, top = 64.0 * place + 6, 16.0
    landmarks = np.array([[10, 10], [30, 10], [20, 20], [10, 30], [30, 30]], np.float32)
    return Face((left, top, left + 50, top + 56), confidence, landmarks + np.array([left, top], np.float32))


class Brightness:
    """Stands in for a scorer: a feature is how bright a crop is, a logit that of its track's first more."""

    quality_size = 8

    def __init__(self, width: int) -> None:
        self._width = width

    def crop_of(self, _image: Image, _face: Face, crop: Image) -> Image:
        return crop

    def features(self, crops: Sequence[Image]) -> list[NDArray[np.float32]]:
        return [np.full(self._width, crop.mean(), np.float32) for crop in crops]

    def track_logits(self, features: Any) -> NDArray[np.float64]:
        levels = np.asarray(features, np.float64)[:, 0]
        return levels + 1000 * levels[:1]


@pytest.mark.parametrize("width", [1, 7])  # a logit, or features of a sequence network
def test_each_detection_gets_its_own_score(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Over several batches, in which faces are missing that nobody judges."""
    monkeypatch.setattr(first_pass, "FaceSearch", Search)
    settled = []
    first = FirstPass(
        None, ANY_CROP, Brightness(width), lambda frame, faces: settled.append((frame.pts, list(faces)))
    )
    count = 3 * BATCH + 5
    for number in range(count):
        image = np.zeros((96, 256, 3), np.uint8)
        for place in range(4):
            image[:, 64 * place :] = number + place * 10
        first.process_frame(Frame(number * 100, Fraction(number, 8), image, number), is_cut=False)
    (left,) = first.post_process()
    assert settled == [(number * 100, [0, 1, 2, 3]) for number in range(count)]
    assert list(left.times) == [number / 8 for number in range(count)]
    assert left.discarded == count and sorted(sum(left.person_tracks, [])) == [0, 1, 2]
    seen = list(left.detections)
    assert [(detection.index, detection.track) for detection in seen] == [
        (n, t) for n in range(count) for t in range(3)
    ]
    for detection in seen:
        assert detection.usable is (detection.track < 2 or detection.index % 3 == 0)
        expected = detection.index + detection.track * 10 + 1000 * detection.track * 10
        assert detection.logit == (expected if detection.usable else None)
        assert detection.time == detection.index / 8 and detection.pts == detection.index * 100


def test_first_usable_face_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that networks are made ready for it, in the thread that scores."""
    monkeypatch.setattr(first_pass, "FaceSearch", Search)
    thread_names: list[str] = []
    first = FirstPass(
        None,
        ANY_CROP,
        Brightness(1),
        on_first_face=lambda: thread_names.append(threading.current_thread().name),
    )
    for number in range(3):
        image = np.full((96, 256, 3), 7, np.uint8)
        first.process_frame(Frame(number * 100, Fraction(number, 8), image, number), is_cut=False)
    first.post_process()
    assert len(thread_names) == 1 and thread_names[0].startswith("scoring")
