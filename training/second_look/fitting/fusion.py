"""Fit the fusion of the scan and the second look."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import ndtr
from sklearn.linear_model import LogisticRegression

from detector.models.card import FUSION_INPUTS, Contrast, FusionHalf
from detector.schema.model import Platt
from detector.scoring.fusion import Floats, Fusion, Half, standardise

_MARGIN = 1.1  # on the largest measured disagreement of both networks
_SMOOTHING = 0.4  # logits
_FAR = 8.0  # logits; a clip without a face has an infinite one
Flags = NDArray[np.bool_]

# Columns of FUSION_INPUTS: scan and inner face; windows
_ALTERED, _SYNTHESISED = (0, 1), (4,)
# The scan hardly recognises unknown generators, the inner face's head does.
_PROPORTIONS = (1.0, 1.5)  # of _ALTERED
WITHIN = 0.75
CONTRAST = Contrast(least=2.8, gain=2.0)


def half_of_card(half: Half) -> FusionHalf:
    """Return the constants of a half for a card."""
    return FusionHalf(
        inputs=tuple(FUSION_INPUTS[column] for column in half.columns),
        centre=tuple(half.centre.tolist()),
        spread=tuple(half.spread.tolist()),
        weight=tuple(half.weight.tolist()),
        bias=half.bias,
    )


def fit_half(
    columns: tuple[int, ...],
    inputs: Floats,
    fake: Flags,
    ridge: float = 0.05,
    proportions: tuple[float, ...] | None = None,
) -> Half:
    """Fit a logistic regression with weights ≥ 0, drawn towards equal ones, to ``columns`` of inputs (n, 5).

    Classes have equal weight. With ``proportions`` only one strength is fitted. Inputs are standardised
    around the unmanipulated clips; the regression calibrates at the same time.
    """
    chosen = inputs[:, columns]
    centre, spread = chosen[~fake].mean(axis=0), chosen.std(axis=0) + 1e-6
    z = standardise(chosen, centre, spread)
    sign = np.where(fake, 1.0, -1.0)
    share = np.where(fake, 0.5 / fake.sum(), 0.5 / (~fake).sum())
    # From what is fitted to the weights.
    weights_of = (
        np.eye(len(columns)) if proportions is None else np.array([proportions]).T / np.mean(proportions)
    )

    def loss(p: Floats) -> float:
        weight = weights_of @ p[:-1]
        margin = sign * (z @ weight + p[-1])
        unequal, large = ((p[:-1] - p[:-1].mean()) ** 2).sum(), (weight**2).sum()
        return float((share * np.logaddexp(0, -margin)).sum() + ridge * unequal + 0.2 * ridge * large)

    fitted = weights_of.shape[1]
    bounds = [(0, None)] * fitted + [(None, None)]
    solution = minimize(loss, np.full(fitted + 1, 0.5), bounds=bounds, method="L-BFGS-B")
    return Half(columns, centre, spread, weights_of @ solution.x[:-1], float(solution.x[-1]))


def fit(inputs: Floats, fake: Flags, talking: Flags) -> Fusion:
    """Fit both halves on clips; ``talking`` flags those whose whole face is generated.

    Each half is fitted on all unmanipulated clips and the manipulated ones it is about.
    """
    about, others = ~fake | talking, ~fake | ~talking
    altered = fit_half(_ALTERED, inputs[others], fake[others], proportions=_PROPORTIONS)
    synthesised = fit_half(_SYNTHESISED, inputs[about], fake[about], ridge=0.0)
    return Fusion(altered, synthesised, contrast=CONTRAST, within=WITHIN)


@dataclass(frozen=True)
class SynthesisLevels:
    """Levels of what windows say, over unmanipulated stills of pages that were left out.

    At most a given share of each kind of footage exceeds ``limit``; half of all exceed ``median``.
    """

    limit: float
    median: float


def aligned(formula: Fusion, limit: float, median: float, levels: SynthesisLevels) -> Fusion:
    """Return ``formula`` with both halves 0 at their thresholds.

    ``limit`` and ``median`` are the threshold of the altered half and its median over unmanipulated clips.
    The other half takes the unit of the first: both medians lie equally far below 0, so that neither half
    decides about faces that neither flags.
    """
    altered = replace(formula.altered, bias=formula.altered.bias - limit)
    one = np.ones(1)
    synthesised = Half(
        _SYNTHESISED, levels.limit * one, (levels.limit - levels.median) * one, (limit - median) * one, 0.0
    )
    return replace(formula, altered=altered, synthesised=synthesised)


def agreement(formula: Fusion, inputs: Floats) -> float:
    """Return how far both networks may disagree: a tenth more than on any of the ``inputs`` (n, 5)."""
    return _MARGIN * float(np.abs(formula.apart(inputs)).max())


def platt(scores: Floats, fake: Flags) -> Platt:
    """Fit a logistic regression of the label to ``scores``, with equal weight of both classes."""
    model = LogisticRegression(C=10.0, class_weight="balanced")
    model.fit(np.clip(scores, -_FAR, _FAR)[:, None], fake)
    return Platt(scale=float(model.coef_[0, 0]), offset=float(model.intercept_[0]))


def threshold_for(scores: Floats, fake: Flags, flagged: float) -> float:
    """Return the lowest threshold that flags at most the share ``flagged`` of the unmanipulated clips.

    It lies halfway to the next score below, so that it does not depend on one clip.
    """
    real = np.sort(scores[~fake])[::-1]
    allowed = int(np.floor(flagged * len(real)))
    above = real[allowed - 1] if allowed else real[0] + 1.0
    return float((max(real[allowed], above - 2.0) + above) / 2)


def smooth_threshold_for(scores: Floats, fake: Flags, flagged: float) -> float:
    """Return the threshold that flags the share ``flagged`` of unmanipulated pictures like these.

    Each score represents a normal distribution around it, so that neither a cluster just below the threshold
    nor a single score far above it decides.
    """
    real = scores[~fake]

    def excess(threshold: float) -> float:
        return float(ndtr((real - threshold) / _SMOOTHING).mean()) - flagged

    least, most = float(real.min()) - _FAR, float(real.max()) + _FAR
    return float(brentq(excess, least, most))
