"""Turn scores into likelihood ratios and measure how good these are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from detector.schema.analysis import MediaKind
from detector.schema.formatting import N_
from detector.schema.laboratory import PROBABILITY_EDGE, LikelihoodRatios, LrSystem, PavStep, TippettPoint
from detector.schema.model import Platt
from detector.schema.scores import sigmoid
from detector.statistics.metrics import Scored, fit_platt

Floats = NDArray[np.float64]

LEAST_OF_A_CLASS = 10  # fewer show nothing of a ratio
ODDS = np.round(np.arange(-3.0, 3.01, 0.1), 1)  # log10 of prior odds
_FOLDS = 20
_MOST_POINTS = 120
_LOG10 = float(np.log(10))


@dataclass(frozen=True)
class _Labelled:
    """Log odds (n,), which are manipulated (n,), and groups (n,)."""

    scores: Floats
    manipulated: NDArray[np.bool_]
    groups: NDArray[np.int_]

    def only(self, chosen: NDArray[np.bool_]) -> _Labelled:
        return _Labelled(self.scores[chosen], self.manipulated[chosen], self.groups[chosen])

    @property
    def counts(self) -> tuple[int, int]:
        """Manipulated and unmanipulated ones."""
        return int(self.manipulated.sum()), int((~self.manipulated).sum())


def log_odds(probabilities: Floats) -> Floats:
    """Natural log of the odds; 0 and 1 are drawn in by a millionth."""
    inside = np.clip(probabilities, PROBABILITY_EDGE, 1 - PROBABILITY_EDGE)
    odds: Floats = np.log(inside / (1 - inside))
    return odds


def likelihood_ratios(kind: MediaKind, scored: Scored) -> LikelihoodRatios | None:
    """Ratios and their measures; None for fewer than :data:`LEAST_OF_A_CLASS` of either class.

    None as well where one group holds all of a class (:func:`of_one_group`): ratios of its files cannot be
    tried on a fit that they had no part in, and ratios that were not tried are not stated.
    """
    data = _Labelled(log_odds(scored.probabilities), scored.labels == 1, scored.groups)
    fakes, reals = data.counts
    if min(fakes, reals) < LEAST_OF_A_CLASS or of_one_group(scored):
        return None
    of_fakes, of_reals = (len(np.unique(data.groups[data.manipulated == label])) for label in (True, False))
    bounds = (-float(np.log10(of_fakes + 1)), float(np.log10(of_reals + 1)))
    platt = _platt(data)
    best = _pav_ratios(data, data.scores)
    # Bounded as it is stated, but for the cost of the order alone, which has no file too few.
    systems = (
        _system(N_("as published"), N_("probabilities as the model states them, at even prior odds"),
                data.scores / _LOG10, data),
        _system("Platt", N_("logistic regression on other groups"),
                np.clip(_left_out(data, _platt_at), *bounds), data),
        _system("PAV", N_("isotonic regression on other groups"),
                np.clip(_left_out(data, _pav_ratios), *bounds), data),
    )  # fmt: skip
    return LikelihoodRatios(
        kind=kind,
        manipulated=fakes,
        unmanipulated=reals,
        groups=len(np.unique(data.groups)),
        platt=platt,
        pav=_steps(data, bounds),
        least=round(bounds[0], 3),
        most=round(bounds[1], 3),
        cllr_min=round(cllr(best, data.manipulated), 4),
        systems=systems,
        ece_odds=tuple(ODDS.tolist()),
        ece_neutral=_entropies(np.zeros_like(best), data.manipulated),
        ece_best=_entropies(best, data.manipulated),
    )


def of_one_group(scored: Scored) -> bool:
    """Whether all of a class belong to one group; there must be some of either."""
    return any(len(np.unique(scored.groups[scored.labels == label])) == 1 for label in (0, 1))


def cllr(log10_ratios: Floats, manipulated: NDArray[np.bool_]) -> float:
    """Log-likelihood-ratio cost of ratios (n,), given as log10."""
    natural = log10_ratios * _LOG10
    of_fakes = np.logaddexp(0, -natural[manipulated]).mean()
    of_reals = np.logaddexp(0, natural[~manipulated]).mean()
    return float((of_fakes + of_reals) / 2 / np.log(2))


def _platt(data: _Labelled) -> Platt:
    """Log ratio (natural) of a score: the posterior's log odds without the prior of the material."""
    fitted = fit_platt(data.manipulated, data.scores)
    fakes, reals = data.counts
    return Platt(scale=fitted.scale, offset=round(fitted.offset - float(np.log(fakes / reals)), 4))


