"""Turn scores into likelihood ratios and measure how good these are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from detector.schema.formatting import N_
from detector.schema.laboratory import (
    PROBABILITY_EDGE,
    LikelihoodRatios,
    LrSystem,
    PavStep,
    Subject,
    TippettPoint,
)
from detector.schema.model import Platt
from detector.schema.scores import sigmoid
from detector.statistics.metrics import Scored, fit_platt

Floats = NDArray[np.float64]

LEAST_OF_A_CLASS = 10  # fewer items say nothing about a ratio
ODDS = np.round(np.arange(-3.0, 3.01, 0.1), 1)  # log10 of prior odds
_FOLDS = 20
_MOST_POINTS = 120
_LOG10 = float(np.log(10))


@dataclass(frozen=True)
class _Labelled:
    """Log odds (n,), whether each item is manipulated (n,), and its group (n,)."""

    scores: Floats
    manipulated: NDArray[np.bool_]
    groups: NDArray[np.int_]

    def only(self, chosen: NDArray[np.bool_]) -> _Labelled:
        return _Labelled(self.scores[chosen], self.manipulated[chosen], self.groups[chosen])

    @property
    def counts(self) -> tuple[int, int]:
        """The numbers of manipulated and unmanipulated items."""
        return int(self.manipulated.sum()), int((~self.manipulated).sum())


def log_odds(probabilities: Floats) -> Floats:
    """Return the natural log of the odds, with probabilities limited to a millionth from 0 and 1."""
    inside = np.clip(probabilities, PROBABILITY_EDGE, 1 - PROBABILITY_EDGE)
    odds: Floats = np.log(inside / (1 - inside))
    return odds


def likelihood_ratios(kind: Subject, scored: Scored) -> LikelihoodRatios | None:
    """Fit likelihood ratios and measure them; None if a class has too few items or a single group.

    The score is the log odds of the published probability. It becomes a ratio by logistic regression (Platt,
    1999) or by pool-adjacent-violators (PAV; Zadrozny and Elkan, 2002), measured on groups left out of the
    fit. Cllr is by Brümmer and du Preez (Computer Speech and Language 20, 2006), Cllr_min its value with PAV
    fitted to all items; empirical cross-entropy is by Ramos et al. (2013), Tippett plots by Evett and
    Buckleton (1996). The package ``lir`` of the Netherlands Forensic Institute is not used because it depends
    on pandas, KDEpy and optuna.

    No ratio is stated beyond what the number of groups can show: if no unmanipulated file of ``n`` groups
    scores as high, the share of such files is known no better than one in ``n + 1``; likewise below one.
    """
    data = _Labelled(log_odds(scored.probabilities), scored.labels == 1, scored.groups)
    fakes, reals = data.counts
    if min(fakes, reals) < LEAST_OF_A_CLASS or has_single_group_class(scored):
        return None
    of_fakes, of_reals = (len(np.unique(data.groups[data.manipulated == label])) for label in (True, False))
    bounds = (-float(np.log10(of_fakes + 1)), float(np.log10(of_reals + 1)))
    platt = _platt(data)
    best = _pav_ratios(data, data.scores)
    # Bounded as published, except for the cost of the ordering, which needs no minimum of files.
    systems = (
        _system(N_("as published"), N_("probabilities as the model states them, at even prior odds"),
                data.scores / _LOG10, data),
        _system("Platt", N_("logistic regression on other groups"),
                np.clip(_left_out(data, _platt_at), *bounds), data),
        _system("PAV", N_("isotonic regression on other groups"),
                np.clip(_left_out(data, _pav_ratios), *bounds), data),
    )  # fmt: skip
    levels = np.unique(data.scores)
    ratios = np.clip(_pav_ratios(data, levels), *bounds)
    steps: list[PavStep] = []
    for score, ratio in zip(levels, ratios, strict=True):
        value = round(float(ratio), 3)
        if not steps or value > steps[-1].log10_lr:
            steps.append(PavStep(probability=round(sigmoid(float(score)), 6), log10_lr=value))
    return LikelihoodRatios(
        kind=kind,
        manipulated=fakes,
        unmanipulated=reals,
        groups=len(np.unique(data.groups)),
        platt=platt,
        pav=tuple(steps),
        least=round(bounds[0], 3),
        most=round(bounds[1], 3),
        cllr_min=round(cllr(best, data.manipulated), 4),
        systems=systems,
        ece_odds=tuple(ODDS.tolist()),
        ece_neutral=_entropies(np.zeros_like(best), data.manipulated),
        ece_best=_entropies(best, data.manipulated),
    )


def has_single_group_class(scored: Scored) -> bool:
    """Check whether all items of a class belong to one group."""
    return any(len(np.unique(scored.groups[scored.labels == label])) == 1 for label in (0, 1))


def cllr(log10_ratios: Floats, manipulated: NDArray[np.bool_]) -> float:
    """Return the log-likelihood-ratio cost of log10 ratios (n,)."""
    natural = log10_ratios * _LOG10
    of_fakes = np.logaddexp(0, -natural[manipulated]).mean()
    of_reals = np.logaddexp(0, natural[~manipulated]).mean()
    return float((of_fakes + of_reals) / 2 / np.log(2))


def _platt(data: _Labelled) -> Platt:
    """Fit natural log ratios: the posterior's log odds without the prior of the material."""
    fitted = fit_platt(data.manipulated, data.scores)
    fakes, reals = data.counts
    return Platt(scale=fitted.scale, offset=round(fitted.offset - float(np.log(fakes / reals)), 4))


