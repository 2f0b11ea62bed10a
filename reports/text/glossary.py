"""The terms of a report."""

from __future__ import annotations

from typing import assert_never

from detector.schema.analysis import Analysis, Model
from reports.text import photographs
from reports.text.certainty.verbal_scale import Basis, basis
from reports.text.heatmaps import CLEAR_MARGIN, CLEAR_RATIO, is_joined
from reports.text.numbers import shown
from reports.text.translation.language import N_, gettext

GLOSSARY = (
    (N_("exhibit"), N_("The file handed in, unchanged, known by its SHA-256.")),
    (N_("analysis"), N_("One run of one model over one exhibit. It is never altered afterwards.")),
    (N_("track"), N_("One face followed through time between two cuts.")),
    (N_("person"), N_("One or more tracks judged to be the same face. Letters say nothing about who it is.")),
    (
        N_("calibrated probability"),
        N_(
            "The model's output, rescaled so that on the validation data, half of it "
            "manipulated, about 70 of 100 faces that got 0.70 were manipulated. Elsewhere, "
            "or where manipulation is rarer, the share differs."
        ),
    ),
    (N_("frame score"), N_("The calibrated probability that one face in one frame was manipulated.")),
    (
        N_("smoothed score"),
        N_("Frame scores after a sliding median along the track; segments are cut from it."),
    ),
    (
        N_("segment"),
        N_(
            "An interval of one person's time that reaches the threshold for a finding. It is flagged where "
            "a finding rests on it; where something speaks against one, it was looked at and not flagged."
        ),
    ),
    (
        N_("confidence"),
        N_(
            "Calibrated probability of a segment: that of the mean raw score of its own "
            "frames, not the smoothed one."
        ),
    ),
    (
        N_("interval"),
        N_("How far a segment's probability could be off. A wider interval means a less certain figure."),
    ),
    (
        N_("peak frame"),
        N_("A frame of a segment where the smoothed score is a local maximum; at most three."),
    ),
    (
        N_("heatmap"),
        N_("Grad-CAM: the areas of the face that raised the score most, as colour over the frame."),
    ),
    (
        N_("hide and re-score"),
        N_(
            "A test of a heatmap: its hottest area is blurred and the face scored again, "
            "beside random areas of the same size. The map counts as confirmed when the "
            "logit falls by at least %(margin)s more, and at least %(ratio)s times as far, "
            "as for random areas."
        )
        % {"margin": shown(CLEAR_MARGIN, "g"), "ratio": shown(CLEAR_RATIO, "g")},
    ),
    (
        N_("logit"),
        N_("The model's raw output before it becomes a probability; equal steps are equal evidence."),
    ),
    ("PTS", N_("Presentation time stamp: the exact time of a frame as the file itself stores it.")),
    (
        N_("frame number"),
        N_("How many frames come before it; the first frame of the file has the number 0."),
    ),
    ("UTC", N_("Coordinated universal time, the same everywhere; local time is given beside it.")),
    (
        N_("custody log"),
        N_(
            "Who did what to the exhibit, and when. Each entry holds the fingerprint of "
            "the one before it, so that a change anywhere shows."
        ),
    ),
    ("SHA-256", N_("A fingerprint of a file. Two files with the same one are the same, bit for bit.")),
)


_CALIBRATED, _HEATMAP = "calibrated probability", "heatmap"
_SCALED = N_(
    "The output of all networks together, rescaled so that few unmanipulated clips of the validation data "
    "reach 0.65, a finding's threshold as shipped. It orders faces by how strongly the networks answer; it "
    "is not the share of manipulated ones among faces with that figure."
)
_OFF = N_(
    "The model's output, rescaled on validation data, where it lies far from the share of manipulated ones "
    "among faces with that figure all the same: it orders faces by how strongly the network answers."
)
_UNKNOWN = N_(
    "The model's output as a figure from 0 to 1. How it was calibrated is not known: it orders faces by how "
    "strongly the network answers, and need not be the share of manipulated ones among faces with that "
    "figure."
)
_JOINED = N_(
    "Grad-CAM of the first network, HiResCAM of the second, or what both have in common: the areas of the "
    "face that raised the score most, as colour over the picture."
)
_OCCLUSION = N_(
    "Occlusion map: the areas of the face without which the score falls most, as colour over the picture."
)


def glossary(analysis: Analysis, section: int) -> tuple[tuple[str, str], ...]:
    """The terms of the report; ``section`` is the number of the one on what figures and intervals mean."""
    still = analysis.media.still
    terms = dict(photographs.glossary(analysis, GLOSSARY) if still else GLOSSARY)
    made = gettext("Section %(section)s says how intervals are made.", section=section)
    terms["interval"] = f"{gettext(terms['interval'])} {made}"
    terms[_CALIBRATED] = _calibrated(basis(analysis.model, still=still), terms[_CALIBRATED])
    return tuple((terms | _of_maps(analysis.model)).items())


def general_glossary(model: Model | None) -> tuple[tuple[str, str], ...]:
    """The terms of all reports by this model, of videos and of photos."""
    if model is None:
        return GLOSSARY
    terms = dict(GLOSSARY) | _of_maps(model)
    stands = basis(model, still=False)
    if stands is not Basis.SCALED:
        terms[_CALIBRATED] = _calibrated(stands, terms[_CALIBRATED])
        return tuple(terms.items())
    both = {
        N_("calibrated probability of a video"): _SCALED,
        N_("calibrated probability of a photograph"): terms[_CALIBRATED],
    }
    return tuple(
        term
        for name, words in terms.items()
        for term in (both.items() if name == _CALIBRATED else ((name, words),))
    )


def _calibrated(stands: Basis, share: str) -> str:
    """What a calibrated probability is; ``share`` says it where it is a share of manipulated faces."""
    match stands:
        case Basis.SHARE:
            return share
        case Basis.SCALED:
            return _SCALED
        case Basis.OFF:
            return _OFF
        case Basis.UNKNOWN:
            return _UNKNOWN
        case _:
            assert_never(stands)


def _of_maps(model: Model) -> dict[str, str]:
    """What a heatmap is, where it is not Grad-CAM alone."""
    if model.onnx is not None:
        return {_HEATMAP: _OCCLUSION}
    return {_HEATMAP: _JOINED} if is_joined(model) else {}
