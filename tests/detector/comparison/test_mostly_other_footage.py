"""An exhibit of which a small part shows the reference: it is found, and the rest is nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip

from detector.comparison.compare import compare
from detector.schema.comparison import ComparisonParameters

RATE = 25
SIZE = (240, 136)
# What is shown is found first; faces and surroundings are then compared at this rate.
mapped = partial(compare, parameters=ComparisonParameters(sample_rate=1))


def scene(number: int, seed: int = 1) -> np.ndarray:
    """A picture with fixed surroundings, in which several things move and never come back."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (9, 15, 3), np.uint8)
    picture = cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC)
    for thing in range(6):
        x = int(20 + (number * (0.9 + 0.13 * thing)) % 200)
        y = int(20 + 18 * thing + 9 * np.sin(number / (7 + 2 * thing)))
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        cv2.circle(picture, (x, y), 7 + thing, colour, -1, cv2.LINE_AA)
    return picture


def written(path: Path, frames: Sequence[tuple[int, int]]) -> Path:
    """A clip of frames, each a number and the seed of its scene."""
    return write_clip(path, (scene(*frame) for frame in frames), rate=RATE)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("known") / "reference.mp4"
    return written(path, [(number, 1) for number in range(100)])


@pytest.mark.parametrize(("before", "after"), [(90, 30), (300, 260)], ids=["a third", "a fifteenth"])
def test_a_part_of_an_exhibit_is_found(tmp_path: Path, reference: Path, before: int, after: int) -> None:
    """What is shown for two seconds of 24 lies between two of ten pictures."""
    shown = range(30, 70)
    other = [(number, 5 + number // 70) for number in range(before + after)]
    frames = [*other[:before], *((number, 1) for number in shown), *other[before:]]
    found = mapped(written(tmp_path / "exhibit.mp4", frames), reference)
    assert found.related
    (piece,) = found.time_map
    assert piece.exhibit.start == pytest.approx(before / RATE, abs=1.1 / RATE)
    assert piece.exhibit.end == pytest.approx((before + len(shown) - 1) / RATE, abs=1.1 / RATE)
    assert piece.reference.start == pytest.approx(30 / RATE, abs=1.1 / RATE)
    assert found.transform is not None
    assert np.array(found.transform.matrix) == pytest.approx(np.array([[1, 0, 0], [0, 1, 0]]), abs=0.01)
    assert [gap.file for gap in found.gaps] == ["exhibit"] * 2 + ["reference"] * 2


def test_nothing_but_other_scenes_is_unrelated(tmp_path: Path, reference: Path) -> None:
    frames = [(number, 5 + number // 25) for number in range(300)]
    assert not mapped(written(tmp_path / "exhibit.mp4", frames), reference).related
