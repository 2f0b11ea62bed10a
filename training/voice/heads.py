"""Fit the linear head on pooled cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from training.voice.cells import Cells
from training.voice.recordings import Recording, balanced_weights

Floats = NDArray[np.float64]
STRENGTH = 3e-4
"""Inverse of the head's regularisation, on standardised features; chosen by pages left out."""
PAGES = 0.01
"""Weight of the penalty on directions in which pages differ, on standardised features; chosen likewise."""
SHIFTS = 0.03
"""The same for directions in which channels move the features."""
_ROUNDS = 300


@dataclass(frozen=True)
class Head:
    """A linear function of pooled cells."""

    weight: Floats
    bias: float

    def __call__(self, features: NDArray[np.floating]) -> Floats:
        """Return the raw scores (n,) of features (n, 4848)."""
        scores: Floats = features @ self.weight + self.bias
        return scores


def fit_head(
    features: NDArray[np.floating],
    synthetic: NDArray[np.bool_],
    weights: Floats,
    pages: Sequence[str],
    shifts: NDArray[np.floating],
) -> Head:
    """Fit a logistic regression to features (n, 4848) from which their page's part was removed.

    That part is the midpoint between the means of a page's two classes, so that nothing is learned from the
    channel and speakers of a page. A page of one class stays as it is. Directions in which pages differ,
    and those of ``shifts`` (k, 4848), by which channels move features, cost more than others (within-class
    covariance normalisation; Hatch et al., 2006): a new page and a new channel differ in them as well.
    """
    scaler = StandardScaler().fit(features)
    scaled, of_page = scaler.transform(features), np.array(pages)
    middles = []
    for page in sorted(set(pages)):
        here = of_page == page
        sides = [scaled[here & (synthetic == side)] for side in (False, True)]
        middle = np.mean([side.mean(axis=0) for side in sides if len(side)], axis=0)
        middles.append(middle * here.sum() ** 0.25)
        if all(map(len, sides)):
            scaled[here] -= middle
    costly = [np.array(middles) * (PAGES / len(middles)) ** 0.5]
    if len(shifts):
        costly.append(shifts / scaler.scale_ * (SHIFTS / len(shifts)) ** 0.5)
    _, lengths, directions = np.linalg.svd(np.concatenate(costly), full_matrices=False)
    shortened = 1 - (1 + lengths**2) ** -0.5

    def penalised(rows: Floats) -> Floats:
        shorter: Floats = rows - ((rows @ directions.T) * shortened) @ directions
        return shorter

    model = LogisticRegression(C=STRENGTH, max_iter=_ROUNDS)
    model.fit(penalised(scaled), synthetic, sample_weight=weights)
    weight = penalised(model.coef_)[0] / scaler.scale_
    return Head(weight, float(model.intercept_[0] - weight @ scaler.mean_))


def fit_on(
    recordings: Sequence[Recording],
    conditions: Sequence[Mapping[str, Cells]],
    shifted: Sequence[Mapping[str, Cells]] = (),
) -> Head:
    """Fit on the pooled cells of ``recordings`` in several ``conditions``; the first is as published.

    Other conditions may lack recordings. A page is one in all conditions, so that the head learns to score
    speech alike in each. What the conditions ``shifted`` change in a page on average costs more.
    """
    present = [[r for r in recordings if r.name in cells] for cells in conditions]
    features = [cells[r.name].window() for cells, some in zip(conditions, present, strict=True) for r in some]
    return fit_head(
        np.stack(features),
        np.array([r.synthetic for some in present for r in some]),
        np.concatenate([balanced_weights(some) for some in present if some]),
        [r.page for some in present for r in some],
        np.array([*_shifts(recordings, conditions[0], shifted)]),
    )


def _shifts(
    recordings: Sequence[Recording], published: Mapping[str, Cells], shifted: Sequence[Mapping[str, Cells]]
) -> Iterator[Floats]:
    """Yield by how much each condition moves the features (4848,) of a page, times a weight of its size."""
    for cells in shifted:
        of_page: dict[str, list[Floats]] = {}
        for r in recordings:
            if r.name in cells:
                moved = cells[r.name].window() - published[r.name].window()
                of_page.setdefault(r.page, []).append(moved.astype(np.float64))
        for moves in of_page.values():
            yield np.mean(moves, axis=0) * len(moves) ** 0.25
