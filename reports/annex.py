"""Annex of the report: notes for readers on figures and error rates, and the glossary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from detector.schema.analysis import Analysis, Model, Rate
from detector.schema.model import LEARNT, WHOLE_PROGRAM
from detector.validation.validated_model import not_as_measured
from reports.language.formatting import grouped, plural, shown
from reports.language.names import model_title
from reports.language.translation import N_, gettext
from reports.wording import photographs
from reports.wording.heatmaps import CLEAR_MARGIN, CLEAR_RATIO, is_joined
from reports.wording.photographs import rates_of_one_person
from reports.wording.verbal_scale import Basis, basis, concerns

_FALSE_ALARMS, _MISSES = "false positive rate", "false negative rate"


@dataclass(frozen=True)
class Hundred:
    """An error rate as a hundred squares, of which ``filled`` are errors; none where it was not measured."""

    title: str
    filled: int
    words: str


@dataclass(frozen=True)
class ReaderView:
    """What the annex shows: what a probability stands for, and the two error rates of whose card.

    ``apart`` says why that card's rates do not hold for this analysis, of which none are shown then;
    ``one_person`` that they are of photographs of one person, where several faces were judged.
    """

    probability: str
    model: str
    errors: tuple[Hundred, ...]
    apart: str = ""
    one_person: str = ""


def reader_view(analysis: Analysis) -> ReaderView:
    """The annex of an analysis."""
    view = reader_view_of_model(analysis.model, analysis.media.still)
    names = not_as_measured(analysis)
    if not names:
        return replace(view, one_person=rates_of_one_person(analysis))
    apart = gettext(
        "How often such a decision is wrong is not known. The error rates on the card of the model that "
        "decided, %(model)s, were measured with the parameters as shipped; this analysis was made with "
        "others (%(names)s).",
        model=model_title(analysis.model.title),
        names=", ".join(names),
    )
    return replace(view, errors=(), apart=apart)


def reader_view_of_model(model: Model, still: bool) -> ReaderView:
    """The annex of a model, measured on photos (``still``) or on videos.

    Rates by verdict count, or else the first measured, but none of what the model learnt from. Where the
    whole program was measured on the same data as its networks' step, the higher of both stands there: the
    step was measured without each clip's own group, the program leaves more verdicts open.
    """
    rates = [rate for rate in model.rates if concerns(model, rate.data, still) and rate.note != LEARNT]
    return ReaderView(
        probability=_probability_note(model, still),
        model=model_title(model.title),
        errors=tuple(
            _hundred(words, _rate_note(figure, rates))
            for figure, words in (
                (_FALSE_ALARMS, gettext("False alarms: unmanipulated, and flagged all the same")),
                (_MISSES, gettext("Misses: manipulated, and not flagged")),
            )
        ),
    )


def _probability_note(model: Model, still: bool) -> str:
    stands = basis(model, still=still)
    match stands:
        case Basis.OFF:
            return gettext(
                "Where a probability is given instead, it was measured for this model to lie far from a "
                "share of manipulated faces: it says how strongly the network answers."
            )
        case Basis.UNKNOWN:
            return gettext(
                "Where a probability is given instead, how it was calibrated is not known for this model: it "
                "says how strongly the network answers, and need not be a share of manipulated faces."
            )
        case Basis.SCALED:
            return gettext(
                "Where a probability of a video is given instead, it is scaled so that few unmanipulated "
                "clips of the validation data reach a finding's threshold; it is not a share of manipulated "
                "ones."
            )
        case Basis.SHARE if model.second_look is None:
            return gettext(
                "Where a calibrated probability is given instead, it holds for material of which half was "
                "manipulated."
            )
        case Basis.SHARE:
            return gettext(
                "Where a calibrated probability of a photograph is given instead, it holds for photographs "
                "of which half were manipulated."
            )
        case _:
            assert_never(stands)


def _rate_note(figure: str, rates: Sequence[Rate]) -> Rate | None:
    of_figure = [each for each in rates if each.figure == figure]
    first = next(iter(sorted(of_figure, key=lambda each: each.threshold is not None)), None)
    if first is None:
        return None
    same = [each for each in of_figure if each.data.removeprefix(f"{WHOLE_PROGRAM}, ") == first.data]
    return max((first, *same), key=lambda each: each.value)


def _hundred(title: str, rate: Rate | None) -> Hundred:
    if rate is None:
        return Hundred(title, 0, _unmeasured())
    told = gettext(
        "%(share)s of 100, measured: %(events)s of %(counted)s.",
        share=shown(100 * rate.value, ".0f"),
        events=grouped(rate.events if rate.events is not None else round(rate.value * rate.items)),
        counted=plural(rate.items, rate.unit.removesuffix("s"), rate.unit),
    )
    if rate.low is not None and rate.high is not None:
        told += gettext(
            " With so few measured, the true figure may lie anywhere from %(low)s to %(high)s of 100.",
            low=shown(100 * rate.low, ".0f"),
            high=shown(100 * rate.high, ".0f"),
        )
    return Hundred(title, round(100 * rate.value), told)


def _unmeasured() -> str:
    return gettext("This was not measured for this model, so nobody can say how often.")


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