def _platt_at(data: _Labelled, scores: Floats) -> Floats:
    fitted = _platt(data)
    ratios: Floats = (fitted.scale * scores + fitted.offset) / _LOG10
    return ratios


def _pav_ratios(data: _Labelled, scores: Floats) -> Floats:
    """Return log10 ratios at ``scores``, fitted with equal class weights and kept finite."""
    fakes, reals = data.counts
    weights = np.where(data.manipulated, 1 / fakes, 1 / reals)
    fit = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    fit.fit(data.scores, data.manipulated.astype(np.float64), sample_weight=weights)
    posterior = np.clip(fit.predict(scores), 1e-9, 1 - 1e-9)
    ratios: Floats = np.log10(posterior / (1 - posterior))
    return ratios


def _left_out(data: _Labelled, ratios_at: object) -> Floats:
    """Return ratios of each fold by a fit to the others."""
    assert callable(ratios_at)
    folds = _folds(data)
    ratios = np.empty(len(data.scores))
    for fold in np.unique(folds):
        held = folds == fold
        ratios[held] = ratios_at(data.only(~held), data.scores[held])
    return ratios


def _folds(data: _Labelled) -> NDArray[np.int_]:
    """Return the fold (n,) in which each file is left out; groups are dealt to at most twenty folds.

    Groups with a single class are dealt one after another, so that no fold holds all groups of a class.
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
    levels = np.unique(np.concatenate([fakes, reals]))
    if len(levels) > _MOST_POINTS:
        levels = levels[np.linspace(0, len(levels) - 1, _MOST_POINTS).round().astype(int)]
    return LrSystem(
        name=name,
        made=made,
        cllr=round(cllr(ratios, data.manipulated), 4),
        misleading_manipulated=round(float((fakes < 0).mean()), 4),
        misleading_unmanipulated=round(float((reals > 0).mean()), 4),
        tippett=tuple(
            TippettPoint(
                log10_lr=round(float(level), 4),
                manipulated=round(float((fakes >= level).mean()), 4),
                unmanipulated=round(float((reals >= level).mean()), 4),
            )
            for level in levels
        ),
        ece=_entropies(ratios, data.manipulated),
    )


def _entropies(ratios: Floats, manipulated: NDArray[np.bool_]) -> tuple[float, ...]:
    """Return the empirical cross-entropy in bits at each of :data:`ODDS`."""
    entropies = []
    for odds in ODDS * _LOG10:
        prior = sigmoid(odds)
        of_fakes = np.logaddexp(0, -(ratios[manipulated] * _LOG10 + odds)).mean()
        of_reals = np.logaddexp(0, ratios[~manipulated] * _LOG10 + odds).mean()
        entropies.append(round(float((prior * of_fakes + (1 - prior) * of_reals) / np.log(2)), 5))
    return tuple(entropies)
