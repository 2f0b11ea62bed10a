"""Rates in words: rows of tables of measured figures, and of the parts of a validation's material."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import MediaKind, Rate
from detector.schema.laboratory.validation import Level
from reports.text.numbers import from_to, grouped, plural, shown
from reports.text.translation.language import N_, Quoted, gettext, translated

KINDS = {MediaKind.VIDEO: N_("Videos"), MediaKind.IMAGE: N_("Photographs")}


@dataclass(frozen=True)
class RateCell:
    """A rate with its interval and counts."""

    value: str
    interval: str
    counted: str


@dataclass(frozen=True)
class LevelRow:
    """One part of the material."""

    name: str
    manipulated: str
    unmanipulated: str
    false_positive: RateCell | None
    false_negative: RateCell | None
    inconclusive: str
    auc: str


@dataclass(frozen=True)
class RateRow:
    """One measured figure with its interval."""

    figure: str
    value: str
    interval: str
    counted: str
    made: str  # by which method the interval


def rate_row(rate: Rate) -> RateRow:
    """A measured figure in words: a share in percent, any other with three decimals."""
    share = rate.figure.endswith("rate")

    def told(value: float) -> str:
        return percent(value) if share else shown(value, ".3f")

    interval = gettext("not known")
    if rate.low is not None and rate.high is not None:
        interval = from_to(told(rate.low), told(rate.high))
    counted = plural(rate.items, rate.unit.removesuffix("s"), rate.unit)
    if rate.events is not None:
        counted = gettext("%(events)s of %(counted)s", events=grouped(rate.events), counted=counted)
    return RateRow(rate.figure, told(rate.value), interval, counted, rate.interval)


def rate_cell(rate: Rate | None) -> RateCell | None:
    """A share in words; None where there was nothing to count."""
    if rate is None:
        return None
    interval = gettext("not known")
    if rate.low is not None and rate.high is not None:
        interval = from_to(percent(rate.low), percent(rate.high))
    return RateCell(percent(rate.value), interval, counted_of(rate.events or 0, grouped(rate.items)))


def counted_of(count: int, whole: str) -> str:
    """A count and what it is of."""
    return gettext("%(count)s of %(whole)s", count=grouped(count), whole=whole)


def percent(value: float) -> str:
    """A share with one decimal."""
    return f"{shown(100 * value, '.1f')} %"


def level_row(level: Level, name: str = "") -> LevelRow:
    """A row of a table of rates, called ``name`` or as the level is."""
    both = level.manipulated, level.unmanipulated
    silent = sum(each.inconclusive + each.not_judged for each in both)
    auc = level.rate_of("AUC")
    return LevelRow(
        name=name or level_name(level),
        manipulated=grouped(level.manipulated.total),
        unmanipulated=grouped(level.unmanipulated.total),
        false_positive=rate_cell(level.rate_of("false positive rate")),
        false_negative=rate_cell(level.rate_of("false negative rate")),
        inconclusive=grouped(silent),
        auc=shown(auc.value, ".3f") if auc else "–",
    )


def level_name(level: Level) -> str:
    """The name of a part of the material: classes of a measure are ours, all others the laboratory's."""
    measured = (level.least, level.most) != (None, None)
    return translated(level.name) if measured or not level.attribute else Quoted(level.name)


def full_level_name(level: Level) -> str:
    """The same after what it is a part by."""
    if not level.attribute:
        return level_name(level)
    return Quoted(f"{translated(level.attribute)} {level_name(level)}")
