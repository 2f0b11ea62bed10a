"""Degradations of a sequence: cuts and compression keep order and number, and do not make a face flicker."""

from __future__ import annotations

import numpy as np
from made_faces import crop

from training.synthesis.degradations import compress, degrade_sequence, frame_order


def test_timeline() -> None:
    """In order, of the length asked for; jumps, gaps and repetitions only sometimes."""
    rng = np.random.default_rng(0)
    kinds = {"run": 0, "jump": 0, "repeated": 0}
    for _ in range(600):
        count = int(rng.integers(10, 31))
        shown = frame_order(count, count + int(rng.integers(0, 20)), rng)
        steps = np.diff(shown)
        assert len(shown) == count and shown.min() >= 0 and (steps >= 0).all()
        kinds["run" if (steps == 1).all() else "jump" if steps.max() > 1 else "repeated"] += 1
    assert 450 < kinds["run"] < 560 and min(kinds.values()) > 15


def test_timeline_stays_inside() -> None:
    rng = np.random.default_rng(1)
    for _ in range(600):
        available = int(rng.integers(10, 40))
        assert frame_order(10, available, rng).max() < available


def test_compressed_keeps_order_and_number() -> None:
    crops = [np.full((48, 48, 3), 20 + 8 * i, np.uint8) for i in range(25)]
    back = compress(crops, 23, 8)
    assert [frame.shape for frame in back] == [(48, 48, 3)] * 25
    levels = [float(frame.mean()) for frame in back]
    assert np.abs(np.array(levels) - [20 + 8 * i for i in range(25)]).max() < 4


def test_compressed_loses_more_at_a_higher_crf() -> None:
    crops = [crop(i // 4, True, 64) for i in range(12)]

    def loss(crf: int) -> float:
        pairs = zip(compress(crops, crf, 12), crops, strict=True)
        return float(np.mean([np.abs(a.astype(float) - b) for a, b in pairs]))

    assert loss(18) < loss(28) < loss(40)


def test_compressed_the_same_each_time() -> None:
    """Small sliding pictures with B-frames are where x264's assembly is not repeatable by default."""
    wide = crop(7, True, 120)
    crops = [np.ascontiguousarray(wide[:58, 2 * i : 58 + 2 * i]) for i in range(26)]
    first = compress(crops, 30, 12)
    for _ in range(8):
        again = compress(crops, 30, 12)
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_degraded_alike_over_time() -> None:
    """A face that holds still is not made to flicker in colour by what degrades it."""
    for seed in range(20):
        degraded = degrade_sequence([crop(1, False, 64)] * 10, np.random.default_rng(seed))
        means = np.array([frame.mean(axis=(0, 1)) for frame in degraded])
        assert len(degraded) == 10 and np.ptp(means, axis=0).max() < 4
