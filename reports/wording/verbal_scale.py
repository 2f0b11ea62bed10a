"""The strength of scores in words, and the measured errors it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from detector.schema.analysis import Analysis, Model, Segment
from detector.schema.model import PHOTOGRAPHS_LEFT_OUT
from detector.schema.strength import LIMITS, MaterialKind, Strength, strength_of, strength_rate
from detector.validation.validated_model import unmeasured_parameters
from detector.verdict.finding import finding_of
from language.formatting import grouped, shown
from language.headlines import MANIPULATION, SYNTHETIC_VOICE
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
class Step:
    """One step of the scale: its words, its range of scores, and how often it is wrong."""

    phrase: str
    figures: str
    definition: str


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


def kind_of(analysis: Analysis) -> MaterialKind:
    """Return what the score of the faces is about."""
    return MaterialKind.PHOTOGRAPH if analysis.media.still else MaterialKind.VIDEO


def steps(figures: Mapping[str, float], kind: MaterialKind) -> tuple[Step, ...]:
    """Return the scale from the strongest step, with the rates among the ``figures`` of a model's card."""
    return tuple(_step(figures, kind, strength) for strength in reversed(Strength))


def _step(figures: Mapping[str, float], kind: MaterialKind, strength: Strength) -> Step:
    limits = LIMITS[kind]
    ranges = {
        Strength.STRONG: gettext("%(least)s and above", least=shown(limits.strong, ".2f")),
        Strength.MODERATE: gettext(
            "%(least)s to %(most)s",
            least=shown(limits.moderate, ".2f"),
            most=shown(limits.strong - 0.01, ".2f"),
        ),
        Strength.WEAK: gettext("below %(limit)s", limit=shown(limits.moderate, ".2f")),
    }
    return Step(_phrase(kind, strength), ranges[strength], rate_sentence(figures, kind, strength))


def _phrase(kind: MaterialKind, strength: Strength) -> str:
    return gettext((SYNTHETIC_VOICE if kind is MaterialKind.VOICE else MANIPULATION)[strength])


def steps_of(analysis: Analysis) -> tuple[Step, ...]:
    """Return the scale of the scores of faces; with other parameters no rates are known."""
    return steps(_figures(analysis), kind_of(analysis))


def _figures(analysis: Analysis) -> Mapping[str, float]:
    return {} if unmeasured_parameters(analysis) else analysis.model.figures


_RATES = {
    MaterialKind.VIDEO: N_(
        "At this strength or a higher one, %(flagged)s of %(unmanipulated)s unmanipulated clips from sources "
        "unknown to the model were wrongly flagged; %(found)s of %(manipulated)s manipulated clips reached "
        "it."
    ),
    MaterialKind.PHOTOGRAPH: N_(
        "At this strength or a higher one, %(flagged)s of %(unmanipulated)s judgements wrongly flagged "
        "unmanipulated photographs from sources unknown to the model; %(found)s of %(manipulated)s "
        "judgements of photographs by unknown generators reached it."
    ),
    MaterialKind.VOICE: N_(
        "At this strength or a higher one, %(flagged)s of %(unmanipulated)s human recordings from sources "
        "unknown to the network were wrongly flagged; %(found)s of %(manipulated)s synthetic recordings "
        "reached it."
    ),
}


def rate_sentence(figures: Mapping[str, float], kind: MaterialKind, strength: Strength) -> str:
    """State how often scores of a strength are wrong, or that this was not measured."""
    rate = strength_rate(figures, kind, strength)
    if rate is None:
        return gettext("How often this strength is wrong was not measured.")
    return gettext(_RATES[kind], **{name: grouped(count) for name, count in rate._asdict().items()})


def step_of(analysis: Analysis, score: float) -> Step:
    """Return the step of a flagged score of a face in ``analysis``."""
    kind = kind_of(analysis)
    return _step(_figures(analysis), kind, strength_of(score, kind))


def flagged_phrase(score: float, kind: MaterialKind = MaterialKind.VIDEO) -> str:
    """Return the words for a flagged score."""
    return _phrase(kind, strength_of(score, kind))


def segment_phrase(analysis: Analysis, segment: Segment) -> str:
    """Return the words for a segment's score, or that it is not flagged."""
    if segment.id not in finding_of(analysis).flagged_ids:
        return gettext("not flagged")
    return flagged_phrase(segment.confidence, kind_of(analysis))
