"""Degradations of a sequence of crops: what a cut, a codec or a change of light does over time.

As in :mod:`detector.training.synthesis.degradations`, all is drawn without regard to the class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.media.encode import h264_round_trip
from detector.media.frame import Image
from detector.training.synthesis.degradations import degrade

_RATE = 8  # frames a second of a sequence


def frame_order(count: int, available: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which of ``available`` moments are shown as ``count`` frames, in order.

    Mostly a run of neighbours; one time in six a jump cut, frames dropped, or frames shown twice.
    """
    spare = available - count
    how = rng.random()
    steps = np.ones(count - 1, np.int64)
    if how < 0.06 and spare > 0:  # jump cut
        steps[rng.integers(count - 1)] += int(rng.integers(1, spare + 1))
    elif how < 0.11:  # dropped
        for place in rng.integers(0, count - 1, min(spare, int(rng.integers(1, 4)))):
            steps[place] += 1
    elif how < 0.16:  # shown twice
        steps[rng.integers(0, count - 1, int(rng.integers(1, 4)))] = 0
    shown = np.concatenate([[0], np.cumsum(steps)])
    return shown + int(rng.integers(0, available - int(shown[-1])))


def degrade_sequence(crops: list[Image], rng: np.random.Generator) -> list[Image]:
    """All ``crops`` (one size, its side even) degraded alike: one camera, one way through the network.

    The steps of :func:`degrade` with what they drew the same in each frame, grain that is not,
    and, more often than not, H.264 over the whole sequence, so that what a codec does over
    time is seen.
    """
    if rng.random() < 0.5:
        seed = int(rng.integers(2**32))
        crops = [degrade(crop, np.random.default_rng(seed)) for crop in crops]
    if rng.random() < 0.2:
        strength = rng.uniform(1, 7)
        crops = [
            np.clip(crop + strength * rng.standard_normal(crop.shape, np.float32), 0, 255).astype(np.uint8)
            for crop in crops
        ]
    if rng.random() < 0.65:
        crops = compressed(crops, int(rng.integers(18, 41)), int(rng.integers(8, 25)))
    return crops


def compressed(crops: list[Image], crf: int, gop: int) -> list[Image]:
    """``crops`` through x264 at ``crf`` with a key frame every ``gop`` frames, and back."""
    # Without the flag the same pictures of 50 to 160 px gave up to 12 different streams in 12 tries.
    options = {"preset": "veryfast", "crf": str(crf), "x264-params": "cpu-independent=1"}
    return h264_round_trip(crops, _RATE, options, key_frame_every=gop)


def eventful(crops: list[Image], rng: np.random.Generator) -> list[Image]:
    """A stretch compressed once more, or another exposure from a frame on; beside cuts of `frame_order`."""
    crops = list(crops)
    start = int(rng.integers(1, len(crops) - 3))
    end = int(rng.integers(start + 3, len(crops) + 1))
    if rng.random() < 0.5:
        crops[start:end] = compressed(crops[start:end], int(rng.integers(20, 41)), 24)
        return crops
    gain, lift = np.exp(rng.normal(0, 0.15)), rng.normal(0, 8)
    fade = int(rng.integers(1, 4))
    for i in range(start, end):
        share = min(1.0, (i - start + 1) / fade)
        out = crops[i].astype(np.float32) * np.float32(1 + share * (gain - 1)) + np.float32(share * lift)
        crops[i] = np.clip(out, 0, 255).astype(np.uint8)
    return crops
