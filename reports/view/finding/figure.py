"""The figure beside the verdict: the analysis' probability, and the phrase for it."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis, Verdict
from reports.text import numbers, photographs
from reports.text.certainty.verbal_scale import Strength, strength
from reports.text.translation.language import capitalize_first
from reports.text.verdict_sentence import figure_name
from reports.view.finding.summary import figure_interval, outside_words


@dataclass(frozen=True)
class FigureView:
    """What the figure is called, the figure, and how strong it is in words."""

    name: str
    text: str
    both: str  # answers about a photo
    strength: Strength | None
    between: str  # the interval beside it, or why there is none; empty beside other verdicts
    outside: str  # that measured error rates do not speak for the exhibit; else empty


def figure_view(analysis: Analysis) -> FigureView:
    """The probability of an analysis; without a name where none was judged."""
    figure, manipulated = analysis.probability, analysis.verdict is Verdict.MANIPULATED
    return FigureView(
        name=figure_name(analysis),
        text=numbers.probability(figure),
        both=photographs.both(analysis.answers) if analysis.media.still else "",
        # Beside another verdict a phrase would contradict it.
        strength=strength(analysis, figure) if figure is not None and manipulated else None,
        between=capitalize_first(figure_interval(analysis)) if manipulated else "",
        outside=outside_words(analysis),
    )
