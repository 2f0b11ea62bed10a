"""Error rates over all of a kind, over its parts, and by threshold.

What is decided is the verdict, or the published probability by threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from detector.schema.analysis import MediaKind, Rate, Verdict
from detector.schema.laboratory.validation import Curve, CurvePoint, Level, Outcomes, ValidationItem
from detector.schema.translatable import N_
from detector.training.evaluation.figures.metrics import Scored, measure
from detector.training.publish.error_rates import BOOTSTRAP, BOOTSTRAP_OF_ERROR
from detector.validation.shares import Selection, Share, shares

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
