"""Error rates over all of a kind, over its parts, and by threshold.

What is decided is the verdict; intervals are those of model cards
(:mod:`detector.training.publish.error_rates`): exact where each file stands for itself, drawn over groups
where several depend on one another and both outcomes occur; of these two the wider ends, since few groups can
agree by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from detector.schema.analysis import MediaKind, Rate, Verdict
from detector.schema.laboratory.validation import Curve, CurvePoint, Level, Outcomes, ValidationItem
from detector.schema.translatable import N_
from detector.training.evaluation.metrics import Scored, measure
from detector.training.publish.error_rates import DRAWN, DRAWN_ERROR, EXACT, clopper_pearson

WIDER = N_("the wider of Clopper–Pearson and bootstrap over sources, at either end")
THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(1, 100))
UNITS = {MediaKind.VIDEO: N_("clips"), MediaKind.IMAGE: N_("photographs")}
ALL = {MediaKind.VIDEO: N_("all clips"), MediaKind.IMAGE: N_("all photographs")}
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
    judged = [each for each in items if each.kind is kind and each.probability is not None]
    fakes = np.array([each.probability for each in judged if each.manipulated], np.float64)
    reals = np.array([each.probability for each in judged if not each.manipulated], np.float64)
    if not len(fakes) or not len(reals):
        return None
    points = [_point(threshold, fakes, reals) for threshold in THRESHOLDS]
    return Curve(kind=kind, manipulated=len(fakes), unmanipulated=len(reals), points=tuple(points))


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
        for ends in _classes(each):
            some = [item for item in known if class_of(each, item.values[each.name]) == ends]
            if some:
                found.append(_level(kind, some, threshold, each.name, _named(each, ends), ends))
    return found


def _classes(measure_: Measure) -> list[tuple[float | None, float | None]]:
    ends = (None, *measure_.edges, None)
    return list(zip(ends, ends[1:], strict=False))


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
    found = []
    for figure, label, wrong in (("false positive rate", 0, True), ("false negative rate", 1, False)):
        of_class = scored.labels == label
        total, events = int(of_class.sum()), int((scored.said[of_class] == wrong).sum())
        if not total:
            continue
        ends, made = clopper_pearson(events, total), EXACT
        drawn = figures.get("false positive rate" if wrong else "recall")
        alone = len(np.unique(scored.groups[of_class])) == total
        if drawn and not alone and 0 < events < total and drawn.low is not None and drawn.high is not None:
            made = WIDER
            over = (drawn.low, drawn.high) if wrong else (1 - drawn.high, 1 - drawn.low)
            ends = min(ends[0], over[0]), max(ends[1], over[1])
        found.append(
            Rate(figure=figure, data=data, value=round(events / total, 4), low=round(ends[0], 4),
                 high=round(ends[1], 4), interval=made, items=total, unit=UNITS[kind], events=events,
                 groups=groups)
        )  # fmt: skip
    for figure, made in (("AUC", DRAWN), ("expected calibration error", DRAWN_ERROR)):
        if figure in figures:
            value = figures[figure].as_json()
            found.append(
                Rate(figure=figure, data=data, value=value["value"] or 0.0, low=value["from"],
                     high=value["to"], interval=made, items=len(scored.labels), unit=UNITS[kind],
                     groups=groups)
            )  # fmt: skip
    return tuple(found)


def _point(threshold: float, fakes: np.ndarray, reals: np.ndarray) -> CurvePoint:
    wrong, missed = int((reals >= threshold).sum()), int((fakes < threshold).sum())
    of_reals, of_fakes = clopper_pearson(wrong, len(reals)), clopper_pearson(missed, len(fakes))
    return CurvePoint(
        threshold=threshold,
        false_positives=wrong,
        false_positive_rate=round(wrong / len(reals), 4),
        false_positive_low=round(of_reals[0], 4),
        false_positive_high=round(of_reals[1], 4),
        false_negatives=missed,
        false_negative_rate=round(missed / len(fakes), 4),
        false_negative_low=round(of_fakes[0], 4),
        false_negative_high=round(of_fakes[1], 4),
    )
