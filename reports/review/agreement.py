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
    """Alpha of ``units`` that two or more judged; None where all say the same, so that it is not defined.

    ``share`` is the share of pairs of judgements that agree; ``low`` and ``high`` the 95 % interval of alpha
    by drawing units anew (percentiles), None for too few units.
    """

    units: int
    share: float | None
    alpha: float | None
    low: float | None = None
    high: float | None = None


def reliability(units: Iterable[Sequence[str]]) -> Reliability:
    """Of units, each the values that it was given; those with fewer than two count for nothing."""
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
        found = _alphas(drawn.astype(np.float64), tables)
        # Draws in which all say the same show full agreement.
        low, high = (float(each) for each in np.percentile(np.nan_to_num(found, nan=1.0), (2.5, 97.5)))
    return Reliability(total, share, float(alpha), low, high)


def _coincidences(unit: Sequence[str], values: Sequence[str]) -> NDArray[np.float64]:
    """The pairs of a unit's values, (k, k), each weighted by one less than how many values there are."""
    given = np.array([unit.count(value) for value in values], np.float64)
    return (np.outer(given, given) - np.diag(given)) / (len(unit) - 1)


def _agreeing(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    agreeing = np.trace(tables, axis1=1, axis2=2) / tables.sum(axis=(1, 2))
    return np.asarray(agreeing, np.float64)


def _alphas(counts: NDArray[np.float64], tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Alpha for each row of ``counts``, how often each kind of unit occurs; NaN where it is not defined."""
    pairs = np.tensordot(counts, tables, axes=1)  # (n, k, k)
    totals = pairs.sum(axis=2)  # (n, k): how often each value was given
    all_ = totals.sum(axis=1)
    expected = 1 - (totals * (totals - 1)).sum(axis=1) / (all_ * (all_ - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 1 - (1 - _agreeing(pairs)) / expected
    return np.where(expected > 0, found, np.nan)
