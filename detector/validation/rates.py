"""Error rates of all items and of subgroups.

Own thresholds and the extract for reports.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from detector.errors import ParameterError
from detector.schema.analysis import Rate
from detector.schema.causes.cause import Cause
from detector.schema.causes.validations import LevelCode, ThresholdCode
from detector.schema.codec_names import codec_name
from detector.schema.formatting import N_
from detector.schema.laboratory import (
    Curve,
    CurvePoint,
    Laboratory,
    Level,
    Outcomes,
    OwnThreshold,
    Subject,
    Validation,
    ValidationItem,
)
from detector.statistics.error_rates import BOOTSTRAP, BOOTSTRAP_OF_ERROR, Selection, Share, wrong_shares
from detector.statistics.metrics import Scored, measure

THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(1, 100))
UNITS = {Subject.VIDEO: N_("clips"), Subject.IMAGE: N_("photographs"), Subject.VOICE: N_("voices")}
ALL = {
    Subject.VIDEO: N_("all clips"),
    Subject.IMAGE: N_("all photographs"),
    Subject.VOICE: N_("all voices"),
}
_FIGURES = (N_("false positive rate"), N_("false negative rate"))
_MOST_VALUES = 40  # maximum number of values of a labelled attribute, each with its own level


@dataclass(frozen=True)
class Measure:
    """A measured property divided into classes at ``edges``."""

    name: str
    unit: str
    edges: tuple[float, ...]
    kinds: tuple[Subject, ...]


MEASURES = (
    Measure("face width", "px", (48, 80, 120, 200), (Subject.VIDEO, Subject.IMAGE)),
    Measure("bits per pixel", "", (0.01, 0.03, 0.1), (Subject.VIDEO,)),
    Measure("JPEG quality", "", (50, 75, 90), (Subject.IMAGE,)),
    Measure(N_("speech"), "s", (4, 15, 60), (Subject.VOICE,)),
    Measure("bandwidth", "Hz", (4000, 7000), (Subject.VOICE,)),
    Measure("signal-to-noise ratio", "dB", (15, 30), (Subject.VOICE,)),
)


def items_of(kind: Subject, items: Iterable[ValidationItem]) -> list[ValidationItem]:
    """Return the analysed items of a kind."""
    return [item for item in items if item.kind is kind and item.error is None]


def scored_items(items: Sequence[ValidationItem]) -> Scored:
    """Return the items with a probability; the decision is the verdict."""
    judged = [item for item in items if item.probability is not None]
    probabilities = np.array([float(item.probability or 0.0) for item in judged])
    return Scored(
        np.array([int(item.manipulated) for item in judged], np.int_),
        probabilities,
        probabilities,
        np.array([item.group for item in judged], np.int_),
        np.array([item.flagged for item in judged], np.bool_),
    )


def compute_levels(items: Sequence[ValidationItem], threshold: float) -> tuple[Level, ...]:
    """Compute the rates of each kind: over all items, then by each attribute."""
    results = []
    for kind in Subject:
        of_kind = items_of(kind, items)
        if not of_kind:
            continue
        results.append(_level(kind, of_kind, threshold))
        results += _by_measure(kind, of_kind, threshold)
        reals = [item for item in of_kind if not item.manipulated]
        for generator in _values(item.generator for item in of_kind):
            generated = [item for item in of_kind if item.generator == generator]
            results.append(_level(kind, [*reals, *generated], threshold, "generator", generator))
        if kind is Subject.VOICE:
            for codec in _values(item.codec and codec_name(item.codec) for item in of_kind):
                coded = [item for item in of_kind if item.codec and codec_name(item.codec) == codec]
                results.append(_level(kind, coded, threshold, "codec", codec))
        for name in _values(name for item in of_kind for name in item.attributes):
            for value in _values(item.attributes.get(name) for item in of_kind):
                subgroup = [item for item in of_kind if item.attributes.get(name) == value]
                results.append(_level(kind, subgroup, threshold, name, value))
    return tuple(results)


def compute_curve(kind: Subject, items: Sequence[ValidationItem]) -> Curve | None:
    """Compute both rates at every hundredth; None if a class is missing."""
    scored = scored_items(items_of(kind, items))
    if not scored.has_both:
        return None
    of_reals, of_fakes = (wrong_shares(scored, *wrong) for wrong in _wrong_by_threshold(scored, THRESHOLDS))
    points = map(_point, THRESHOLDS, of_reals, of_fakes)
    return Curve(
        kind=kind, manipulated=of_fakes[0].items, unmanipulated=of_reals[0].items, points=tuple(points)
    )


def rates_at(
    kind: Subject, items: Sequence[ValidationItem], threshold: float, note: str
) -> tuple[Rate, Rate]:
    """Return false positive and false negative rate at a threshold, for a kind with items of both labels."""
    scored = scored_items(items_of(kind, items))
    class_shares = [wrong_shares(scored, *wrong)[0] for wrong in _wrong_by_threshold(scored, (threshold,))]
    groups = len(np.unique(scored.groups))
    of_reals, of_fakes = (
        _rate(figure, share, kind, ALL[kind], groups).model_copy(
            update={"threshold": threshold, "note": note}
        )
        for figure, share in zip(_FIGURES, class_shares, strict=True)
    )
    return of_reals, of_fakes


def class_of(measure_: Measure, value: float) -> tuple[float | None, float | None]:
    """Return the bounds of the class that contains ``value``."""
    bounds = (None, *measure_.edges, None)
    at = sum(value >= edge for edge in measure_.edges)
    return bounds[at], bounds[at + 1]


def _by_measure(kind: Subject, items: Sequence[ValidationItem], threshold: float) -> list[Level]:
    results = []
    for measure_ in MEASURES:
        if kind not in measure_.kinds:
            continue
        with_value = [item for item in items if measure_.name in item.values]
        for bounds in pairwise((None, *measure_.edges, None)):
            subgroup = [
                item for item in with_value if class_of(measure_, item.values[measure_.name]) == bounds
            ]
            if subgroup:
                results.append(
                    _level(kind, subgroup, threshold, measure_.name, _named(measure_, bounds), bounds)
                )
    return results


def _named(measure_: Measure, bounds: tuple[float | None, float | None]) -> str:
    return _range_of(*bounds, measure_.unit).text


def _range_of(lower: float | None, upper: float | None, unit: str) -> Cause:
    if lower is None:
        assert upper is not None
        return LevelCode.BELOW.cause(up_to_value=upper, unit=unit)
    if upper is None:
        return LevelCode.AND_MORE.cause(from_value=lower, unit=unit)
    return LevelCode.IN_RANGE.cause(from_value=lower, up_to_value=upper, unit=unit)


def part_of(level: Level) -> Cause:
    """Name the part of the material that ``level`` is about."""
    if (level.least, level.most) == (None, None):
        return LevelCode.LABELLED_AS.cause(label=level.name)
    unit = next((measure_.unit for measure_ in MEASURES if measure_.name == level.attribute), "")
    return _range_of(level.least, level.most, unit)


def _values(values: Iterable[str | None]) -> list[str]:
    return sorted({value for value in values if value})[:_MOST_VALUES]


def _level(
    kind: Subject,
    items: Sequence[ValidationItem],
    threshold: float,
    attribute: str = "",
    name: str = "",
    bounds: tuple[float | None, float | None] = (None, None),
) -> Level:
    return Level(
        kind=kind,
        attribute=attribute,
        name=name or ALL[kind],
        least=bounds[0],
        most=bounds[1],
        manipulated=_outcomes(item for item in items if item.manipulated),
        unmanipulated=_outcomes(item for item in items if not item.manipulated),
        groups=len({item.group for item in items}),
        rates=_rates(kind, scored_items(items), threshold, name or f"all {UNITS[kind]}"),
    )


def _outcomes(items: Iterable[ValidationItem]) -> Outcomes:
    all_items = list(items)

    def count(condition: Callable[[ValidationItem], bool]) -> int:
        return sum(map(condition, all_items))

    return Outcomes(
        flagged=count(lambda item: item.flagged),
        not_found=count(lambda item: item.cleared),
        inconclusive=count(lambda item: not (item.flagged or item.cleared) and item.probability is not None),
        not_judged=count(lambda item: not (item.flagged or item.cleared) and item.probability is None),
    )


def _rates(kind: Subject, scored: Scored, threshold: float, data: str) -> tuple[Rate, ...]:
    """Return both error rates, and AUC and calibration error if both classes exist."""
    if not len(scored.labels):
        return ()
    figures = measure(scored, threshold)
    groups = len(np.unique(scored.groups))
    assert scored.said is not None
    flagged, is_fake = scored.said[:, None], scored.labels == 1
    rates = [
        _rate(figure, wrong_shares(scored, of_class, wrong)[0], kind, data, groups)
        for figure, of_class, wrong in zip(_FIGURES, (~is_fake, is_fake), (flagged, ~flagged), strict=True)
        if of_class.any()
    ]
    for figure, method in (("AUC", BOOTSTRAP), ("expected calibration error", BOOTSTRAP_OF_ERROR)):
        if figure in figures:
            value = figures[figure].as_json()
            rates.append(
                Rate(figure=figure, data=data, value=value["value"] or 0.0, low=value["from"],
                     high=value["to"], interval=method, items=len(scored.labels), unit=UNITS[kind],
                     groups=groups)
            )  # fmt: skip
    return tuple(rates)


def _wrong_by_threshold(
    scored: Scored, thresholds: Sequence[float]
) -> tuple[tuple[Selection, Selection], tuple[Selection, Selection]]:
    """Return for either class which items it has (n,), and which are wrong (n, thresholds)."""
    flagged, is_fake = scored.probabilities[:, None] >= np.array(thresholds), scored.labels == 1
    return (~is_fake, flagged), (is_fake, ~flagged)


def _rate(figure: str, share: Share, kind: Subject, data: str, groups: int) -> Rate:
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


_QUOTED = (Validation.model_fields.keys() & Laboratory.model_fields.keys()) - {
    "schema_version", "likelihood_ratios", "thresholds",
}  # fmt: skip


def quoted_extract(
    validation: Validation, text: bytes, thresholds: tuple[OwnThreshold, ...] = ()
) -> Laboratory:
    """Build the extract of ``validation`` that reports quote; ``text`` are its exact bytes."""
    bare = {"tippett": (), "ece": ()}
    extract = tuple(
        ratios.model_copy(
            update={
                "systems": tuple(system.model_copy(update=bare) for system in ratios.systems),
                "pav": (),
                "ece_odds": (),
                "ece_neutral": (),
                "ece_best": (),
            }
        )
        for ratios in validation.likelihood_ratios
    )
    return Laboratory(
        **{name: getattr(validation, name) for name in _QUOTED},
        validation_sha256=hashlib.sha256(text).hexdigest(),
        source_sha256=validation.versions.source_sha256,
        files=validation.files,
        likelihood_ratios=extract,
        thresholds=thresholds,
    )


def thresholds_by_false_positive_rate(validation: Validation, most: float) -> tuple[OwnThreshold, ...]:
    """Return for each kind the lowest threshold with at most this false positive rate.

    Raises :class:`ParameterError` for an invalid rate, or one that no threshold reaches.
    """
    if not 0 <= most < 1:
        raise ParameterError(
            N_("%(rate)s is not a false positive rate: give one from 0 to below 1.") % {"rate": f"{most:g}"}
        )
    chosen_by = ThresholdCode.FALSE_POSITIVE_RATE.cause(highest_rate=most)
    thresholds = []
    for curve in _curves(validation):
        points = [point for point in curve.points if point.false_positive_rate <= most]
        if not points:
            raise ParameterError(
                N_(
                    "No threshold up to %(threshold)s reaches a false positive rate of %(rate)s or "
                    "less for %(clips)s. Give a higher rate."
                )
                % {
                    "threshold": f"{curve.points[-1].threshold:g}",
                    "rate": f"{most:g}",
                    "clips": UNITS[curve.kind],
                }
            )
        thresholds.append(_own(validation, curve, points[0], chosen_by))
    return tuple(thresholds)


def thresholds_by_cost(validation: Validation, cost: float, prior: float = 0.5) -> tuple[OwnThreshold, ...]:
    """Return for each kind the threshold with the lowest expected cost; ties go to the highest.

    A false positive costs ``cost`` times as much as a false negative; ``prior`` is the expected share of
    manipulated files. Raises :class:`~detector.errors.ParameterError` unless ``cost`` is finite and above 0,
    and ``prior`` between 0 and 1.
    """
    if not 0 < cost < math.inf or not 0 < prior < 1:
        raise ParameterError(
            N_("Give a finite cost above 0, and a share of manipulated files between 0 and 1.")
        )
    chosen_by = ThresholdCode.LEAST_COST.cause(cost=cost, prior=prior)

    def expected(point: CurvePoint) -> tuple[float, float]:
        wrong = cost * (1 - prior) * point.false_positive_rate + prior * point.false_negative_rate
        return round(wrong, 9), -point.threshold

    return tuple(
        _own(validation, curve, min(curve.points, key=expected), chosen_by) for curve in _curves(validation)
    )


def _curves(validation: Validation) -> tuple[Curve, ...]:
    if not validation.curves:
        raise ParameterError(N_("The validation has no curve: it needs judged files of both labels."))
    return validation.curves


def _own(validation: Validation, curve: Curve, point: CurvePoint, chosen_by: Cause) -> OwnThreshold:
    note = N_("the threshold was chosen on these files, so the rates flatter")
    false_positive, false_negative = rates_at(curve.kind, validation.items, point.threshold, note)
    return OwnThreshold(
        kind=curve.kind,
        threshold=point.threshold,
        shipped=validation.threshold(curve.kind),
        by=chosen_by.text,
        cause=chosen_by,
        false_positive=false_positive,
        false_negative=false_negative,
    )
