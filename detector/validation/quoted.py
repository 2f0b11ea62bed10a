"""The extract of a validation that reports quote, and a laboratory's own thresholds from its curves.

A threshold is on the published probability of an exhibit. It changes nothing of an analysis: reports state
what follows from it beside the verdict, which stays that of the thresholds it was made with.
"""

from __future__ import annotations

import hashlib
import math

from detector.errors import ParameterError
from detector.schema.laboratory.quoted import Laboratory, OwnThreshold
from detector.schema.laboratory.validation import Curve, CurvePoint, Validation
from detector.schema.translatable import N_
from detector.validation.rates import UNITS, rates_at


def quoted(validation: Validation, text: bytes, thresholds: tuple[OwnThreshold, ...] = ()) -> Laboratory:
    """What reports quote of ``validation``, the exact bytes of which are ``text``."""
    bare = {"tippett": (), "ece": ()}
    ratios = tuple(
        each.model_copy(
            update={
                "systems": tuple(system.model_copy(update=bare) for system in each.systems),
                "pav": (),
                "ece_odds": (),
                "ece_neutral": (),
                "ece_best": (),
            }
        )
        for each in validation.likelihood_ratios
    )
    return Laboratory(
        validation_sha256=hashlib.sha256(text).hexdigest(),
        title=validation.title,
        laboratory=validation.laboratory,
        created=validation.created,
        files=len(validation.items),
        model=validation.model,
        parameters=validation.parameters,
        source_sha256=validation.versions.source_sha256,
        levels=validation.levels,
        others=validation.others,
        joint=validation.joint,
        likelihood_ratios=ratios,
        covered=validation.covered,
        codecs=validation.codecs,
        limits=validation.limits,
        thresholds=thresholds,
    )


def by_false_positive_rate(validation: Validation, most: float) -> tuple[OwnThreshold, ...]:
    """For each kind the lowest threshold at which at most this share of unmanipulated files is flagged.

    Raises :class:`ParameterError` for a rate that is none, or that no threshold keeps to.
    """
    if not 0 <= most < 1:
        raise ParameterError(
            N_("A false positive rate of %(rate)s is none: name one from 0 to below 1.")
            % {"rate": f"{most:g}"}
        )
    rate = _percent(most)
    words = N_("a measured false positive rate of at most %(rate)s") % {"rate": rate}
    found = []
    for curve in _curves(validation):
        kept = [point for point in curve.points if point.false_positive_rate <= most]
        if not kept:
            raise ParameterError(
                N_(
                    "No threshold up to %(threshold)s keeps to a false positive rate of %(rate)s for "
                    "%(clips)s. Name a higher one."
                )
                % {
                    "threshold": f"{curve.points[-1].threshold:g}",
                    "rate": f"{most:g}",
                    "clips": UNITS[curve.kind],
                }
            )
        found.append(_own(validation, curve, kept[0], words))
    return tuple(found)


def by_cost(validation: Validation, cost: float, prior: float = 0.5) -> tuple[OwnThreshold, ...]:
    """For each kind the threshold of least expected cost; a false positive costs ``cost`` times as much.

    ``prior`` is the share of manipulated files among those to be expected. Of equally good thresholds the
    highest is taken. Raises :class:`~detector.errors.ParameterError` unless ``cost`` is finite and above 0,
    and ``prior`` between 0 and 1.
    """
    if not 0 < cost < math.inf or not 0 < prior < 1:
        raise ParameterError(
            N_("Name a finite cost above 0, and a share of manipulated files between 0 and 1.")
        )
    words = N_(
        "least cost, a false positive counting %(cost)s times a false negative and %(share)s of all exhibits "
        "being manipulated"
    ) % {"cost": f"{cost:g}", "share": _percent(prior)}

    def expected(point: CurvePoint) -> tuple[float, float]:
        wrong = cost * (1 - prior) * point.false_positive_rate + prior * point.false_negative_rate
        return round(wrong, 9), -point.threshold

    return tuple(
        _own(validation, curve, min(curve.points, key=expected), words) for curve in _curves(validation)
    )


def _percent(share: float) -> str:
    """As it was asked for, which no decimals are too many for."""
    return f"{100 * share:.10g} %"


def _curves(validation: Validation) -> tuple[Curve, ...]:
    if not validation.curves:
        raise ParameterError(N_("The validation has no curve: it needs judged files of both labels."))
    return validation.curves


def _own(validation: Validation, curve: Curve, point: CurvePoint, words: str) -> OwnThreshold:
    note = N_("the threshold was chosen on these files, so the rates flatter")
    false_positive, false_negative = rates_at(curve.kind, validation.items, point.threshold, note)
    return OwnThreshold(
        kind=curve.kind,
        threshold=point.threshold,
        shipped=validation.parameters.enter_threshold,
        by=words,
        false_positive=false_positive,
        false_negative=false_negative,
    )
