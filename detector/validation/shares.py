"""Shares of files judged wrongly, each with its 95 % interval.

Intervals are those of model cards (:mod:`detector.training.publish.error_rates`): exact where each file
stands for itself. Where several depend on one another, they are the wider ends of what is drawn over groups
and of an exact interval with as many files as there are groups (an effective sample size, as by Korn and
Graubard, 1998): few groups can agree by chance, and each may be wholly right or wholly wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.schema.translatable import N_
from detector.training.evaluation.figures.metrics import Scored, draws, interval
from detector.training.publish.error_rates import EXACT, clopper_pearson

WIDER = N_("the wider of Clopper–Pearson and bootstrap, both over sources, at either end")
Selection = NDArray[np.bool_]
_Ends = tuple[float | None, float | None]


@dataclass(frozen=True)
class Share:
    """How many of a class were judged wrongly, and the 95 % interval of their share."""

    events: int
    items: int
    low: float
    high: float
    made: str  # how the interval was

    @property
    def value(self) -> float:
        return round(self.events / self.items, 4)


def shares(scored: Scored, of_class: Selection, wrong: Selection) -> list[Share]:
    """The share of wrong ones (n, t) in a class (n,), t times.

    Groups are drawn as :func:`~detector.training.evaluation.figures.metrics.measure` draws them: all of them,
    with what they hold of either class.
    """
    items, events = int(of_class.sum()), wrong[of_class].sum(axis=0)
    groups = len(np.unique(scored.groups[of_class]))
    made = WIDER if groups < items else EXACT
    exact = [clopper_pearson(count * groups / items, groups) for count in events]
    drawn: list[_Ends] = [(None, None)] * len(events)
    if made == WIDER:
        drawn = _drawn(scored.groups, of_class, wrong)
    found = []
    for count, (low, high), (drawn_low, drawn_high) in zip(events.tolist(), exact, drawn, strict=True):
        if drawn_low is not None and drawn_high is not None:
            low, high = min(low, drawn_low), max(high, drawn_high)
        found.append(Share(count, items, round(low, 4), round(high, 4), made))
    return found


def _drawn(groups: NDArray[np.int_], of_class: Selection, wrong: Selection) -> list[_Ends]:
    """Intervals of each share over draws of groups."""
    inside = groups[of_class]
    size = int(groups.max()) + 1
    items = np.bincount(inside, minlength=size)
    events = np.stack([np.bincount(inside, column, size) for column in wrong[of_class].T], axis=1)
    with np.errstate(invalid="ignore"):  # draws without one of the class
        shares = np.concatenate([(times @ events) / (times @ items)[:, None] for times in draws(groups)])
    return [interval(column) for column in shares.T]
