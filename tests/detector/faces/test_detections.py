"""What is stored of a face after its crop is cut."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest

from detector.faces.crop import Face, roll, square_for_face
from detector.faces.detections import DetectionBuffer, Detections
from detector.faces.flaws import TOO_UNSURE
from detector.faces.quality import Assessment, Quality


def make_face(rng: random.Random, confidence: float = 0.9) -> Face:
    x, y = rng.uniform(0, 300), rng.uniform(0, 300)
    landmarks = np.array([[rng.uniform(0, 60), rng.uniform(0, 60)] for _ in range(5)], np.float32)
    return Face((x, y, x + rng.uniform(50, 90), y + 0.1 + 80), confidence, landmarks)


def gather_detections(count: int) -> tuple[Detections, list[Face]]:
    rng = random.Random(1)
    together, faces = DetectionBuffer(), []
    for step in range(count):
        faces.append(make_face(rng))
        flaw = TOO_UNSURE if step % 5 == 0 else None
        quality = Quality(step / 3, step / 7) if step % 2 else None
        shows = Assessment(flaw, quality, grey=step % 2 > 0)
        together.add(step * 1001, step / 7, step or None, step % 4, faces[-1], shows)
    assert len(together) == count
    seen = together.take()
    assert len(together) == 0 and len(together.take()) == 0
    return seen, faces


@pytest.mark.parametrize("count", [0, 1, 1024, 2048, 4500])
def test_added_faces_are_returned(count: int) -> None:
    seen, faces = gather_detections(count)
    assert len(seen) == count
    for step, (detection, face) in enumerate(zip(seen, faces, strict=True)):
        assert (detection.pts, detection.time, detection.index, detection.track) == (
            step * 1001,
            step / 7,
            step or None,
            step % 4,
        )
        assert (
            detection.box == face.box
            and detection.roll == roll(face)
            and detection.square == square_for_face(face)
        )
        assert detection.usable is (step % 5 > 0) and detection.logit is None and detection.smoothed is None
        types = [type(detection.pts), type(detection.time), type(detection.track), *map(type, detection.box)]
        assert types == [int, float, int, *[float] * 4]
    assert set(seen.rows["flaw"]) <= {TOO_UNSURE, None}
    judged = seen.only(seen.rows["grey"])
    assert judged.rows["contrast"].tolist() == [step / 3 for step in range(1, count, 2)]
    assert np.isnan(seen.rows["contrast"][::2]).all()


def test_columns_match_their_names() -> None:
    """Each flag alone, so that two of them that change places show."""
    rng = random.Random(3)
    at_rest = {"usable": False, "grey": False, "covered": False, "between": False}
    seen = {
        "usable": Assessment(None),
        "grey": Assessment(TOO_UNSURE, grey=True),
        "covered": Assessment(TOO_UNSURE, covered=True),
        "between": Assessment(TOO_UNSURE),
    }
    together = DetectionBuffer()
    for name, shows in seen.items():
        together.add(5, 0.2, 7, 3, make_face(rng), shows, between=name == "between")
    together.add(5, 0.2, 7, 3, make_face(rng), Assessment(TOO_UNSURE, Quality(contrast=20.0, sharpness=0.1)))
    rows = together.take().rows
    for row, name in zip(rows[:-1], seen, strict=True):
        assert {flag: bool(row[flag]) for flag in at_rest} == at_rest | {name: True}
    assert not rows["interpolated"].any()
    assert (rows["contrast"][-1], rows["sharpness"][-1]) == (20.0, 0.1)
    assert (rows["pts"][0], rows["index"][0], rows["track"][0]) == (5, 7, 3)


def test_by_track() -> None:
    seen, _ = gather_detections(2500)
    tracks = seen.by_track()
    assert list(tracks) == [0, 1, 2, 3]
    for number, places in tracks.items():
        assert places.tolist() == list(range(number, 2500, 4))
    assert seen.only(tracks[3])[1].pts == 7 * 1001
    assert gather_detections(0)[0].by_track() == {}


def test_memory_of_a_detection() -> None:
    rng, count = random.Random(2), 20_000
    tracemalloc.start()
    together = DetectionBuffer()
    for step in range(count):
        together.add(step * 512, step / 8, step, 0, make_face(rng), Assessment(None, Quality(20.0, 0.1)))
    kept = tracemalloc.get_traced_memory()[0]
    seen = together.take()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(seen) == count
    assert kept < 150 * count and most < 300 * count  # a face with its landmarks is three times that


def test_full_selection_copies_nothing() -> None:
    seen, _ = gather_detections(20)
    assert seen.sampled is seen and seen.only(np.ones(20, np.bool_)) is seen
    assert (
        seen.only(seen.rows["usable"]).rows["pts"].tolist() == seen.rows["pts"][seen.rows["usable"]].tolist()
    )
