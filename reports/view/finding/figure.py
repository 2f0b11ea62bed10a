"""The figure beside the verdict: the analysis' probability, its interval, and the phrase for it."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis, Verdict
from detector.verdict.persons.whose_figure import figured_segment
from reports.text import numbers, photographs
from reports.text.certainty.uncertainty import ProbabilityInterval, exhibit_interval
from reports.text.certainty.verbal_scale import Strength, strength
from reports.text.translation.language import capitalize_first, gettext
from reports.text.verdict_sentence import figure_name
from reports.view.validation.measured_errors import outside_of


@dataclass(frozen=True)
class FigureView:
    """What the figure is called, the figure, and how strong it is in words."""

    name: str
    text: str
    both: str  # answers about a photo
    strength: Strength | None
    interval: str  # beside it, or why there is none; empty beside other verdicts
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
        interval=capitalize_first(figure_interval(analysis)) if manipulated else "",
        outside=outside_words(analysis),
    )


def outside_words(analysis: Analysis) -> str:
    """What follows where error rates do not speak for the exhibit; empty where nothing was judged."""
    outside = outside_of(analysis)
    if not outside or not analysis.coverage.frames_with_usable_face:
        return ""
    return gettext(
        "The exhibit lies outside what the model was validated on (%(outside)s): the measured error rates do "
        "not speak for it.",
        outside=", ".join(outside),
    )


def figure_interval(analysis: Analysis) -> str:
    """How far the exhibit's probability could be off, as it stands in a sentence; empty where not known."""
    of = figured_segment(analysis)
    interval = exhibit_interval(analysis, of) if of else None
    return interval_words(interval) if interval else ""


def interval_words(interval: ProbabilityInterval) -> str:
    """The ends of an interval as they stand in a sentence, or why it has none worth the name."""
    if interval.says_nothing:
        return gettext("too few independent moments for an interval")
    return gettext(
        "interval %(low)s to %(high)s",
        low=numbers.probability(interval.low),
        high=numbers.probability(interval.high),
    )
