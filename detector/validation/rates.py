"""Error rates of all items, of subgroups and of further models.

Own thresholds and the extract for reports.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from detector.errors import ParameterError
from detector.schema.analysis import MediaKind, Model, Rate, Verdict
from detector.schema.formatting import N_
from detector.schema.laboratory import (
    ByOther,
    ByRule,
    Curve,
    CurvePoint,
    Laboratory,
    Level,
    OtherValidated,
    Outcomes,
    OwnThreshold,
    SaidByOther,
    Validation,
    ValidationItem,
)
from detector.schema.method import JointRule
from detector.statistics.error_rates import BOOTSTRAP, BOOTSTRAP_OF_ERROR, Selection, Share, shares
from detector.statistics.metrics import Scored, measure
from detector.verdict.verdict import decided

THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(1, 100))
UNITS = {MediaKind.VIDEO: N_("clips"), MediaKind.IMAGE: N_("photographs")}
ALL = {MediaKind.VIDEO: N_("all clips"), MediaKind.IMAGE: N_("all photographs")}
_FIGURES = (N_("false positive rate"), N_("false negative rate"))
_MOST_VALUES = 40  # of a labelled attribute, each with a level of its own


@dataclass(frozen=True)
class Measure:
    """A measured property in classes; ``edges`` are where they part."""

    name: str
    unit: str
    edges: tuple[float, ...]
    kinds: tuple[MediaKind, ...]


_BOTH = (MediaKind.VIDEO, MediaKind.IMAGE)
MEASURES = (
    Measure("face width", "px", (48, 80, 120, 200), _BOTH),
    Measure("bits per pixel", "", (0.01, 0.03, 0.1), (MediaKind.VIDEO,)),
    Measure("JPEG quality", "", (50, 75, 90), (MediaKind.IMAGE,)),
)


def scored_items(items: Sequence[ValidationItem]) -> Scored:
    """Items that were given a probability; what was decided is the verdict."""
    judged = [each for each in items if each.probability is not None]
    probabilities = np.array([float(each.probability or 0.0) for each in judged])
    return Scored(
        np.array([int(each.manipulated) for each in judged], np.int_),
        probabilities,
        probabilities,
        np.array([each.group for each in judged], np.int_),
        np.array([each.verdict is Verdict.MANIPULATED for each in judged], np.bool_),
    )


def levels(items: Sequence[ValidationItem], threshold: float) -> tuple[Level, ...]:
    """Figures of each kind: over all of it, then by each attribute."""
    found = []
    for kind in _BOTH:
        of_kind = [each for each in items if each.kind is kind]
        if not of_kind:
            continue
        found.append(_level(kind, of_kind, threshold))
        found += _by_measure(kind, of_kind, threshold)
        reals = [each for each in of_kind if not each.manipulated]
        for generator in _values(each.generator for each in of_kind):
            made = [each for each in of_kind if each.generator == generator]
            found.append(_level(kind, [*reals, *made], threshold, "generator", generator))
        for name in _values(name for each in of_kind for name in each.attributes):
            for value in _values(each.attributes.get(name) for each in of_kind):
                some = [each for each in of_kind if each.attributes.get(name) == value]
                found.append(_level(kind, some, threshold, name, value))
    return tuple(found)


def curve(kind: MediaKind, items: Sequence[ValidationItem]) -> Curve | None:
    """Both rates at every hundredth; None where a class is missing."""
    scored = scored_items([each for each in items if each.kind is kind])
    if not scored.has_both:
        return None
    of_reals, of_fakes = (shares(scored, *wrong) for wrong in _wrong_by_threshold(scored, THRESHOLDS))
    points = map(_point, THRESHOLDS, of_reals, of_fakes)
    return Curve(
        kind=kind, manipulated=of_fakes[0].items, unmanipulated=of_reals[0].items, points=tuple(points)
    )


def rates_at(
    kind: MediaKind, items: Sequence[ValidationItem], threshold: float, note: str
) -> tuple[Rate, Rate]:
    """False positive and false negative rate if all of a kind from this probability on were flagged.

    There must be judged files of both labels.
    """
    scored = scored_items([each for each in items if each.kind is kind])
    both = [shares(scored, *wrong)[0] for wrong in _wrong_by_threshold(scored, (threshold,))]
    groups = len(np.unique(scored.groups))
    of_reals, of_fakes = (
        _rate(figure, share, kind, ALL[kind], groups).model_copy(
            update={"threshold": threshold, "note": note}
        )
        for figure, share in zip(_FIGURES, both, strict=True)
    )
    return of_reals, of_fakes


def class_of(measure_: Measure, value: float) -> tuple[float | None, float | None]:
    """The ends of the class that ``value`` falls into."""
    ends = (None, *measure_.edges, None)
    at = sum(value >= edge for edge in measure_.edges)
    return ends[at], ends[at + 1]


def _by_measure(kind: MediaKind, items: Sequence[ValidationItem], threshold: float) -> list[Level]:
    found = []
    for each in MEASURES:
        if kind not in each.kinds:
            continue
        known = [item for item in items if each.name in item.values]
        for ends in pairwise((None, *each.edges, None)):
            some = [item for item in known if class_of(each, item.values[each.name]) == ends]
            if some:
                found.append(_level(kind, some, threshold, each.name, _named(each, ends), ends))
    return found


def _named(measure_: Measure, ends: tuple[float | None, float | None]) -> str:
    unit = f" {measure_.unit}" if measure_.unit else ""
    least, most = ends
    if least is None:
        return N_("below %(most)s") % {"most": f"{most:g}{unit}"}
    if most is None:
        return N_("%(least)s and more%(unit)s") % {"least": f"{least:g}", "unit": unit}
    return N_("%(start)s to %(end)s") % {"start": f"{least:g}", "end": f"{most:g}{unit}"}


def _values(given: Iterable[str | None]) -> list[str]:
    return sorted({each for each in given if each})[:_MOST_VALUES]


def _level(
    kind: MediaKind,
    items: Sequence[ValidationItem],
    threshold: float,
    attribute: str = "",
    name: str = "",
    ends: tuple[float | None, float | None] = (None, None),
) -> Level:
    return Level(
        kind=kind,
        attribute=attribute,
        name=name or ALL[kind],
        least=ends[0],
        most=ends[1],
        manipulated=_outcomes(each for each in items if each.manipulated),
        unmanipulated=_outcomes(each for each in items if not each.manipulated),
        groups=len({each.group for each in items}),
        rates=_rates(kind, scored_items(items), threshold, name or f"all {UNITS[kind]}"),
    )


def _outcomes(items: Iterable[ValidationItem]) -> Outcomes:
    listed = list(items)

    def count(said: Callable[[ValidationItem], bool]) -> int:
        return sum(map(said, listed))

    return Outcomes(
        flagged=count(lambda each: each.verdict is Verdict.MANIPULATED),
        not_found=count(lambda each: each.verdict is Verdict.NOT_FOUND),
        inconclusive=count(lambda e: e.verdict is Verdict.INCONCLUSIVE and e.probability is not None),
        not_judged=count(lambda e: e.verdict is Verdict.INCONCLUSIVE and e.probability is None),
    )


def _rates(kind: MediaKind, scored: Scored, threshold: float, data: str) -> tuple[Rate, ...]:
    """Both error rates of those judged; AUC and calibration error where both classes are there."""
    if not len(scored.labels):
        return ()
    figures = measure(scored, threshold)
    groups = len(np.unique(scored.groups))
    assert scored.said is not None
    said, is_fake = scored.said[:, None], scored.labels == 1
    found = [
        _rate(figure, shares(scored, of_class, wrong)[0], kind, data, groups)
        for figure, of_class, wrong in zip(_FIGURES, (~is_fake, is_fake), (said, ~said), strict=True)
        if of_class.any()
    ]
    for figure, made in (("AUC", BOOTSTRAP), ("expected calibration error", BOOTSTRAP_OF_ERROR)):
        if figure in figures:
            value = figures[figure].as_json()
            found.append(
                Rate(figure=figure, data=data, value=value["value"] or 0.0, low=value["from"],
                     high=value["to"], interval=made, items=len(scored.labels), unit=UNITS[kind],
                     groups=groups)
            )  # fmt: skip
    return tuple(found)


def _wrong_by_threshold(
    scored: Scored, thresholds: Sequence[float]
) -> tuple[tuple[Selection, Selection], tuple[Selection, Selection]]:
    """Of unmanipulated and of manipulated ones: which they are (n,), and which are wrong (n, thresholds)."""
    flagged, is_fake = scored.probabilities[:, None] >= np.array(thresholds), scored.labels == 1
    return (~is_fake, flagged), (is_fake, ~flagged)


def _rate(figure: str, share: Share, kind: MediaKind, data: str, groups: int) -> Rate:
    return Rate(figure=figure, data=data, value=share.value, low=share.low, high=share.high,
                interval=share.made, items=share.items, unit=UNITS[kind], events=share.events,
                groups=groups)  # fmt: skip


def _point(threshold: float, of_reals: Share, of_fakes: Share) -> CurvePoint:
    return CurvePoint(
        threshold=threshold,
        false_positives=of_reals.events,
        false_positive_rate=of_reals.value,
        false_positive_low=of_reals.low,
        false_positive_high=of_reals.high,
        false_negatives=of_fakes.events,
        false_negative_rate=of_fakes.value,
        false_negative_low=of_fakes.low,
        false_negative_high=of_fakes.high,
    )


_OF_VERDICTS = ("false positive rate", "false negative rate")


def of_other(model: Model) -> dict[str, str | None]:
    """What the line of a file keeps of another model, beside what it says."""
    look = model.second_look
    return {
        "name": model.name,
        "title": model.title,
        "architecture": model.architecture,
        "sha256": model.sha256,
        "second_look_sha256": look.sha256 if look else None,
    }


def said(line: Mapping[str, Any]) -> tuple[SaidByOther, ...]:
    """What other models say, of the line of a file that was analysed."""
    return tuple(
        SaidByOther(verdict=Verdict(one["verdict"]), probability=one["probability"])
        for one in line.get("others", ())
    )


def side_by_side(
    items: Sequence[ValidationItem], lines: Sequence[Mapping[str, Any]], threshold: float
) -> tuple[tuple[ByOther, ...], tuple[ByRule, ...]]:
    """Figures of each other model, and of all together; nothing unless all files were judged by the same."""
    named = [line.get("models", []) for line in lines if "error" not in line]
    if not named or not named[0] or any(each != named[0] for each in named):
        return (), ()
    models = [OtherValidated(**each) for each in named[0]]
    judged = [each for each in items if each.error is None]
    beside = tuple(
        ByOther(model=model, levels=_levels(judged, number, threshold)) for number, model in enumerate(models)
    )
    rules = [JointRule.ANY, JointRule.MAJORITY, JointRule.ALL]
    if len(models) == 1:
        rules.remove(JointRule.MAJORITY)  # more than half of two is both
    return beside, tuple(ByRule(rule=rule, levels=_together(judged, rule, threshold)) for rule in rules)


def _levels(items: Sequence[ValidationItem], number: int, threshold: float) -> tuple[Level, ...]:
    """Of what another model says, over all of each kind and by generator."""
    own = [
        each.model_copy(
            update={
                "verdict": each.others[number].verdict,
                "probability": each.others[number].probability,
            }
        )
        for each in items
    ]
    return tuple(each for each in levels(own, threshold) if each.attribute in ("", "generator"))


def _together(items: Sequence[ValidationItem], rule: JointRule, threshold: float) -> tuple[Level, ...]:
    """Of the joint verdict: rates of verdicts alone, since all together give no probability."""
    own = [
        each.model_copy(
            update={
                "verdict": decided(rule, [_verdict(each), *(one.verdict for one in each.others)]),
                # Any number: it says only that the file counts, as soon as one of the models judged it.
                "probability": next(
                    (p for p in (each.probability, *(o.probability for o in each.others)) if p is not None),
                    None,
                ),
            }
        )
        for each in items
    ]
    return tuple(
        level.model_copy(update={"rates": tuple(r for r in level.rates if r.figure in _OF_VERDICTS)})
        for level in levels(own, threshold)
        if not level.attribute
    )


def _verdict(item: ValidationItem) -> Verdict:
    return item.verdict or Verdict.INCONCLUSIVE


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
