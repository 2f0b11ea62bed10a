"""Krippendorff's alpha: agreement of reviewers beyond chance, for categories without an order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DRAWS = 2000
_SEED = 20111  # so that the same reviews give the same interval
LEAST = 5  # units below which no interval is stated


@dataclass(frozen=True)
class Reliability:
    """Krippendorff's alpha of ``units`` judged by two or more; None if all judgements are the same.

    ``share`` is the share of agreeing pairs; ``low`` and ``high`` are the 95 % bootstrap interval of alpha,
    None for too few units.
    """

    units: int
    share: float | None
    alpha: float | None
    low: float | None = None
    high: float | None = None


def reliability(units: Iterable[Sequence[str]]) -> Reliability:
    """Return the reliability of units, each a list of values; units with fewer than two are ignored."""
    kinds = Counter(tuple(sorted(unit)) for unit in units if len(unit) > 1)
    if not kinds:
        return Reliability(0, None, None)
    values = sorted({value for kind in kinds for value in kind})
    counts = np.array(list(kinds.values()), np.float64)
    tables = np.array([_coincidences(kind, values) for kind in kinds])
    share = float(_agreeing((counts @ tables.reshape(len(kinds), -1)).reshape(1, len(values), -1))[0])
    alpha = _alphas(counts[None], tables)[0]
    total = int(counts.sum())
    if np.isnan(alpha):
        return Reliability(total, share, None)
    low = high = None
    if total >= LEAST:
        drawn = np.random.default_rng(_SEED).multinomial(total, counts / counts.sum(), size=_DRAWS)
        alphas = _alphas(drawn.astype(np.float64), tables)
        # Draws in which all say the same show full agreement.
        low, high = (float(limit) for limit in np.percentile(np.nan_to_num(alphas, nan=1.0), (2.5, 97.5)))
    return Reliability(total, share, float(alpha), low, high)


def _coincidences(unit: Sequence[str], values: Sequence[str]) -> NDArray[np.float64]:
    """Count the pairs of a unit's values, (k, k), weighted by one over the number of values minus one."""
    counts_ = np.array([unit.count(value) for value in values], np.float64)
    return (np.outer(counts_, counts_) - np.diag(counts_)) / (len(unit) - 1)


def _agreeing(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    agreeing = np.trace(tables, axis1=1, axis2=2) / tables.sum(axis=(1, 2))
    return np.asarray(agreeing, np.float64)


def _alphas(counts: NDArray[np.float64], tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return alpha for each row of ``counts`` of kinds of units; NaN where it is not defined."""
    pairs = np.tensordot(counts, tables, axes=1)  # (n, k, k)
    totals = pairs.sum(axis=2)  # (n, k): how often each value was given
    total = totals.sum(axis=1)
    expected = 1 - (totals * (totals - 1)).sum(axis=1) / (total * (total - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        alphas = 1 - (1 - _agreeing(pairs)) / expected
    return np.where(expected > 0, alphas, np.nan)
