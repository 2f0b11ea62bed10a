"""Likelihood ratios of a validation, in words and plots."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.laboratory.likelihood import stated_log10
from detector.schema.laboratory.validation import LikelihoodRatios
from reports.text.numbers import plural, shown
from reports.text.translation.language import gettext, translated
from reports.view.validation.levels import KINDS, percent
from reports.view.validation.plots import Plot, cross_entropy, tippett

_SHOWN_PROBABILITIES = (0.02, 0.1, 0.3, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True)
class SystemRow:
    """How good one way of making ratios is; shares of misled files are empty where none is made."""

    name: str
    made_by: str
    cllr: str
    manipulated_misled: str  # share of them below 1
    unmanipulated_misled: str  # share of them above 1


@dataclass(frozen=True)
class StatedRatio:
    """The ratio that a published probability stands for, by both fits."""

    probability: str
    platt: str
    pav: str


@dataclass(frozen=True)
class RatioView:
    """Likelihood ratios of one kind."""

    title: str
    counted: str
    formula: str
    bounds: str
    systems: tuple[SystemRow, ...]
    stated: tuple[StatedRatio, ...]
    plots: tuple[Plot, ...]


def ratio_view(ratios: LikelihoodRatios) -> RatioView:
    """Put the likelihood ratios of one kind into words and plots."""
    platt = ratios.platt
    sign = "+" if platt.offset >= 0 else "−"
    return RatioView(
        title=KINDS[ratios.kind],
        counted=", ".join(
            (
                plural(ratios.manipulated, "manipulated file", "manipulated files"),
                plural(ratios.unmanipulated, "unmanipulated one", "unmanipulated ones"),
                plural(ratios.groups, "group", "groups"),
            )
        ),
        formula=f"ln LR = {shown(platt.scale, '.3f')} · ln(p / (1 − p)) {sign} "
        f"{shown(abs(platt.offset), '.3f')}",
        bounds=gettext(
            "between %(least)s and %(most)s",
            least=ratio_words(ratios.least),
            most=ratio_words(ratios.most),
        ),
        systems=(
            *(
                SystemRow(
                    translated(each.name),
                    translated(each.made),
                    shown(each.cllr, ".3f"),
                    percent(each.misleading_manipulated),
                    percent(each.misleading_unmanipulated),
                )
                for each in ratios.systems
            ),
            SystemRow(
                "Cllr min",
                gettext("isotonic regression on these very files: what their order allows"),
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
    """A ratio in the form people read: 1 in 20 below one, times above."""
    value = 10**log10
    if value < 0.95:
        return f"1/{_rounded(1 / value)}"
    return _rounded(value)


def _rounded(value: float) -> str:
    return shown(value, ",.0f" if value >= 9.95 else ".1f")
