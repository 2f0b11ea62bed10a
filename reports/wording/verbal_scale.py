"""Scale of phrases for probabilities, and the measured errors they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from detector.schema.analysis import Analysis, Model, Segment
from detector.schema.model import PHOTOGRAPHS_LEFT_OUT
from detector.verdict.finding import finding_of
from language.formatting import shown
from language.translation import N_, gettext

PHOTOGRAPHS = "photographs"  # unit of a rate
_ATTACKED = "100 faces"  # beginning of a figure's name
_CROPS = "crops"  # part of one of ready-made crops, which the scan alone scores


def concerns(model: Model, name: str, still: bool) -> bool:
    """Return whether a figure or data set called ``name`` applies to photos or to videos.

    All apply if the card states nothing on photos. Figures for attacked faces are shown on the card only.
    """
    sets = {rate.data for rate in model.rates if rate.unit == PHOTOGRAPHS}
    if name.startswith(_ATTACKED):
        return False
    return not sets or still == name.startswith((PHOTOGRAPHS_LEFT_OUT, *sets))


def calibration_error(model: Model, still: bool) -> float | None:
    """Return the largest mean calibration error stated for this kind of exhibit, None if none was measured.

    With a second look, errors on ready-made crops do not count: the scan alone scores those.
    """
    errors = [
        value
        for name, value in model.figures.items()
        if name.replace("_", " ").casefold().endswith("calibration error")
        and 0 <= value <= 1
        and concerns(model, name, still)
        and not (model.second_look is not None and _CROPS in name)
    ]
    return max(errors, default=None)


@dataclass(frozen=True)
class Strength:
    """One step of the verbal scale: a phrase and its range of figures."""

    phrase: str
    least: float
    figures: str
    definition: str


STRENGTHS = (
    Strength(
        N_("very strong indication"),
        0.98,
        N_("0.98 and above"),
        N_("If the calibration applies, 98 or more of 100 such faces are manipulated."),
    ),
    Strength(
        N_("strong indication"),
        0.90,
        N_("0.90 to 0.97"),
        N_("If the calibration applies, about 90 to 97 of 100 such faces are manipulated."),
    ),
    Strength(
        N_("moderate indication"),
        0.70,
        N_("0.70 to 0.89"),
        N_("If the calibration applies, about 70 to 89 of 100 such faces are manipulated."),
    ),
    Strength(
        N_("weak indication"),
        0.50,
        N_("0.50 to 0.69"),
        N_(
            "If the calibration applies, about 50 to 69 of 100 such faces are manipulated; up to half are "
            "not."
        ),
    ),
    Strength(
        N_("no indication"),
        0.0,
        N_("below 0.50"),
        N_(
            "If the calibration applies, fewer than 50 of 100 such faces are manipulated. This does not "
            "mean that the face is unaltered."
        ),
    ),
)


def _with_definitions(*definitions: str) -> tuple[Strength, ...]:
    return tuple(replace(step, definition=text) for step, text in zip(STRENGTHS, definitions, strict=True))


SCALED_STRENGTHS = _with_definitions(
    N_("Far above 0.65, which few unmanipulated clips of the validation data reached."),
    N_("Clearly above 0.65, which few unmanipulated clips of the validation data reached."),
    N_("Above 0.65, which few unmanipulated clips of the validation data reached."),
    N_("Around 0.65, which few unmanipulated clips of the validation data reached."),
    N_("Below 0.65, the default threshold for a finding. This does not mean that the face is unaltered."),
)
UNKNOWN_STRENGTHS = _with_definitions(
    N_("Far above 0.50. The share of such faces that is manipulated is unknown for this model."),
    N_("Clearly above 0.50. The share of such faces that is manipulated is unknown for this model."),
    N_("Above 0.50. The share of such faces that is manipulated is unknown for this model."),
    N_("Slightly above 0.50. The share of such faces that is manipulated is unknown for this model."),
    N_("Below 0.50. This does not mean that the face is unaltered."),
)


class Basis(Enum):
    """Meaning of a model's probabilities."""

    SHARE = auto()  # share of manipulated faces in material of which half is manipulated
    SCALED = auto()  # scaled by how few unmanipulated clips of the validation data reach them
    OFF = auto()  # calibrated to that share, but measured to differ too much from it
    UNKNOWN = auto()  # the card does not state the calibration


# Calibration error on the crops, half of them manipulated, to which the temperature of models trained on the
# research data is fitted. Every shipped card states it; an error on other data does not show the fit.
_FITTED_ON = "dfdc-val crops, expected calibration error"
# Up to this mean error most figures stay within their step of the scale (the narrowest is 0.08 wide), so the
# probability may be called a share. Three shipped scans have 0.023 to 0.036, two have 0.14 and 0.21.
MOST_OFF = 0.05


def basis(model: Model, *, still: bool) -> Basis:
    """Return the meaning of the model's probability for a photo (``still``) or a video."""
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
    """Return the scale for this model's probabilities."""
    return _STRENGTHS[basis(model, still=still)]


def strength(analysis: Analysis, probability: float) -> Strength:
    """Return the step of the scale for a flagged probability of ``analysis``, as printed."""
    step = _step(strengths(analysis.model, still=analysis.media.still), probability)
    return replace(
        step,
        phrase=flagged_phrase(probability, analysis.parameters.enter_threshold),
        figures=gettext(step.figures),
        definition=gettext(step.definition),
    )


def flagged_phrase(probability: float, threshold: float) -> str:
    """Return the phrase for a probability flagged at ``threshold``.

    A lowered threshold flags what is no indication by the scale, whose phrase would contradict the finding.
    """
    step = _step(STRENGTHS, probability)
    if step.least:
        return gettext(step.phrase)
    return gettext(
        "below the lowest indication of the scale (%(first)s), flagged at the threshold of %(threshold)s",
        first=shown(STRENGTHS[-2].least, ".2f"),
        threshold=shown(threshold, "g"),
    )


def _step(steps: Sequence[Strength], probability: float) -> Strength:
    printed = round(probability, 2)
    return next(step for step in steps if printed >= step.least)


def segment_phrase(analysis: Analysis, segment: Segment) -> str:
    """Return the phrase for a segment's confidence, or that it is not flagged."""
    if segment.id not in finding_of(analysis).flagged_ids:
        return gettext("not flagged")
    return strength(analysis, segment.confidence).phrase
