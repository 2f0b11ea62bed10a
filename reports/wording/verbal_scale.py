"""Scale of phrases for probabilities, and the measured errors they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from detector.schema.analysis import Analysis, Model, Segment
from detector.verdict.judged_persons import is_flagged
from reports.language.formatting import shown
from reports.language.translation import N_, gettext

PHOTOGRAPHS = "photographs"  # unit of a rate
_ATTACKED = "100 faces"  # beginning of a figure's name
_CROPS = "crops"  # part of one of ready-made crops, which the scan alone scores


def concerns(model: Model, name: str, still: bool) -> bool:
    """Whether a figure or a set of data called ``name`` is of exhibits like this one: photos, or videos.

    All are where the card tells nothing of photos. Faces under attack stand on the card alone.
    """
    sets = {rate.data for rate in model.rates if rate.unit == PHOTOGRAPHS}
    if name.startswith(_ATTACKED):
        return False
    return not sets or still == any(name.startswith(each) for each in sets)


def calibration_error(model: Model, still: bool) -> float | None:
    """By how much probabilities of exhibits like this one were off, on average: the largest figure stated.

    None where none was measured. Beside a second look those of crops say nothing: the scan alone made them,
    by another calibration.
    """
    stated = [
        value
        for name, value in model.figures.items()
        if name.replace("_", " ").casefold().endswith("calibration error")
        and 0 <= value <= 1
        and concerns(model, name, still)
        and not (model.second_look is not None and _CROPS in name)
    ]
    return max(stated, default=None)


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


def _defined_as(definitions: tuple[str, ...]) -> tuple[Strength, ...]:
    """The steps with other words for what each stands for."""
    return tuple(replace(step, definition=words) for step, words in zip(STRENGTHS, definitions, strict=True))


_SCALED = (
    N_("Far above 0.65, which few unmanipulated clips of the validation data reached."),
    N_("Clearly above 0.65, which few unmanipulated clips of the validation data reached."),
    N_("Above 0.65, which few unmanipulated clips of the validation data reached."),
    N_("Around 0.65, which few unmanipulated clips of the validation data reached."),
    N_("Below 0.65, a finding's threshold as shipped. It is not a statement that the face is untouched."),
)
SCALED_STRENGTHS = _defined_as(_SCALED)

_UNKNOWN = (
    N_("Far above 0.50. What share of such faces is manipulated is not known for this model."),
    N_("Clearly above 0.50. What share of such faces is manipulated is not known for this model."),
    N_("Above 0.50. What share of such faces is manipulated is not known for this model."),
    N_("Little above 0.50. What share of such faces is manipulated is not known for this model."),
    N_("Below 0.50. It is not a statement that the face is untouched."),
)
UNKNOWN_STRENGTHS = _defined_as(_UNKNOWN)


class Basis(Enum):
    """What a model's probabilities stand for."""

    SHARE = auto()
    """The share of manipulated faces, where half of all are."""
    SCALED = auto()
    """How few unmanipulated clips of the validation data get there."""
    OFF = auto()
    """Calibrated to that share, and measured to lie too far from it to be read as one."""
    UNKNOWN = auto()
    """How they were calibrated is not stated."""


# Of the crops, half of them manipulated, that the temperature of a model trained on the research data is
# fitted on. Every shipped card has it; that of another set says nothing of what it was fitted on.
_FITTED_ON = "dfdc-val crops, expected calibration error"
# Up to this error on average most figures stay within their step of the scale, the narrowest of which is 0.08
# wide: such a probability may be called a share. Of shipped scans three have 0.023 to 0.036, two 0.14 and
# 0.21.
MOST_OFF = 0.05


def basis(model: Model, *, still: bool) -> Basis:
    """What the model's probability, of a photo (``still``) or a video, stands for."""
    if model.second_look is not None:
        return Basis.SHARE if still else Basis.SCALED
    if (error := model.figures.get(_FITTED_ON)) is None:
        return Basis.UNKNOWN
    return Basis.SHARE if error <= MOST_OFF else Basis.OFF


_STRENGTHS = {
    Basis.SHARE: STRENGTHS,
    Basis.SCALED: SCALED_STRENGTHS,
    Basis.OFF: UNKNOWN_STRENGTHS,
    Basis.UNKNOWN: UNKNOWN_STRENGTHS,
}


def strengths(model: Model, *, still: bool) -> tuple[Strength, ...]:
    """The scale as it is of this model's probabilities."""
    return _STRENGTHS[basis(model, still=still)]


def strength(analysis: Analysis, probability: float) -> Strength:
    """The step of the verbal scale that a flagged probability of ``analysis`` falls on, as it is printed."""
    step = _step(strengths(analysis.model, still=analysis.media.still), probability)
    return replace(
        step,
        phrase=flagged_phrase(probability, analysis.parameters.enter_threshold),
        figures=gettext(step.figures),
        definition=gettext(step.definition),
    )


def flagged_phrase(probability: float, threshold: float) -> str:
    """The phrase for a probability that was flagged at ``threshold``.

    A lowered one flags what is no indication by the scale, whose phrase would contradict the finding.
    """
    step = _step(STRENGTHS, probability)
    if step.least:
        return gettext(step.phrase)
    return gettext(
        "below the scale's first indication (%(first)s), flagged at the threshold of %(threshold)s",
        first=shown(STRENGTHS[-2].least, ".2f"),
        threshold=shown(threshold, "g"),
    )


def _step(steps: Sequence[Strength], probability: float) -> Strength:
    printed = round(probability, 2)
    return next(step for step in steps if printed >= step.least)


def segment_phrase(analysis: Analysis, segment: Segment) -> str:
    """The phrase for a segment's confidence, or that it is not flagged."""
    if not is_flagged(analysis.persons, segment):
        return gettext("not flagged")
    return strength(analysis, segment.confidence).phrase
