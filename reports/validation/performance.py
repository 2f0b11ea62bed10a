"""Error rates and likelihood ratios of a validation, in words and plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from detector.schema.codec_names import codec_name
from detector.schema.laboratory import (
    CoveredRange,
    CurvePoint,
    Level,
    LikelihoodRatios,
    Subject,
    Validation,
    stated_log10,
)
from detector.schema.method import is_shipped_threshold
from detector.verdict.validated_domain import BINARY_PROPERTIES
from language import formatting
from language.formatting import from_to, grouped, plural, shown
from language.translation import N_, gettext, translated
from reports.validation.error_rates import (
    KINDS,
    ClassNames,
    LevelRow,
    RateRow,
    class_names,
    level_row,
    percent,
    rate_row,
)
from reports.validation.plots import Plot, cross_entropy, error_curves, tippett

_SHOWN_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class RatesByAttribute:
    """The parts of one kind of media by one attribute."""

    title: str
    note: str
    rows: tuple[LevelRow, ...]


@dataclass(frozen=True)
class OutcomeRow:
    """Verdicts of one class."""

    label: str
    total: str
    flagged: str
    not_found: str
    inconclusive: str
    not_judged: str


@dataclass(frozen=True)
class CoveredRow:
    """Distribution of a property over the files in which it was measured."""

    name: str
    files: str
    least: str
    tenth: str
    median: str
    ninetieth: str
    most: str


@dataclass(frozen=True)
class ThresholdRow:
    """Both error rates, with intervals, if everything from this probability on were flagged."""

    threshold: str
    false_positive: str
    false_positive_interval: str
    false_negative: str
    false_negative_interval: str


@dataclass(frozen=True)
class KindView:
    """All rates of one kind of media, or of voices."""

    title: str
    names: ClassNames
    summary: LevelRow
    outcomes: tuple[OutcomeRow, ...]
    rates: tuple[RateRow, ...]
    plot: Plot | None
    thresholds: tuple[ThresholdRow, ...]
    parts: tuple[RatesByAttribute, ...]
    covered: tuple[CoveredRow, ...]
    codecs: str


def kind_view(validation: Validation, kind: Subject) -> KindView:
    """Return all rates of the material of this kind."""
    whole = validation.level(kind)
    assert whole is not None
    names = class_names(kind)
    classes = ((names.manipulated, whole.manipulated), (names.unmanipulated, whole.unmanipulated))
    curve = next((curve for curve in validation.curves if curve.kind is kind), None)
    parts = [level for level in validation.levels if level.kind is kind and level.attribute]
    codecs = ", ".join(
        f"{codec_name(codec.name)} ({grouped(codec.items)})"
        for codec in validation.codecs
        if codec.kind is kind
    )
    if codecs:
        words = N_("Codecs, with the number of clips: %(codecs)s.")
        if kind is Subject.VOICE:
            words = N_("Codecs of the sound, with the number of files: %(codecs)s.")
        codecs = gettext(words, codecs=codecs)
    used = validation.threshold(kind)
    return KindView(
        title=KINDS[kind],
        names=names,
        summary=level_row(whole),
        outcomes=tuple(
            OutcomeRow(
                label,
                *map(
                    grouped,
                    (class_.total, class_.flagged, class_.not_found, class_.inconclusive, class_.not_judged),
                ),
            )
            for label, class_ in classes
        ),
        rates=tuple(map(rate_row, whole.rates)),
        plot=error_curves(curve, used) if curve else None,
        thresholds=tuple(
            _threshold(point, used)
            for point in (curve.points if curve else ())
            if point.threshold in {*_SHOWN_THRESHOLDS, round(used, 2)}
        ),
        parts=tuple(
            _part(name, tuple(rows), kind) for name, rows in groupby(parts, lambda level: level.attribute)
        ),
        covered=tuple(
            _covered(entry)
            for entry in validation.covered
            if entry.kind is kind
            and entry.name not in BINARY_PROPERTIES  # which validations of development versions list
        ),
        codecs=codecs,
    )


def _part(name: str, levels: Sequence[Level], kind: Subject) -> RatesByAttribute:
    note = ""
    if name == "generator":
        words = N_(
            "Files of each generator compared with all unmanipulated files, whose rate is therefore the "
            "same in each row."
        )
        if kind is Subject.VOICE:
            words = N_(
                "Voices of each generator compared with all human voices, whose rate is therefore the same "
                "in each row."
            )
        note = gettext(words)
    return RatesByAttribute(
        gettext("By %(property)s", property=translated(name)), note, tuple(map(level_row, levels))
    )


def _covered(covered: CoveredRange) -> CoveredRow:
    name = translated(covered.name)
    if covered.unit:
        name += f", {translated(covered.unit)}"
    values = (covered.least, covered.tenth, covered.median, covered.ninetieth, covered.most)
    return CoveredRow(name, grouped(covered.items), *map(formatting.number, values))


def _threshold(point: CurvePoint, used: float) -> ThresholdRow:
    name = shown(point.threshold, "g")
    if abs(point.threshold - used) < 0.005:
        words = N_("%(threshold)s (default)") if is_shipped_threshold(used) else N_("%(threshold)s (used)")
        name = gettext(words, threshold=name)
    return ThresholdRow(
        name,
        percent(point.false_positive_rate),
        from_to(percent(point.false_positive_low), percent(point.false_positive_high)),
        percent(point.false_negative_rate),
        from_to(percent(point.false_negative_low), percent(point.false_negative_high)),
    )


_SHOWN_PROBABILITIES = (0.02, 0.1, 0.3, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True)
class SystemRow:
    """Quality of one way to compute ratios; shares of misleading ratios are empty if none are computed."""

    name: str
    made_by: str
    cllr: str
    manipulated_misled: str  # share of them below 1
    unmanipulated_misled: str  # share of them above 1


@dataclass(frozen=True)
class StatedRatio:
    """The ratio for a published probability, by both fits."""

    probability: str
    platt: str
    pav: str


@dataclass(frozen=True)
class RatioView:
    """Likelihood ratios of one kind of media, or of voices."""

    title: str
    heads: tuple[str, str]  # of the columns of misleading ratios
    counted: str
    formula: str
    bounds: str
    systems: tuple[SystemRow, ...]
    stated: tuple[StatedRatio, ...]
    plots: tuple[Plot, ...]


def ratio_view(ratios: LikelihoodRatios) -> RatioView:
    """Describe the likelihood ratios of one kind of media, with plots."""
    platt, of_voices = ratios.platt, ratios.kind is Subject.VOICE
    sign = "+" if platt.offset >= 0 else "−"
    return RatioView(
        title=KINDS[ratios.kind],
        heads=(N_("Synthetic, below 1"), N_("Human, above 1"))
        if of_voices
        else (N_("Manipulated, below 1"), N_("Unmanipulated, above 1")),
        counted=", ".join(
            (
                *(
                    (
                        plural(ratios.manipulated, "synthetic voice", "synthetic voices"),
                        plural(ratios.unmanipulated, "human one", "human ones"),
                    )
                    if of_voices
                    else (
                        plural(ratios.manipulated, "manipulated file", "manipulated files"),
                        plural(ratios.unmanipulated, "unmanipulated one", "unmanipulated ones"),
                    )
                ),
                plural(ratios.groups, "group", "groups"),
            )
        ),
        formula=f"ln LR = {shown(platt.scale, '.3f')} · ln(p / (1 − p)) {sign} "
        f"{shown(abs(platt.offset), '.3f')}",
        bounds=gettext(
            "between %(least)s and %(most)s", least=ratio_words(ratios.least), most=ratio_words(ratios.most)
        ),
        systems=(
            *(
                SystemRow(
                    translated(system.name),
                    translated(system.made),
                    shown(system.cllr, ".3f"),
                    percent(system.misleading_manipulated),
                    percent(system.misleading_unmanipulated),
                )
                for system in ratios.systems
            ),
            SystemRow(
                "Cllr min",
                gettext("isotonic regression on these files: the best result their order allows"),
                shown(ratios.cllr_min, ".3f"),
                "",
                "",
            ),
        ),
        stated=tuple(
            StatedRatio(shown(p, "g"), ratio_words(stated_log10(ratios, p)), ratio_words(_pav_at(ratios, p)))
            for p in _SHOWN_PROBABILITIES
        ),
        plots=(tippett(ratios), cross_entropy(ratios)),
    )


def _pav_at(ratios: LikelihoodRatios, probability: float) -> float:
    below = [step.log10_lr for step in ratios.pav if step.probability <= probability]
    return below[-1] if below else ratios.least


def ratio_words(log10: float) -> str:
    """Format a ratio for readers: 1 in 20 below one, times above."""
    value = 10**log10
    if value < 0.95:
        return f"1/{_rounded(1 / value)}"
    return _rounded(value)


def _rounded(value: float) -> str:
    return shown(value, ",.0f" if value >= 9.95 else ".1f")
