"""The scale of phrases that stand for calibrated probabilities; what it follows is in ``meaning.SCALE``."""

from __future__ import annotations

from dataclasses import dataclass, replace

from detector.schema.analysis import Analysis, Segment
from detector.verdict.stability import is_unstable
from reports.text.language import N_, gettext


@dataclass(frozen=True)
class Strength:
    """One step of the verbal scale: a phrase and the figures it stands for."""

    phrase: str
    least: float
    figures: str
    definition: str


STRENGTHS = (
    Strength(
        N_("very strong indication"),
        0.98,
        N_("0.98 and above"),
        N_("If the calibration holds, 98 or more of 100 such faces are manipulated."),
    ),
    Strength(
        N_("strong indication"),
        0.90,
        N_("0.90 to 0.97"),
        N_("If the calibration holds, about 90 to 97 of 100 such faces are manipulated."),
    ),
    Strength(
        N_("moderate indication"),
        0.70,
        N_("0.70 to 0.89"),
        N_("If the calibration holds, about 70 to 89 of 100 such faces are manipulated."),
    ),
    Strength(
        N_("weak indication"),
        0.50,
        N_("0.50 to 0.69"),
        N_("If the calibration holds, about 50 to 69 of 100 such faces are manipulated; half may not be."),
    ),
    Strength(
        N_("no indication"),
        0.0,
        N_("below 0.50"),
        N_(
            "If the calibration holds, fewer than 50 of 100 such faces are manipulated. It "
            "is not a statement that the face is untouched."
        ),
    ),
)


def strength(probability: float) -> Strength:
    """The step of the verbal scale a calibrated probability falls on, as it is printed."""
    printed = round(probability, 2)
    step = next(step for step in STRENGTHS if printed >= step.least)
    return replace(
        step, phrase=gettext(step.phrase), figures=gettext(step.figures), definition=gettext(step.definition)
    )


def segment_phrase(analysis: Analysis, segment: Segment) -> str:
    """The phrase for a segment's confidence, or that its person is not flagged where views disagree."""
    if any(person.id == segment.person and is_unstable(person) for person in analysis.persons):
        return gettext("not flagged")
    return strength(segment.confidence).phrase
