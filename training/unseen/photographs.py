"""Heads for photographs, and how well they tell generators and sources that were left out.

A studio portrait of a plain background and even light must not be the sign of a generated one: real ones of
many sources are learned from, and frames of videos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from detector.scoring.fusion import Fusion
from training.unseen.families import PORTRAIT, REAL
from training.unseen.features import FeatureSet
from training.unseen.heads import LinearHead
from training.unseen.linear import Standardisation, example_weights, regression
from training.unseen.pages import auc, threshold
from training.unseen.samples import Sample

STRENGTH = 3e-3
"""C of the regressions, for weights that add up to 5,000."""
FOOTAGE_SHARE = 0.4
"""Of the weight, of stills of videos."""
GENERATORS = (
    ("StyleGAN1",),
    ("StyleGAN2",),
    ("FLUX with LoRA", "InfiniteYou"),
    ("Kolors", "SDXL", "Midjourney", "GPT-4o"),
)
"""Generators that are left out together."""
_SOURCE_FOLDS = 5
_FAR = 200.0  # sum of the windows' logits


@dataclass(frozen=True)
class Pictures:
    """What the head of one window is fitted on."""

    photographs: FeatureSet
    footage: FeatureSet

    def learnable(self, outside: Callable[[Sample], bool] = lambda sample: False) -> Pictures:
        """Return those of role ``train`` that are not ``outside`` and not composed of photographs."""

        def kept(of: FeatureSet) -> FeatureSet:
            return of.of(np.array([_is_learnt(s) and not outside(s) for s in of.samples]))

        return Pictures(kept(self.photographs), kept(self.footage))


def _is_learnt(sample: Sample) -> bool:
    photograph = sample.source not in ("native", "clips")
    return sample.role == "train" and (not photograph or sample.kind in (REAL, PORTRAIT))


def source_of(sample: Sample) -> str:
    """Return where an unmanipulated photograph is from."""
    if sample.source == "stills":
        return sample.group.rsplit("-", 1)[0]
    return sample.origin if sample.source == "photos2" else sample.source


def generated_head(pictures: Pictures) -> LinearHead:
    """Fit the head of one window of photographs."""
    photographs = pictures.photographs
    features = np.concatenate([photographs.features, pictures.footage.features])
    labels = np.array([s.fake for s in (*photographs.samples, *pictures.footage.samples)])
    weights = np.concatenate(
        [
            (1 - FOOTAGE_SHARE) * _weights(photographs.samples),
            FOOTAGE_SHARE * example_weights(pictures.footage.samples),
        ]
    )
    standardisation = Standardisation(photographs.features)
    weight, bias = regression(standardisation(features), labels, weights, STRENGTH)
    head = LinearHead(weight, bias, standardisation.centre, standardisation.spread)
    return head.standardised(photographs.features[~labels[: len(photographs)]])


class LeftOut(NamedTuple):
    """Generators that were left out, told from photographs of sources that were left out as well.

    ``flagged`` and ``found`` are the shares of unmanipulated and of their own pictures that reach the shipped
    threshold, ``pictures`` is the number of their pictures. ``reached`` are the counts of judgements,
    unmanipulated and their own, that reach each limit; ``judged`` those of all judgements.
    """

    names: str
    auc: float
    found_at_five: float
    flagged: float
    found: float
    pictures: int
    judged: NDArray[np.int64]
    reached: NDArray[np.int64]


def left_out(windows: Sequence[Pictures], limits: Sequence[float]) -> Iterator[LeftOut]:
    """Measure each row of :data:`GENERATORS`, on pictures of every role but ``test``.

    ``limits`` are sums of the windows' logits, the first that from which a picture is flagged. Each fifth of
    the sources in turn is left out; figures are averaged by its number of photographs. So each unmanipulated
    picture is judged once for each row, and each manipulated one five times.
    """
    limit = limits[0]
    samples = windows[0].photographs.samples
    shown = np.array([sample.role != "test" for sample in samples])
    folds = _source_folds([s for s, keep in zip(samples, shown, strict=True) if keep and not s.fake])
    for names in GENERATORS:
        fake = shown & np.array([sample.family in names for sample in samples])
        figures, counts = [], []
        judged, reached = np.zeros(2, np.int64), np.zeros((len(limits), 2), np.int64)
        for fold in range(_SOURCE_FOLDS):
            outside = _outside(names, folds, fold)
            total = sum(
                generated_head(of_window.learnable(outside))(of_window.photographs.features)
                for of_window in windows
            )
            scores = np.asarray(total, np.float64)
            real = shown & np.array([not s.fake and folds.get(source_of(s)) == fold for s in samples])
            figures.append(
                (
                    auc(scores[fake], scores[real]),
                    (scores[fake] > threshold(scores[real], 0.05)).mean(),
                    (scores[real] >= limit).mean(),
                    (scores[fake] >= limit).mean(),
                )
            )
            counts.append(int(real.sum()))
            judged += real.sum(), fake.sum()
            reached += [[(scores[of] >= least).sum() for of in (real, fake)] for least in limits]
        area, at_five, flagged, found = np.average(figures, axis=0, weights=counts).tolist()
        yield LeftOut(", ".join(names), area, at_five, flagged, found, int(fake.sum()), judged, reached)


def synthesised_limit(formula: Fusion, enter: float) -> float:
    """Return the sum of the windows' logits at which a photograph's *synthesised* half reaches ``enter``."""
    (column,) = formula.synthesised.columns

    def over(logit: float) -> float:
        inputs = formula.neutral[None].copy()
        inputs[0, column] = logit
        return float(formula.halves(inputs)[1][0]) - enter

    return float(brentq(over, -_FAR, _FAR))


def _outside(names: Sequence[str], folds: dict[str, int], fold: int) -> Callable[[Sample], bool]:
    def outside(sample: Sample) -> bool:
        photograph = sample.source not in ("native", "clips")
        return sample.family in names or (
            photograph and sample.family == REAL and folds.get(source_of(sample)) == fold
        )

    return outside


def _source_folds(samples: Sequence[Sample]) -> dict[str, int]:
    """Return the fold of each source; larger ones first, each where fewest photographs are."""
    total = [0] * _SOURCE_FOLDS
    folds = {}
    for source, count in sorted(Counter(map(source_of, samples)).items(), key=lambda row: (-row[1], row[0])):
        folds[source] = int(np.argmin(total))
        total[folds[source]] += count
    return folds


def _weights(samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Return weights (n,), 1 in sum, half per class; families and sources weigh by the root of their size."""
    fake = np.array([sample.fake for sample in samples])
    keys = [(s.fake, s.family if s.fake else source_of(s)) for s in samples]
    counts = Counter(keys)
    weights = np.array([counts[key] ** -0.5 for key in keys])
    for label in (fake, ~fake):
        weights[label] *= 0.5 / weights[label].sum()
    return weights
