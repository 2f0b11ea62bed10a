"""Annex of the report: notes for readers on figures and error rates, and the glossary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from detector.schema.analysis import Analysis, Model, Rate
from detector.schema.model import LEARNT, LEFT_OUT_FOUND, PAGES_LEFT_OUT, WHOLE_PROGRAM
from detector.schema.peaks import CLEAR_RATIO
from detector.validation.validated_model import unmeasured_parameters
from language.formatting import grouped, plural, shown
from language.names import model_title
from language.translation import N_, gettext
from reports.wording.heatmaps import is_joined
from reports.wording.photographs import rates_of_one_person
from reports.wording.verbal_scale import Basis, basis, concerns

_FALSE_ALARMS, _MISSES = "false positive rate", "false negative rate"


@dataclass(frozen=True)
class Hundred:
    """An error rate drawn as a hundred squares, of which ``filled`` are errors; none if not measured."""

    title: str
    filled: int
    words: str
    measured: bool = True


@dataclass(frozen=True)
class ReaderView:
    """The annex: what a score means, and the error rates of a model.

    ``apart`` explains why no rates are shown, if they do not apply to this analysis; ``one_person`` that they
    were measured on photographs of one person; ``unknown`` states how much is found of generators that the
    model has not learned from.
    """

    probability: str
    model: str
    errors: tuple[Hundred, ...]
    apart: str = ""
    one_person: str = ""
    unknown: str = ""


def reader_view(analysis: Analysis) -> ReaderView:
    """Return the annex for an analysis."""
    view = reader_view_of_model(analysis.model, analysis.media.still)
    names = unmeasured_parameters(analysis)
    if not names:
        return replace(view, one_person=rates_of_one_person(analysis))
    apart = gettext(
        "It is not known how often such a decision is wrong. The error rates on the card of the model "
        "that decided, %(model)s, were measured with the default parameters; this analysis used others "
        "(%(names)s).",
        model=model_title(analysis.model.title),
        names=", ".join(names),
    )
    return replace(view, errors=(), apart=apart)


def reader_view_of_model(model: Model, still: bool) -> ReaderView:
    """Return the annex for a model, measured on photos (``still``) or on videos.

    Rates by verdict come before other rates; rates on training data are left out. If the whole program was
    measured on the same data as its networks, the higher rate is shown: the networks were measured without
    each clip's own group, while the program leaves more verdicts inconclusive.
    """
    rates = [rate for rate in model.rates if concerns(model, rate.data, still) and rate.note != LEARNT]
    return ReaderView(
        probability=_probability_note(model, still),
        model=model_title(model.title),
        errors=tuple(
            _hundred(words, _rate_note(figure, rates))
            for figure, words in (
                (_FALSE_ALARMS, gettext("False alarms: not manipulated, but flagged")),
                (_MISSES, gettext("Misses: manipulated, but not flagged")),
            )
        ),
        unknown="" if still else _unknown_generators(model),
    )


def _unknown_generators(model: Model) -> str:
    """State how much is found of generators left out of training; empty if it was not measured."""
    kinds = {
        "talking": "talking heads and avatars",
        "swaps": "swaps and reenactment",
        "video": "text-to-video",
        "lips": "lip-sync",
    }
    shares = {
        key: model.figures.get(f"{PAGES_LEFT_OUT}, {kind}, {LEFT_OUT_FOUND}") for key, kind in kinds.items()
    }
    measured = {key: shown(100 * share, ".0f") for key, share in shares.items() if share is not None}
    if measured.keys() != kinds.keys():
        return ""
    return gettext(
        "Generators that the model has not learned from are missed more often. With a threshold that flags 5 "
        "of 100 unmanipulated clips, it found of every 100 clips by such generators %(talking)s of talking "
        "heads and avatars, %(swaps)s of face swaps and reenactment, %(video)s of videos made from text and "
        "%(lips)s of lip-sync. The threshold of this program is stricter, so it finds fewer.",
        **measured,
    )


def _probability_note(model: Model, still: bool) -> str:
    kind = basis(model, still=still)
    match kind:
        case Basis.OFF:
            return gettext(
                "This report states a score instead. Measurements show that for this model it "
                "differs widely from the share of manipulated faces: it only tells how strongly the "
                "network responds."
            )
        case Basis.UNKNOWN:
            return gettext(
                "This report states a score instead. It is not known how this model was calibrated: "
                "the score only tells how strongly the network responds, and need not match the "
                "share of manipulated faces."
            )
        case Basis.SCALED:
            return gettext(
                "For a video, this report states a score instead. It is scaled so that few "
                "unmanipulated clips of the validation data reach the threshold for a finding; it is not "
                "the share of manipulated clips."
            )
        case Basis.SHARE if model.second_look is None:
            return gettext(
                "This report states a score instead. It was calibrated on material of which half is "
                "manipulated."
            )
        case Basis.SHARE:
            return gettext(
                "For a photograph, this report states a score instead. It was calibrated on photographs "
                "of which half are manipulated."
            )
        case _:
            assert_never(kind)


def _rate_note(figure: str, rates: Sequence[Rate]) -> Rate | None:
    candidates = [rate for rate in rates if rate.figure == figure]
    first = min(candidates, key=lambda rate: rate.threshold is not None, default=None)
    if first is None:
        return None
    same_data = [rate for rate in candidates if rate.data.removeprefix(f"{WHOLE_PROGRAM}, ") == first.data]
    return max((first, *same_data), key=lambda rate: rate.value)


def _hundred(title: str, rate: Rate | None) -> Hundred:
    if rate is None:
        words = gettext("This was not measured for this model, so the rate is unknown.")
        return Hundred(title, 0, words, measured=False)
    words = gettext(
        "%(events)s of %(counted)s, about %(share)s %%.",
        share=shown(100 * rate.value, ".0f"),
        events=grouped(rate.events if rate.events is not None else round(rate.value * rate.items)),
        counted=plural(rate.items, rate.unit.removesuffix("s"), rate.unit),
    )
    if rate.low is not None and rate.high is not None:
        words += gettext(
            " With so few measurements, the true figure may lie anywhere between %(low)s and %(high)s of "
            "100.",
            low=shown(100 * rate.low, ".0f"),
            high=shown(100 * rate.high, ".0f"),
        )
    return Hundred(title, round(100 * rate.value), words)


GLOSSARY = (
    (N_("exhibit"), N_("The uploaded file, unchanged, identified by its SHA-256.")),
    (N_("analysis"), N_("One run of one model on one exhibit. It is never changed afterwards.")),
    (N_("track"), N_("One face, followed from frame to frame between two cuts.")),
    (
        N_("person"),
        N_(
            "One or more tracks that show the same face. The letters tell faces apart; they do not identify "
            "anyone."
        ),
    ),
    (
        N_("score"),
        N_(
            "A number from 0 to 1 that says how strongly the networks respond to a face or a voice. Reports "
            "state how it was calibrated. It is not the probability that the file is manipulated."
        ),
    ),
    (N_("frame score"), N_("The score of one face in one frame.")),
    (
        N_("smoothed score"),
        N_("The frame scores of a track after a sliding median. Segments are derived from it."),
    ),
    (
        N_("segment"),
        N_(
            "A period in which one person reaches the threshold for a finding. It is flagged if a finding "
            "rests on it; if there is reason to doubt it, it is listed as looked at, not flagged."
        ),
    ),
    (
        N_("score of a segment"),
        N_("The score that the mean logit of its frames gives, not the smoothed score."),
    ),
    (
        N_("interval"),
        N_(
            "The range in which a segment's score may plausibly lie. The wider it is, the less certain the "
            "score is."
        ),
    ),
    (
        N_("peak frame"),
        N_("A frame at which the smoothed score of a segment has a local maximum; at most three are shown."),
    ),
    (
        N_("heatmap"),
        N_(
            "The areas of the face that raised the score most, shown as colours over the frame (method: "
            "Grad-CAM)."
        ),
    ),
    (
        N_("hide and re-score"),
        N_(
            "A test of a heatmap. Its hottest area is hidden and the face is scored again; the same is "
            "done with random areas of the same size. The map is confirmed if the logit falls clearly "
            "more (by at least 0.5 and, since 0.3, twice the standard deviation over random areas), "
            "and at least %(ratio)s times as much, as it does for random areas, and since then also more "
            "than for the middle of the face."
        )
        % {"ratio": shown(CLEAR_RATIO, "g")},
    ),
    (
        N_("logit"),
        N_(
            "The output of a network before it becomes a score. Equal steps are equal evidence: from a score "
            "of 0.99 to 0.98 it falls by 0.7."
        ),
    ),
    ("PTS", N_("Presentation time stamp: the exact time of a frame as stored in the file.")),
    (
        N_("frame number"),
        N_("The position of a frame in the file, counted from 0."),
    ),
    ("UTC", N_("Coordinated universal time, the same everywhere. The local time is stated beside it.")),
    (
        N_("custody log"),
        N_(
            "A record of who did what to the exhibit, and when. Each entry contains the fingerprint of "
            "the entry before it, so any later change is detectable."
        ),
    ),
    ("SHA-256", N_("A fingerprint of a file. Files with the same SHA-256 are identical, bit for bit.")),
)


_SCORE, _HEATMAP = "score", "heatmap"
_SCALED = N_(
    "A number from 0 to 1 that says how strongly the networks respond to a face, scaled so that few "
    "unmanipulated clips of the validation data reach 0.65, the default threshold for a finding. It is "
    "neither the share of manipulated faces among those with the same score nor the probability that the "
    "file is manipulated."
)
_SHARE = N_(
    "A number from 0 to 1 that says how strongly the networks respond to a face. It was calibrated on "
    "validation data of which half is manipulated: of 100 faces there with a score of 0.70, about 70 were "
    "manipulated. Where manipulation is rarer, fewer are. It is not the probability that the file is "
    "manipulated."
)
_PHOTO_SCORE = N_(
    "A number from 0 to 1 that says how strongly the networks respond to a face. It was calibrated on "
    "photographs of which half are manipulated. It is not the probability that a photograph is manipulated, "
    "which also depends on where it comes from."
)
_VOICE_SCORE = N_(
    "A number from 0 to 1 that says how strongly the network responds to speech. It was calibrated on "
    "recordings of demonstration pages, human and synthetic ones weighted alike. It is not the probability "
    "that a voice is synthetic."
)
_PHOTO_PERSON = N_("One face in the photograph. The letters tell faces apart; they do not identify anyone.")
_PHOTO_KINDS = N_(
    "The two kinds of manipulation tested for every face: it was replaced or altered in a photograph, or it "
    "was created entirely by a generator. Each has a score; the higher one is stated for the face."
)
_PHOTO_INTERVAL = N_(
    "The range in which a score may plausibly lie. The wider the interval, the less certain the score."
)
_PHOTO_HEATMAP = N_(
    "The areas of the face that raised the score most, shown as colours over the photograph (method: "
    "Grad-CAM)."
)
_PHOTO_DECLARATION = N_(
    "What the file itself states about its origin. Anyone can write or remove such a statement; it never "
    "affects a verdict."
)
_VIDEO_TERMS = {
    N_("track"),
    N_("smoothed score"),
    N_("segment"),
    N_("peak frame"),
    "PTS",
    N_("frame number"),
    N_("frame score"),
    N_("score of a segment"),
    N_("interval"),
    N_("person"),
    N_("heatmap"),
}
_OFF = N_(
    "A number from 0 to 1 that says how strongly the network responds to a face, scaled on validation data. "
    "Even there it differs widely from the share of manipulated faces among those with the same score."
)
_UNKNOWN = N_(
    "A number from 0 to 1 that says how strongly the network responds to a face. It is not known how it was "
    "calibrated: it need not match the share of manipulated faces among those with the same score."
)
_JOINED = N_(
    "The areas of the face without which the score would fall most, shown as colours over the picture "
    "(method: map of hidden parts; before 0.3, Grad-CAM and HiResCAM)."
)
_OCCLUSION = N_(
    "The areas of the face whose removal lowers the score most, shown as colours over the picture "
    "(method: occlusion map)."
)


_CALIBRATIONS = {Basis.SHARE: _SHARE, Basis.SCALED: _SCALED, Basis.OFF: _OFF, Basis.UNKNOWN: _UNKNOWN}
_OF_VOICE = N_("score of a voice")


def _score(model: Model, *, still: bool) -> str:
    """Say what the score of a face means for this model."""
    if still and model.second_look is not None:
        return _PHOTO_SCORE
    return _CALIBRATIONS[basis(model, still=still)]


def glossary(analysis: Analysis, section: int) -> tuple[tuple[str, str], ...]:
    """Return the terms of the report; ``section`` is the section that explains intervals."""
    if analysis.media.sound_only:
        return sound_glossary()
    still = analysis.media.still
    terms = dict(GLOSSARY)
    if still:
        terms = {term: words for term, words in terms.items() if term not in _VIDEO_TERMS}
        terms["person"] = _PHOTO_PERSON
        if analysis.model.second_look is not None:
            terms[N_("face swap or edit, generated face")] = _PHOTO_KINDS
        terms |= {"interval": _PHOTO_INTERVAL, _HEATMAP: _PHOTO_HEATMAP}
        if analysis.declarations is not None:
            terms[N_("declaration")] = _PHOTO_DECLARATION
    explained = gettext("Section %(section)s explains how intervals are computed.", section=section)
    terms["interval"] = f"{gettext(terms['interval'])} {explained}"
    terms |= {_SCORE: _score(analysis.model, still=still)} | _other_maps(analysis.model)
    return _after_score(terms, {_OF_VOICE: _VOICE_SCORE} if analysis.voice is not None else {})


def sound_glossary() -> tuple[tuple[str, str], ...]:
    """Return the terms of the report on a recording of sound without picture."""
    return (
        (N_("exhibit"), dict(GLOSSARY)["exhibit"]),
        (
            N_("window"),
            N_("A stretch of a few seconds of speech that the network judges at once; windows overlap."),
        ),
        (
            N_("voice segment"),
            N_("An interval of time in which the speech reaches the threshold for a finding."),
        ),
        (_SCORE, _VOICE_SCORE),
        (
            N_("spectrogram"),
            N_(
                "A picture of sound: time from left to right, frequency from bottom to top, loudness as "
                "brightness."
            ),
        ),
        (
            N_("heatmap"),
            N_("Colours over a spectrogram: the times and frequencies that raised the score of the window."),
        ),
    )


def general_glossary(model: Model | None) -> tuple[tuple[str, str], ...]:
    """Return the terms of all reports by this model, on videos and on photos."""
    if model is None:
        return GLOSSARY
    terms = dict(GLOSSARY) | _other_maps(model) | {_SCORE: _score(model, still=False)}
    if model.second_look is None:
        return _after_score(terms, {_OF_VOICE: _VOICE_SCORE})
    of_video = {N_("score of a video"): terms[_SCORE], N_("score of a photograph"): _score(model, still=True)}
    return _after_score(terms, of_video | {_OF_VOICE: _VOICE_SCORE}, instead=True)


def _after_score(
    terms: Mapping[str, str], more: Mapping[str, str], *, instead: bool = False
) -> tuple[tuple[str, str], ...]:
    """Insert ``more`` terms after the score, or ``instead`` of it."""
    names = list(terms)
    place = names.index(_SCORE)
    items = list(terms.items())
    items[place + (not instead) : place + 1] = more.items()
    return tuple(items)


def _other_maps(model: Model) -> dict[str, str]:
    """Explain heatmaps that are not made by Grad-CAM alone."""
    if model.onnx is not None:
        return {_HEATMAP: _OCCLUSION}
    return {_HEATMAP: _JOINED} if is_joined(model) else {}
