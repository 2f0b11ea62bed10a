"""Linear classifiers on frozen features: weights of examples, and a regression that levels pages.

Features tell pages apart as easily as classes. So a regression is penalised not only for long weights but
also for how far the means of pages of one class lie apart (as within-class covariance normalisation does for
speakers, Hatch et al. 2006).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from training.unseen.samples import Sample

CLIPPED = 8.0  # standard deviations, as in the network
_TOTAL = 5000.0  # sum of the weights of examples
_ROUNDS = 300

Features = NDArray[np.float32]
Floats = NDArray[np.float64]


def example_weights(samples: Sequence[Sample]) -> Floats:
    """Return weights (n,), 1 in all: both classes alike, a page by the root of its number of clips."""
    frames = Counter(sample.file for sample in samples)
    clips = Counter(page for page, _ in {((s.origin, s.fake), s.file) for s in samples})
    weights = np.array([clips[s.origin, s.fake] ** -0.5 / frames[s.file] for s in samples])
    fake = np.array([sample.fake for sample in samples])
    for label in (fake, ~fake):
        if label.any():
            weights[label] *= 0.5 / weights[label].sum()
    return weights / weights.sum()


class Standardisation:
    """Centre and spread (f,) of features, and clipping, as the network's heads read them."""

    def __init__(self, features: Features) -> None:
        self.centre = features.mean(axis=0)
        self.spread = features.std(axis=0) + 1e-3

    def __call__(self, features: Features) -> Features:
        out: Features = np.clip((features - self.centre) / self.spread, -CLIPPED, CLIPPED)
        return out


def regression(
    features: Features,
    labels: NDArray[np.bool_],
    weights: Floats,
    strength: float,
    levelled: Sequence[str] = (),
    levelling: float = 0.0,
) -> tuple[Features, float]:
    """Fit a logistic regression to ``features`` (n, f); return weights (f,) and bias.

    ``strength`` is C where ``weights`` (n,) add up to 5,000. The squared distances of the mean logits of
    pages from that of their class are penalised by ``levelling``; ``levelled`` are the pages of the first
    examples.
    """
    # With fewer examples than features it is fitted to their coordinates in the space that they span.
    wide = features.astype(np.float64)
    values, vectors = np.linalg.eigh(wide @ wide.T)
    kept = values > 1e-6 * values[-1]
    roots = np.sqrt(values[kept])
    coordinates = vectors[:, kept] * roots
    apart = _deviations(coordinates, labels, levelled) if levelling else coordinates[:0]
    scaled, sign = weights * _TOTAL / weights.sum(), np.where(labels, 1.0, -1.0)

    def loss(p: Floats) -> tuple[float, Floats]:
        along, margin = p[:-1], sign * (coordinates @ p[:-1] + p[-1])
        off = apart @ along
        value = (scaled * np.logaddexp(0, -margin)).sum()
        value += (along**2).sum() / (2 * strength) + levelling * _TOTAL * (off**2).sum() / 2
        slope = -sign * scaled * expit(-margin)
        gradient = coordinates.T @ slope + along / strength + levelling * _TOTAL * (apart.T @ off)
        return float(value), np.append(gradient, slope.sum())

    start = np.zeros(coordinates.shape[1] + 1)
    solution = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ROUNDS}).x
    weight = wide.T @ (vectors[:, kept] @ (solution[:-1] / roots))
    return weight.astype(np.float32), float(solution[-1])


def _deviations(coordinates: Floats, labels: NDArray[np.bool_], pages: Sequence[str]) -> Floats:
    """Return the distance of each page's mean (k, d) from its class's, by the root of its class's pages."""
    rows: dict[tuple[bool, str], list[int]] = defaultdict(list)
    for row, (page, label) in enumerate(zip(pages, labels.tolist(), strict=False)):
        rows[label, page].append(row)
    means = {key: coordinates[of_page].mean(axis=0) for key, of_page in rows.items()}
    count = Counter(label for label, _ in rows)
    centres = {
        label: np.mean([mean for (own, _), mean in means.items() if own is label], axis=0) for label in count
    }
    return np.array([(mean - centres[label]) * count[label] ** -0.5 for (label, _), mean in means.items()])
