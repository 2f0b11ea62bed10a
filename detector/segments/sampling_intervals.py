"""Sampling intervals: which scores are of sampled frames, and how each 1/rate seconds counts once.

The first frame of each interval is sampled, and each that is shown for longer than one. That choice is made
while frames are read: ``frames`` in :mod:`detector.media.reader`, ahead of decoding in
:mod:`detector.media.stream.unreferenced`, of cameras in :mod:`detector.live.sources`. Here it is told of
times that were chosen, by functions over arrays, one entry a score; ``sampleOf`` in the desk's ``explore.js``
has it once more.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_ROUNDING = 1e-9  # of times, which are fractions stored as the nearest float


def sample_weights(times: Floats, rate: float) -> Floats:
    """The weight of each of ``times`` such that each 1/``rate`` seconds that has any weighs 1.

    So that where every frame is judged no more weight lies than where one of several was.
    """
    which, counts = numbered_intervals(times, rate)
    weights: Floats = 1 / counts[which]
    return weights


def mean_per_interval(times: Floats, values: Floats, rate: float) -> Floats:
    """The mean of ``values`` in each 1/``rate`` seconds that has any, in order of time."""
    which, counts = numbered_intervals(times, rate)
    means: Floats = np.bincount(which, values) / counts
    return means


def interval_index(times: Floats, rate: float) -> Floats:
    """The number of the 1/``rate`` seconds that each of ``times`` lies in, whose first frame is sampled."""
    numbers: Floats = np.floor(times * rate + _ROUNDING)
    return numbers


def is_sampled(times: Floats, rate: float) -> NDArray[np.bool_]:
    """(n,): which of the ``times`` of scores, in order, are of sampled frames.

    Those are the first of each 1/``rate`` seconds, and each that is shown for longer. Others are scored
    between two of them only.
    """
    sampled = np.zeros(len(times), np.bool_)
    sampled[np.unique(interval_index(times, rate), return_index=True)[1]] = True
    return sampled | is_held(times, rate)


def is_held(times: Floats, rate: float) -> NDArray[np.bool_]:
    """(n,): which of the ``times`` are over 1/``rate`` seconds before the next; the last, as far as known."""
    held = np.ones(len(times), np.bool_)
    held[:-1] = np.diff(times) > 1 / rate + _ROUNDING
    return held


def numbered_intervals(times: Floats, rate: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(n,): which of the intervals that have any of ``times`` each lies in, from 0; and how many each has."""
    numbers = interval_index(times, rate)
    _, which, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return which, counts


def seconds_sampled(first: float, last: float, rate: float) -> float:
    """How long samples from ``first`` to ``last`` last, the sampling interval of the last one included."""
    return (math.floor(last * rate + _ROUNDING) - math.floor(first * rate + _ROUNDING) + 1) / rate
