"""Analyses with every combination of findings on faces and voices, decided by the rules of the engine."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from analyses import build
from voices import recording, voice

from detector.faces.flaws import TOO_BLURRED, TOO_SMALL
from detector.models.model_files import load_card, read_second_look
from detector.schema.analysis import (
    Analysis,
    Coverage,
    MediaKind,
    Model,
    Parameters,
    Person,
    SecondLook,
    Verdict,
)
from detector.schema.causes.failures import cause_of
from detector.schema.causes.reasons import ReasonCode
from detector.schema.causes.spans import SpanCode
from detector.schema.causes.voices import VoiceCode
from detector.schema.measurements import Span
from detector.schema.voice import Voice, VoiceModel, VoiceVerdict
from detector.verdict.judged_persons import JudgedExhibit, manipulation_kind
from detector.verdict.verdict import decide, exhibit_answers, exhibit_probability, exhibit_stability
from detector.voice.card import read_voice_card

VIDEO, PHOTOGRAPH, SOUND = "video", "photo", "sound"
STRONG, MODERATE, WEAK = "strong", "moderate", "weak"
OPEN, NOTHING = "open", "nothing"
UNJUDGED, FACELESS = "unjudged", "faceless"  # faces of which none could be judged; no face at all
UNREAD, NO_PICTURE = "unread", "-"  # a video whose pictures cannot be read; a recording of sound
SILENT, UNHEARD = "silent", "-"  # no speech; sound was not examined
FINDINGS = (STRONG, MODERATE, WEAK)
DURATION = 20.0  # seconds
_FACE_SCORES = {
    VIDEO: {STRONG: 0.96, MODERATE: 0.84, WEAK: 0.71, OPEN: 0.52, NOTHING: 0.07},
    PHOTOGRAPH: {STRONG: 0.99, MODERATE: 0.96, WEAK: 0.82, OPEN: 0.52, NOTHING: 0.07},
}
_VOICE_SCORES = {STRONG: 0.97, MODERATE: 0.87, WEAK: 0.83, OPEN: 0.53, NOTHING: 0.14}
_SPEECH = 17.5  # seconds


class Combination(NamedTuple):
    """A kind of exhibit, and what was found in its faces and voices."""

    kind: str
    faces: str
    voices: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.faces} faces, {self.voices} voices"

    @property
    def file(self) -> str:
        ending = {VIDEO: "mp4", PHOTOGRAPH: "jpg", SOUND: "opus"}[self.kind]
        return f"{self.faces} faces, {self.voices} voices.{ending}"


class Expected(NamedTuple):
    """What every list, page, message and report says of a combination."""

    filters: str  # F: faces, V: voices, ?: inconclusive, 0: nothing found
    mark: str  # colour and icon
    headline: str


# Kind of exhibit, faces, voices, filters, mark, headline.
_ROWS = """
video strong   strong   FV manipulated Strong signs of face manipulation; strong signs of a synthetic voice
video strong   moderate FV manipulated Strong signs of face manipulation; signs of a synthetic voice
video strong   weak     FV manipulated Strong signs of face manipulation; weak signs of a synthetic voice
video strong   open     F  manipulated Strong signs of face manipulation; inconclusive on voices
video strong   nothing  F  manipulated Strong signs of face manipulation; no synthetic voice found
video strong   silent   F  manipulated Strong signs of face manipulation; no speech
video strong   -        F  manipulated Strong signs of manipulation
video moderate strong   FV manipulated Strong signs of a synthetic voice; signs of face manipulation
video moderate moderate FV moderate    Signs of face manipulation; signs of a synthetic voice
video moderate weak     FV moderate    Signs of face manipulation; weak signs of a synthetic voice
video moderate open     F  moderate    Signs of face manipulation; inconclusive on voices
video moderate nothing  F  moderate    Signs of face manipulation; no synthetic voice found
video moderate silent   F  moderate    Signs of face manipulation; no speech
video moderate -        F  moderate    Signs of manipulation
video weak     strong   FV manipulated Strong signs of a synthetic voice; weak signs of face manipulation
video weak     moderate FV moderate    Signs of a synthetic voice; weak signs of face manipulation
video weak     weak     FV weak        Weak signs of face manipulation; weak signs of a synthetic voice
video weak     open     F  weak        Weak signs of face manipulation; inconclusive on voices
video weak     nothing  F  weak        Weak signs of face manipulation; no synthetic voice found
video weak     silent   F  weak        Weak signs of face manipulation; no speech
video weak     -        F  weak        Weak signs of manipulation
video open     strong   V  manipulated Strong signs of a synthetic voice; inconclusive on faces
video open     moderate V  moderate    Signs of a synthetic voice; inconclusive on faces
video open     weak     V  weak        Weak signs of a synthetic voice; inconclusive on faces
video open     open     ?  inconclusive Inconclusive on faces; inconclusive on voices
video open     nothing  ?  inconclusive Inconclusive on faces; no synthetic voice found
video open     silent   ?  inconclusive Inconclusive on faces; no speech
video open     -        ?  inconclusive Inconclusive
video unjudged strong   V  manipulated Strong signs of a synthetic voice; inconclusive on faces
video unjudged moderate V  moderate    Signs of a synthetic voice; inconclusive on faces
video unjudged weak     V  weak        Weak signs of a synthetic voice; inconclusive on faces
video unjudged open     ?  inconclusive Inconclusive on faces; inconclusive on voices
video unjudged nothing  ?  inconclusive Inconclusive on faces; no synthetic voice found
video unjudged silent   ?  inconclusive Inconclusive on faces; no speech
video unjudged -        ?  inconclusive Inconclusive
video nothing  strong   V  manipulated Strong signs of a synthetic voice; no manipulation of faces found
video nothing  moderate V  moderate    Signs of a synthetic voice; no manipulation of faces found
video nothing  weak     V  weak        Weak signs of a synthetic voice; no manipulation of faces found
video nothing  open     ?  inconclusive Inconclusive on voices; no manipulation of faces found
video nothing  nothing  0  not-found   No manipulation of faces found; no synthetic voice found
video nothing  silent   0  not-found   No manipulation of faces found; no speech
video nothing  -        0  not-found   No manipulation found
video faceless strong   V  manipulated Strong signs of a synthetic voice; no face found
video faceless moderate V  moderate    Signs of a synthetic voice; no face found
video faceless weak     V  weak        Weak signs of a synthetic voice; no face found
video faceless open     ?  inconclusive Inconclusive on voices; no face found
video faceless nothing  0  not-found   No synthetic voice found; no face found
video faceless silent   ?  inconclusive No face found; no speech
video faceless -        ?  inconclusive Inconclusive
photo strong   -        F  manipulated Strong signs of manipulation
photo moderate -        F  moderate    Signs of manipulation
photo weak     -        F  weak        Weak signs of manipulation
photo open     -        ?  inconclusive Inconclusive
photo unjudged -        ?  inconclusive Inconclusive
photo nothing  -        0  not-found   No manipulation found
photo faceless -        ?  inconclusive Inconclusive
sound -        strong   V  manipulated Strong signs of a synthetic voice
sound -        moderate V  moderate    Signs of a synthetic voice
sound -        weak     V  weak        Weak signs of a synthetic voice
sound -        open     ?  inconclusive Inconclusive
sound -        nothing  0  not-found   No synthetic voice found
sound -        silent   ?  inconclusive No speech
sound unread   strong   V  manipulated Strong signs of a synthetic voice; inconclusive on faces
sound unread   moderate V  moderate    Signs of a synthetic voice; inconclusive on faces
sound unread   weak     V  weak        Weak signs of a synthetic voice; inconclusive on faces
sound unread   open     ?  inconclusive Inconclusive on faces; inconclusive on voices
sound unread   nothing  ?  inconclusive Inconclusive on faces; no synthetic voice found
sound unread   silent   ?  inconclusive Inconclusive on faces; no speech
sound -        -        ?  inconclusive Inconclusive
"""
TABLE = {
    Combination(kind, faces, voices): Expected(filters, mark, headline)
    for kind, faces, voices, filters, mark, headline in (
        row.split(maxsplit=5) for row in _ROWS.split("\n") if row
    )
}


@cache
def shipped_model() -> Model:
    """The default model as analyses state it, with the rates of its card."""
    card, weights = load_card()
    return card.model_copy(update={"second_look": read_second_look(card, weights)}).fused.as_model()


@cache
def shipped_voice_model() -> VoiceModel:
    return read_voice_card().as_model()


def analysis_of(combination: Combination, folder: Path, *, pictures: bool = False) -> Analysis:
    """An analysis with these findings, by the shipped models with default parameters."""
    kind, faces, voices = combination
    of_voices = None if voices == UNHEARD else _voice(voices, folder if pictures else None)
    parameters = Parameters(sound=voices != UNHEARD)
    if kind == SOUND:
        made = recording(folder)
        if faces == UNREAD:
            cause = ReasonCode.PICTURES_NOT_READ.cause(problem=(cause_of("The file is damaged."),))
            made = made.model_copy(update={"causes": (cause,), "reason": cause.text})
    else:
        made = _faces(kind, faces, folder, pictures)
    media = made.media.model_copy(update={"file": combination.file})
    return made.model_copy(
        update={"media": media, "model": shipped_model(), "parameters": parameters, "voice": of_voices}
    )


def _faces(kind: str, faces: str, folder: Path, pictures: bool) -> Analysis:
    """A photograph of one person, or a video of two, of whom the first decides."""
    still, score = kind == PHOTOGRAPH, _FACE_SCORES[kind].get(faces)
    persons = {FACELESS: 0, UNJUDGED: 1}.get(faces, 1 if still else 2)
    made = build(
        folder,
        persons=persons,
        segments=int(faces in FINDINGS),
        verdict=Verdict.INCONCLUSIVE if score is None else Verdict.MANIPULATED,
        kind=MediaKind.IMAGE if still else MediaKind.VIDEO,
        duration=DURATION,
        kept=pictures,
    )
    segments = tuple(segment.model_copy(update={"confidence": score}) for segment in made.segments)
    people = tuple(
        _person(person, score if number == 0 or score is None else 0.05, still=still)
        for number, person in enumerate(made.persons)
    )
    coverage = _coverage(faces, still=still, persons=persons)
    exhibit = JudgedExhibit(made.media.kind, Parameters(), coverage, people, segments)
    verdict, causes = decide(exhibit, {})
    return made.model_copy(
        update={
            "verdict": verdict,
            "causes": causes,
            "reason": " ".join(cause.text for cause in causes),
            "probability": exhibit_probability(exhibit, verdict),
            "answers": exhibit_answers(exhibit, verdict),
            "stability": exhibit_stability(verdict, people, segments),
            "kind": manipulation_kind(verdict, people, segments),
            "persons": people,
            "segments": segments,
            "coverage": coverage,
            "declarations": (),
        }
    )


def _person(person: Person, score: float | None, *, still: bool) -> Person:
    look = None
    if score is not None:
        look = SecondLook(
            scan=0.5,
            altered=score,
            synthesised=0.02,
            stability=1.0,
            views_agree=None if still else True,
            moments=(),
        )
    return person.model_copy(update={"probability": score, "second_look": look})


def _coverage(faces: str, *, still: bool, persons: int) -> Coverage:
    sampled = 1 if still else int(DURATION * 8)
    found = persons if still else sampled * persons
    unusable = found if faces == UNJUDGED else 0 if still else found // 10
    usable = 0 if unusable == found else sampled
    gaps: tuple[Span, ...] = ()
    if not usable and not still:
        cause = SpanCode.NO_FACE_FOUND.cause()
        if found:
            cause = SpanCode.UNUSABLE_FACES.cause(flaws=(TOO_SMALL,))
        gaps = (Span(start=0.0, end=DURATION, cause=cause),)
    return Coverage(
        frames_sampled=sampled,
        frames_with_face=sampled if found else 0,
        frames_with_usable_face=usable,
        faces_found=found,
        faces_unusable=unusable,
        flaws={TOO_SMALL if faces == UNJUDGED else TOO_BLURRED: unusable} if unusable else {},
        faces_discarded=0,
        cuts=(),
        not_examined=gaps,
    )


def _voice(voices: str, folder: Path | None) -> Voice:
    flagged, score = voices in FINDINGS, _VOICE_SCORES.get(voices)
    made = voice(folder, duration=DURATION, spans=((3.0, 8.5),) if flagged else ())
    verdict, cause = {
        OPEN: (VoiceVerdict.INCONCLUSIVE, VoiceCode.DOUBTFUL.cause()),
        NOTHING: (VoiceVerdict.NOT_FOUND, VoiceCode.BELOW_THRESHOLD.cause(seconds=_SPEECH)),
        SILENT: (VoiceVerdict.NO_SPEECH, VoiceCode.NO_SPEECH.cause()),
    }.get(voices, (VoiceVerdict.SYNTHETIC, VoiceCode.FOUND.cause(seconds=_SPEECH, segments=1)))
    changes: dict[str, Any] = {
        "verdict": verdict,
        "causes": (cause,),
        "reason": cause.text,
        "probability": score,
        "speech": _SPEECH,
        "segments": tuple(segment.model_copy(update={"confidence": score}) for segment in made.segments),
        "model": shipped_voice_model(),
        "scores": made.scores.model_copy(update=read_voice_card().model_dump(include={"enter", "leave"})),
    }
    if voices == SILENT:
        empty = dict.fromkeys(("time", "logit", "probability", "smoothed"), ())
        changes |= {
            "speech": 0.0,
            "stability": None,
            "not_judged": {SpanCode.SILENCE.code: DURATION},
            "gaps": (Span(start=0.0, end=DURATION, cause=SpanCode.SILENCE.cause()),),
            "scores": made.scores.model_copy(update=empty),
        }
    return made.model_copy(update=changes)
