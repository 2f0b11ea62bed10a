"""An exhibit of which a small part shows the reference: it is found, and the rest is nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from moving_scenes import RATE, mapped, scene


def written(path: Path, frames: Sequence[tuple[int, int]]) -> Path:
    """A clip of frames, each a number and the seed of its scene."""
    return write_clip(path, (scene(*frame) for frame in frames), rate=RATE)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("known") / "reference.mp4"
    return written(path, [(number, 1) for number in range(100)])


@pytest.mark.parametrize(("before", "after"), [(90, 30), (300, 260)], ids=["a third", "a fifteenth"])
def test_matching_part_of_an_exhibit_is_found(
    tmp_path: Path, reference: Path, before: int, after: int
) -> None:
    """What is shown for two seconds of 24 lies between two of ten pictures."""
    shown = range(30, 70)
    other = [(number, 5 + number // 70) for number in range(before + after)]
    frames = [*other[:before], *((number, 1) for number in shown), *other[before:]]
    comparison = mapped(written(tmp_path / "exhibit.mp4", frames), reference)
    assert comparison.related
    (piece,) = comparison.time_map
    assert piece.exhibit.start == pytest.approx(before / RATE, abs=1.1 / RATE)
    assert piece.exhibit.end == pytest.approx((before + len(shown) - 1) / RATE, abs=1.1 / RATE)
    assert piece.reference.start == pytest.approx(30 / RATE, abs=1.1 / RATE)
    assert comparison.transform is not None
    assert np.array(comparison.transform.matrix) == pytest.approx(np.array([[1, 0, 0], [0, 1, 0]]), abs=0.01)
    assert [gap.file for gap in comparison.gaps] == ["exhibit"] * 2 + ["reference"] * 2


def test_other_scenes_only_are_unrelated(tmp_path: Path, reference: Path) -> None:
    frames = [(number, 5 + number // 25) for number in range(300)]
    assert not mapped(written(tmp_path / "exhibit.mp4", frames), reference).related
