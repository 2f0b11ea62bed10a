"""Which frames of an exhibit are compared with those of its reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.comparison.pictures import sample_pairs
from detector.comparison.similarity import NOWHERE
from detector.comparison.strips import Strip
from detector.comparison.time_map import TimeMap

RATE = 8.0


def strip(milliseconds: Sequence[int]) -> Strip:
    pts = np.array(milliseconds, np.int64)
    return Strip(pts, pts / 1000, np.zeros((len(pts), 8, 8), np.float32), (64, 64))


def compared(milliseconds: Sequence[int], unmatched: Sequence[int] = ()) -> list[int]:
    both = strip(milliseconds)
    places = [NOWHERE if pts in unmatched else place for place, pts in enumerate(milliseconds)]
    wanted = sample_pairs(both, both, TimeMap((), np.array(places, np.intp)), RATE)
    assert all(pts == reference_pts for pts, reference_pts in wanted)
    return [pts for pts, _ in wanted]


def test_first_matched_frame_of_each_interval_is_compared() -> None:
    assert compared([0, 40, 80, 120, 160, 200]) == [0, 160, 200]  # the last one, however long it is shown
    assert compared([0, 40, 80, 120, 160, 200], unmatched=[0, 200]) == [40, 160]


def test_held_picture_is_compared_anywhere_in_its_interval() -> None:
    assert compared([0, 40, 80, 3000, 3040]) == [0, 80, 3000, 3040]
    assert compared([0, 40, 80, 3000, 3040], unmatched=[80]) == [0, 3000, 3040]
