"""Error rates with 95 % intervals, for model cards and for a laboratory's validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from detector.schema.analysis import Rate
from detector.schema.formatting import N_
from detector.statistics.metrics import Scored, draws, interval

EXACT = N_("Clopper–Pearson, each taken as independent")
BOOTSTRAP = N_("bootstrap over sources")
# Chance only increases an error that is never negative, so resampled ones are biased upwards.
BOOTSTRAP_OF_ERROR = N_("bootstrap over sources, which leans high for this figure")


def clopper_pearson(events: float, items: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share (Clopper and Pearson, 1934).

    ``events`` may be a fraction if ``items`` is an effective sample size (Korn and Graubard, 1998).
    """
    tail = (1 - 0.95) / 2
    low = 0.0 if events == 0 else float(beta.ppf(tail, events, items - events + 1))
    high = 1.0 if events == items else float(beta.ppf(1 - tail, events + 1, items - events))
    return low, high


def counted_rate(
    figure: str, events: int, items: int, *, data: str, unit: str, groups: int | None, note: str
) -> Rate:
    """Return the rate of ``events`` among ``items`` with its Clopper–Pearson interval."""
    low, high = clopper_pearson(events, items)
    return Rate(
        figure=figure,
        data=data,
        value=round(events / items, 4),
        low=round(low, 4),
        high=round(high, 4),
        interval=EXACT,
        items=items,
        unit=unit,
        events=events,
        groups=groups,
        note=note,
    )


WIDER = N_("the wider of Clopper–Pearson and bootstrap, both over sources, at either end")
Selection = NDArray[np.bool_]
_Ends = tuple[float | None, float | None]


@dataclass(frozen=True)
class Share:
    """How many items of a class were judged wrongly, and the 95 % interval of their share."""

    events: int
    items: int
    low: float
    high: float
    made: str  # method of the interval

    @property
    def value(self) -> float:
        return round(self.events / self.items, 4)


def wrong_shares(scored: Scored, of_class: Selection, wrong: Selection) -> list[Share]:
    """Return the share of ``wrong`` items (n, t) in a class (n,), t times, each with its interval.

    Intervals are exact if every file is a group of its own. If files depend on one another, each end is the
    wider one of a bootstrap over groups and an exact interval with as many files as groups (an effective
    sample size, Korn and Graubard, 1998): few groups can agree by chance, and each may be entirely right or
    wrong.
    """
    items, events = int(of_class.sum()), wrong[of_class].sum(axis=0)
    groups = len(np.unique(scored.groups[of_class]))
    method = WIDER if groups < items else EXACT
    exact = [clopper_pearson(count * groups / items, groups) for count in events]
    resampled: list[_Ends] = [(None, None)] * len(events)
    if method == WIDER:
        resampled = _drawn(scored.groups, of_class, wrong)
    results = []
    for count, (low, high), (drawn_low, drawn_high) in zip(events.tolist(), exact, resampled, strict=True):
        if drawn_low is not None and drawn_high is not None:
            low, high = min(low, drawn_low), max(high, drawn_high)
        results.append(Share(count, items, round(low, 4), round(high, 4), method))
    return results


def _drawn(groups: NDArray[np.int_], of_class: Selection, wrong: Selection) -> list[_Ends]:
    """Return intervals of each share over draws of groups."""
    inside = groups[of_class]
    size = int(groups.max()) + 1
    items = np.bincount(inside, minlength=size)
    events = np.stack([np.bincount(inside, column, size) for column in wrong[of_class].T], axis=1)
    with np.errstate(invalid="ignore"):  # draws without any item of the class
        shares = np.concatenate([(times @ events) / (times @ items)[:, None] for times in draws(groups)])
    return [interval(column) for column in shares.T]