def _platt_at(data: _Labelled, scores: Floats) -> Floats:
    fitted = _platt(data)
    ratios: Floats = (fitted.scale * scores + fitted.offset) / _LOG10
    return ratios


def _pav_ratios(data: _Labelled, scores: Floats) -> Floats:
    """log10 of the ratios at ``scores``; both classes count alike, and no ratio is quite without limit."""
    fakes, reals = data.counts
    weights = np.where(data.manipulated, 1 / fakes, 1 / reals)
    fit = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    fit.fit(data.scores, data.manipulated.astype(np.float64), sample_weight=weights)
    posterior = np.clip(fit.predict(scores), 1e-9, 1 - 1e-9)
    ratios: Floats = np.log10(posterior / (1 - posterior))
    return ratios


def _left_out(data: _Labelled, ratios_at: object) -> Floats:
    """Ratios of each group by a fit to the others."""
    assert callable(ratios_at)
    folds = _folds(data)
    found = np.empty(len(data.scores))
    for fold in np.unique(folds):
        held = folds == fold
        found[held] = ratios_at(data.only(~held), data.scores[held])
    return found


def _folds(data: _Labelled) -> NDArray[np.int_]:
    """The part (n,) that each file is left out with: groups are dealt to at most twenty.

    Groups of one class alone are dealt one after another, so no part holds all of a class that several have.
    """
    _, numbers = np.unique(data.groups, return_inverse=True)
    has_fakes, has_reals = (
        np.bincount(numbers, of_class, numbers.max() + 1) > 0
        for of_class in (data.manipulated, ~data.manipulated)
    )
    in_turn = np.argsort(has_reals.astype(int) - has_fakes.astype(int), kind="stable")
    place = np.argsort(in_turn)
    folds: NDArray[np.int_] = (place % min(_FOLDS, len(place)))[numbers]
    return folds


def _system(name: str, made: str, ratios: Floats, data: _Labelled) -> LrSystem:
    fakes, reals = ratios[data.manipulated], ratios[~data.manipulated]
    return LrSystem(
        name=name,
        made=made,
        cllr=round(cllr(ratios, data.manipulated), 4),
        misleading_manipulated=round(float((fakes < 0).mean()), 4),
        misleading_unmanipulated=round(float((reals > 0).mean()), 4),
        tippett=_tippett(fakes, reals),
        ece=_entropies(ratios, data.manipulated),
    )


def _tippett(fakes: Floats, reals: Floats) -> tuple[TippettPoint, ...]:
    """Both shares at every ratio that occurs, or at some of them where there are many."""
    levels = np.unique(np.concatenate([fakes, reals]))
    if len(levels) > _MOST_POINTS:
        levels = levels[np.linspace(0, len(levels) - 1, _MOST_POINTS).round().astype(int)]
    return tuple(
        TippettPoint(
            log10_lr=round(float(level), 4),
            manipulated=round(float((fakes >= level).mean()), 4),
            unmanipulated=round(float((reals >= level).mean()), 4),
        )
        for level in levels
    )


def _entropies(ratios: Floats, manipulated: NDArray[np.bool_]) -> tuple[float, ...]:
    """Empirical cross-entropy, bits, at each of :data:`ODDS`."""
    found = []
    for odds in ODDS * _LOG10:
        prior = sigmoid(odds)
        of_fakes = np.logaddexp(0, -(ratios[manipulated] * _LOG10 + odds)).mean()
        of_reals = np.logaddexp(0, ratios[~manipulated] * _LOG10 + odds).mean()
        found.append(round(float((prior * of_fakes + (1 - prior) * of_reals) / np.log(2)), 5))
    return tuple(found)


def _steps(data: _Labelled, bounds: tuple[float, float]) -> tuple[PavStep, ...]:
    """Where the fitted ratio rises, in order."""
    levels = np.unique(data.scores)
    ratios = np.clip(_pav_ratios(data, levels), *bounds)
    steps: list[PavStep] = []
    for score, ratio in zip(levels, ratios, strict=True):
        value = round(float(ratio), 3)
        if not steps or value > steps[-1].log10_lr:
            steps.append(PavStep(probability=round(sigmoid(float(score)), 6), log10_lr=value))
    return tuple(steps)
