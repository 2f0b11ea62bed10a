"""Detections: what is kept of a face once its crop is cut, and that each gets its own score."""

from __future__ import annotations

import random
import threading
import tracemalloc
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.faces.crop import Face, roll, square_for_face
from detector.faces.detections import DetectionBuffer, Detections
from detector.faces.finding.search import FoundFaces
from detector.faces.quality import LOW_CONFIDENCE, Assessment, Quality
from detector.media.frame import Frame, Image
from detector.schema.analysis import Parameters
from detector.scoring import first_pass
from detector.scoring.first_pass import BATCH, FirstPass

ANY_CROP = Parameters(minimum_contrast=0, minimum_sharpness=0, maximum_sharpness=1e9, minimum_face=48)


def face(rng: random.Random, confidence: float = 0.9) -> Face:
    x, y = rng.uniform(0, 300), rng.uniform(0, 300)
    landmarks = np.array([[rng.uniform(0, 60), rng.uniform(0, 60)] for _ in range(5)], np.float32)
    return Face((x, y, x + rng.uniform(50, 90), y + 0.1 + 80), confidence, landmarks)


def gathered(count: int) -> tuple[Detections, list[Face]]:
    rng = random.Random(1)
    together, faces = DetectionBuffer(), []
    for step in range(count):
        faces.append(face(rng))
        flaw = LOW_CONFIDENCE if step % 5 == 0 else None
        quality = Quality(step / 3, step / 7) if step % 2 else None
        shows = Assessment(flaw, quality, grey=step % 2 > 0)
        together.add(step * 1001, step / 7, step or None, step % 4, faces[-1], shows)
    assert len(together) == count
    seen = together.take()
    assert len(together) == 0 and len(together.take()) == 0
    return seen, faces


@pytest.mark.parametrize("count", [0, 1, 1024, 2048, 4500])
def test_what_was_seen_comes_back(count: int) -> None:
    seen, faces = gathered(count)
    assert len(seen) == count
    for step, (one, found) in enumerate(zip(seen, faces, strict=True)):
        assert (one.pts, one.time, one.index, one.track) == (step * 1001, step / 7, step or None, step % 4)
        assert one.box == found.box and one.tilt == roll(found) and one.square == square_for_face(found)
        assert one.usable is (step % 5 > 0) and one.logit is None and one.smoothed is None
        types = [type(one.pts), type(one.time), type(one.track), *map(type, one.box)]
        assert types == [int, float, int, *[float] * 4]
    assert set(seen.rows["flaw"]) <= {LOW_CONFIDENCE, None}
    judged = seen.only(seen.rows["grey"])
    assert judged.rows["contrast"].tolist() == [step / 3 for step in range(1, count, 2)]
    assert np.isnan(seen.rows["contrast"][::2]).all()


def test_by_track() -> None:
    seen, _ = gathered(2500)
    tracks = seen.by_track()
    assert list(tracks) == [0, 1, 2, 3]
    for number, places in tracks.items():
        assert places.tolist() == list(range(number, 2500, 4))
    assert seen.only(tracks[3])[1].pts == 7 * 1001
    assert gathered(0)[0].by_track() == {}


def test_memory_of_a_detection() -> None:
    rng, count = random.Random(2), 20_000
    tracemalloc.start()
    together = DetectionBuffer()
    for step in range(count):
        together.add(step * 512, step / 8, step, 0, face(rng), Assessment(None, Quality(20.0, 0.1)))
    kept = tracemalloc.get_traced_memory()[0]
    seen = together.take()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(seen) == count
    assert kept < 150 * count and most < 300 * count  # a face with its landmarks is three times that


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
    assert left.discarded == count and sorted(sum(left.persons, [])) == [0, 1, 2]
    seen = list(left.detections)
    assert [(one.index, one.track) for one in seen] == [(n, t) for n in range(count) for t in range(3)]
    for one in seen:
        assert one.usable is (one.track < 2 or one.index % 3 == 0)
        expected = one.index + one.track * 10 + 1000 * one.track * 10
        assert one.logit == (expected if one.usable else None)
        assert one.time == one.index / 8 and one.pts == one.index * 100


def test_the_first_usable_face_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that networks are made ready for it, in the thread that scores."""
    monkeypatch.setattr(first_pass, "FaceSearch", Search)
    told: list[str] = []
    first = FirstPass(
        None, ANY_CROP, Brightness(1), on_first_face=lambda: told.append(threading.current_thread().name)
    )
    for number in range(3):
        image = np.full((96, 256, 3), 7, np.uint8)
        first.process_frame(Frame(number * 100, Fraction(number, 8), image, number), is_cut=False)
    first.post_process()
    assert len(told) == 1 and told[0].startswith("scoring")


def test_where_all_are_chosen_nothing_is_copied() -> None:
    seen, _ = gathered(20)
    assert seen.sampled is seen and seen.only(np.ones(20, np.bool_)) is seen
    assert (
        seen.only(seen.rows["usable"]).rows["pts"].tolist() == seen.rows["pts"][seen.rows["usable"]].tolist()
    )
