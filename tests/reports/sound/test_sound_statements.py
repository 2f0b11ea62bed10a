"""Each sentence about sound in a report of any kind is true of that kind, in every language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html import unescape
from pathlib import Path

import pytest
from analyses import build
from voices import recording, voice

from detector.schema.analysis import Analysis, MediaKind, Verdict
from detector.schema.causes.cards import CardCode
from detector.schema.causes.cause import Cause
from detector.schema.causes.voices import VoiceCode
from detector.schema.metadata import Details, Stream
from detector.schema.summary import verdicts_of
from detector.schema.voice import VoiceVerdict
from language import translation
from language.catalogues import source
from language.headlines import headline
from reports.render.html import render_html
from reports.report_view import ReportInputs, report_view
from reports.wording.lengths import FULL, SUMMARY

HEARD, UNREADABLE = "video whose voices were examined", "video whose sound cannot be decoded"
LEFT_OUT, EARLIER, SILENT = "video, sound left out", "video, earlier version", "video without sound"
RECORDING, UNHEARD, PHOTO = "recording", "recording, sound left out", "photograph"
KINDS = (HEARD, UNREADABLE, LEFT_OUT, EARLIER, SILENT, RECORDING, UNHEARD, PHOTO)
EXAMINED = (HEARD, RECORDING)
VOICES = (*EXAMINED, UNREADABLE)  # there is a verdict on the voices
NOT_HEARD = (LEFT_OUT, EARLIER)
VIDEOS = (HEARD, UNREADABLE, LEFT_OUT, EARLIER, SILENT)
RECORDINGS = (RECORDING, UNHEARD)
# Beginnings of messages about sound, and the kinds of exhibits of which they are true.
CLAIMS: dict[str, tuple[str, ...]] = {
    "%(speech)s of speech were judged; %(left)s of the sound were not.": EXAMINED,
    "%(seconds)s s of speech were judged": EXAMINED,
    "Nowhere does the sound resemble": EXAMINED,
    "A small network marked where someone speaks": EXAMINED,
    "A person should listen to every flagged segment": EXAMINED,
    "Analyse the exhibit again with its sound examined.": (UNHEARD,),
    "Score of the voices": VOICES,
    "Score of the voices: %(figure)s. The": (HEARD, UNREADABLE),
    "Each window of %(window)s s of speech": EXAMINED,
    "Segments of voices begin and end in steps of %(step)s s": EXAMINED,
    "Do not take this as proof that the file is unaltered. If doubts remain, obtain the original, check its "
    "origin, and have the sound": NOT_HEARD,
    "Everything in the sound that is not speech": (RECORDING,),
    "How much of the sound was judged": VOICES,
    "If you hear speech in it": EXAMINED,
    "Is this sound like the material": EXAMINED,
    "It does not identify the speaker": VOICES,
    "It indicates neither synthetic speech nor its absence.": EXAMINED,
    "It says nothing about sound": NOT_HEARD,
    "It says nothing about the voices, which have a verdict": (HEARD, UNREADABLE),
    "It says nothing about what is said, about words": (HEARD, UNREADABLE),
    "Listen to the flagged segments of the voice as well.": (HEARD,),
    "Listen to the flagged segments yourself.": EXAMINED,
    "Of 100 human recordings from sources": EXAMINED,
    "At this strength or a higher one, %(flagged)s of %(unmanipulated)s human": EXAMINED,
    "weak signs of a synthetic voice": EXAMINED,
    "signs of a synthetic voice": EXAMINED,
    "strong signs of a synthetic voice": EXAMINED,
    "Of 100 synthetic recordings from sources": EXAMINED,
    "Music, crowds and silence are not judged": VOICES,
    "Network for voices": VOICES,
    "No speech that could be judged": EXAMINED,
    "No speech was found in the sound": EXAMINED,
    "No synthetic speech was found": EXAMINED,
    "Nothing in the sound was judged": VOICES,
    "Other sound tracks": EXAMINED,
    "Programs for synthetic speech that are newer": VOICES,
    "SHA-256 of the network for voices": VOICES,
    "Segments of synthetic speech": EXAMINED,
    "Sound is present. It was left out": (LEFT_OUT, UNHEARD),
    "Sound is present. The version": (EARLIER,),
    "Sound not judged": VOICES,
    "Sound that was not judged": EXAMINED,
    "Sound track": EXAMINED,
    "Speech judged": VOICES,
    "The speech shows %(signs)s": EXAMINED,
    "The file has no sound.": (SILENT,),
    "The findings about voices and faces": (HEARD, UNREADABLE),
    "The sound cannot be decoded": (UNREADABLE,),
    "The sound does not allow a conclusion": VOICES,
    "The sound over time": EXAMINED,
    "The sound was decoded": EXAMINED,
    "There is no speech in the sound.": EXAMINED,
    "The score of the speech is below the threshold": EXAMINED,
    "To the network, the flagged segments resemble synthetic": EXAMINED,
    "Voice %(number)s": EXAMINED,
    "What the finding about the voices means": VOICES,
    "no speech": EXAMINED,
    "no synthetic speech found": EXAMINED,
    "share of views of the same sound": EXAMINED,
    "sound (the file has none)": (SILENT,),
    "synthetic speech found": EXAMINED,
    "voice segment": RECORDINGS,
    # Headings, names of tables and parameters, and what a network cannot judge of any exhibit.
    "Report of analysis: manipulation of faces, synthetic": (HEARD, UNREADABLE),
    "Summary report: manipulation of faces, synthetic": (HEARD, UNREADABLE),
    "Report of analysis: synthetic speech": RECORDINGS,
    "Summary report: synthetic speech": RECORDINGS,
    "A number from 0 to 1 that says how strongly the network responds to speech": (*VOICES, UNHEARD),
    "score of a voice": (HEARD, UNREADABLE),
    "A picture of sound": RECORDINGS,
    "A stretch of a few seconds of speech": RECORDINGS,
    "An interval of time in which the speech": RECORDINGS,
    "sound recording": RECORDINGS,
    "sound": (*VIDEOS, *RECORDINGS),
    "voice": VOICES,
    "Sound": (*VIDEOS, RECORDING),
    "Voice": (*VIDEOS, *RECORDINGS),
    "audio": (*RECORDINGS, HEARD, UNREADABLE, LEFT_OUT, EARLIER),
    "voices are examined, if the file has sound": KINDS,
    "This model judges faces alone: neither lip-sync": KINDS,
}
WORDS = {
    "en": r"\b(sounds?|voices?|speech|speaker|spoken|audio|hears?|heard|listen)\b",
    "de": r"\bton(s|spur\w*|aufnahme)?\b|stimme(?! ich)|sprach(?!e dieses)|(?<!ent)sprech|klang|\bhör|audio",
    "es": r"sonido|\bvo(z|ces)\b|\bhabla(?! ni a favor| en contra)|audio|sonor|escuch",
}
# What is no sentence: commands, the file's name, words of the network's card, figures around headings.
NAMES = re.compile(
    r"^python -m .*|voice message\.opus|Voices 1|Speech of 45 .*|, (?:AAC|Opus)$"
    r"| ·$|^\d+ |: [\d.,]+$| \(.*: 1\)$"
)
CARD = (
    CardCode.HEAD_ALONE.cause(),
    CardCode.INNER_FACE_ALONE.cause(),
    CardCode.FACE_ALONE.cause(),
)


def _stream(index: int, kind: str, codec: str, *, examined: bool) -> Stream:
    sound = {"channels": 2, "sample_rate": 48000} if kind == "audio" else {}
    return Stream(index=index, kind=kind, codec=codec, examined=examined, **sound)


VERDICTS = (
    (Verdict.MANIPULATED, VoiceVerdict.SYNTHETIC, VoiceCode.FOUND.cause(seconds=17.5, segments=1)),
    (Verdict.NOT_FOUND, VoiceVerdict.NOT_FOUND, VoiceCode.BELOW_THRESHOLD.cause(seconds=17.5)),
    (Verdict.INCONCLUSIVE, VoiceVerdict.INCONCLUSIVE, VoiceCode.DOUBTFUL.cause()),
    (Verdict.NOT_FOUND, VoiceVerdict.NO_SPEECH, VoiceCode.NO_SPEECH.cause()),
)


def exhibit(folder: Path, kind: str, verdict: Verdict, about_voice: VoiceVerdict, why: Cause) -> Analysis:
    """An analysis of this kind as version 1.26 wrote it, which states streams of pictures alone as examined.

    ``about_voice`` is the verdict on the voices, and ``why`` its reason, where they were examined.
    """
    if kind in (RECORDING, UNHEARD):
        analysis = recording(folder)
        streams: tuple[Stream, ...] = (_stream(0, "audio", "opus", examined=False),)
    else:
        still = kind == PHOTO
        analysis = build(
            folder,
            segments=2 if verdict is Verdict.MANIPULATED else 0,
            verdict=verdict,
            duration=20.0,
            kind=MediaKind.IMAGE if still else MediaKind.VIDEO,
        )
        streams = (_stream(0, "video", analysis.media.codec, examined=True),)
        if kind in (HEARD, UNREADABLE, *NOT_HEARD):
            streams = (*streams, _stream(1, "audio", "aac", examined=False))
    media = analysis.media.model_copy(
        update={"details": Details(streams=streams), "has_sound": kind not in (SILENT, PHOTO)}
    )
    update: dict[str, object] = {
        "media": media,
        "model": analysis.model.model_copy(update={"limit_causes": CARD}),
    }
    if kind in VOICES:
        spans = ((3.0, 8.5),) if about_voice is VoiceVerdict.SYNTHETIC else ()
        heard = voice(folder, spans=spans, verdict=about_voice)
        assert heard.stream is not None
        found: dict[str, object] = {
            "reason": why.text,
            "causes": (why,),
            "stream": heard.stream.model_copy(update={"index": len(streams) - 1}),
        }
        if kind == UNREADABLE:
            cause = VoiceCode.NOT_DECODED.cause()
            empty = dict.fromkeys(("time", "logit", "probability", "smoothed"), ())
            found = {
                "verdict": VoiceVerdict.INCONCLUSIVE, "reason": cause.text, "causes": (cause,),
                "probability": None, "stability": None, "stream": None, "speech": 0.0, "not_judged": {},
                "gaps": (), "segments": (), "properties": (), "waveform": None, "spectrogram": None,
                "scores": heard.scores.model_copy(update=empty),
            }  # fmt: skip
        update["voice"] = heard.model_copy(update=found)
    if kind in (LEFT_OUT, UNHEARD):
        update |= {"voice": None, "parameters": analysis.parameters.model_copy(update={"sound": False})}
    if kind == EARLIER:
        update["schema_version"] = "1.25"
    return analysis.model_copy(update=update)


def sentences(analysis: Analysis, folder: Path, language: str, length: str) -> set[str]:
    """The sentences about sound of a report, as readers see them."""
    view = report_view(analysis, folder, ReportInputs(language_code=language, length=length))
    with translation.speaking(language):
        page = render_html(view, {picture.key: b"" for picture in view.pictures}, ())
    page = re.sub(r"<(style|pre|code)\b.*?</\1>", "", page, flags=re.DOTALL)
    texts = {" ".join(unescape(text).split()) for text in re.split(r"<[^>]*>", page)}
    texts -= {" ".join(answer.split()) for _, answer in view.answers[:-1]}  # some are lists
    parts = {NAMES.sub("", part).strip().rstrip(".") for text in texts for part in _split(text)}
    return {part for part in parts if re.search(WORDS[language], part, re.IGNORECASE)}


def _split(text: str) -> Iterator[str]:
    yield from re.split(r"(?<=[.!?]) (?=[A-ZÄÖÜ¿“„«\d%])", text)


@cache
def messages() -> dict[str, tuple[str, ...]]:
    """All messages of the sources about sound, with their plural."""
    ids = [message.id for message in source("de") if message.id]
    every = {each[0] if isinstance(each, tuple | list) else each: each for each in ids}
    return {name: tuple(each) if isinstance(each, tuple | list) else (each,) for name, each in every.items()}


@cache
def patterns(language: str, claim: str) -> tuple[re.Pattern[str], ...]:
    """What a message may look like once it is filled, sentence by sentence."""
    found = [name for name in messages() if name.startswith(claim)] if claim not in messages() else [claim]
    assert found, f"no message begins with {claim!r}"
    texts: list[str] = []
    for name in found:
        if language == "en":
            texts += messages()[name]
        else:
            known = source(language).get(name)
            assert known is not None
            texts += known.string if isinstance(known.string, tuple | list) else (known.string,)
    nodes = [node.strip() for text in texts for node in re.split(r"<[^>]*>", text)]
    parts = [part.rstrip(".") for node in nodes for part in _split(node)]
    return tuple(
        re.compile(".*".join(map(re.escape, re.split(r"%\(\w+\)s", part.replace("%%", "%")))), re.IGNORECASE)
        for part in parts
        if re.search(r"[^\W\d_]{2}", re.sub(r"%\(\w+\)s", "", part))
    )


@pytest.mark.parametrize("language", translation.LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_sentence_about_sound_is_true(tmp_path: Path, kind: str, language: str) -> None:
    for verdict, about_voice, why in VERDICTS:
        analysis = exhibit(tmp_path, kind, verdict, about_voice, why)
        with translation.speaking(language):
            both = headline(verdicts_of(analysis))  # tests/webapp/analyses/test_outcomes.py has all of them
        for length in (FULL, SUMMARY):
            for sentence in sorted(sentences(analysis, tmp_path, language, length) - {both}):
                known = [
                    claim
                    for claim in CLAIMS
                    if any(pattern.fullmatch(sentence) for pattern in patterns(language, claim))
                ]
                assert known, f"state in CLAIMS of which exhibits this is true: {sentence!r} ({kind})"
                assert any(kind in CLAIMS[claim] for claim in known), f"{sentence!r} of a {kind}"


STATED = {
    HEARD: ("examined", "present, examined"),
    UNREADABLE: ("not examined", "present, could not be decoded"),
    LEFT_OUT: ("not examined", "present, not examined"),
    EARLIER: ("not examined", "present, not examined"),
    SILENT: (None, "absent"),
    RECORDING: ("examined", None),
    UNHEARD: ("not examined", None),
    PHOTO: (None, None),
}


@pytest.mark.parametrize("language", translation.LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_streams_and_summary_agree_with_the_result(tmp_path: Path, kind: str, language: str) -> None:
    analysis = exhibit(tmp_path, kind, *VERDICTS[0])
    view = report_view(analysis, tmp_path, ReportInputs(language_code=language))
    with translation.speaking(language):
        of_stream, of_sound = (text and translation.gettext(text) for text in STATED[kind])
        is_sound = translation.gettext("audio")
        assert [row[3] for row in view.metadata.streams if row[1].startswith(is_sound)] == (
            [of_stream] if of_stream else []
        )
        facts = {fact.name: fact.value for fact in view.recording}
        assert facts.get(translation.gettext("Sound")) == of_sound
        left = dict(view.answers).get(translation.gettext("Not examined"), "").split("; ")[0].casefold()
        expected = {SILENT: "sound (the file has none)", **dict.fromkeys((UNREADABLE, *NOT_HEARD), "sound")}
        assert (left == translation.gettext(expected.get(kind, "sound")).casefold()) == (kind in expected)


def test_the_result_states_the_sound_that_was_examined(tmp_path: Path) -> None:
    """Field ``examined`` of a stream in analysis.json."""
    heard = exhibit(tmp_path, HEARD, *VERDICTS[0]).with_examined_sound()
    assert heard.media.details is not None
    assert [(stream.kind, stream.examined) for stream in heard.media.details.streams] == [
        ("video", True),
        ("audio", True),
    ]
    silent = exhibit(tmp_path, SILENT, *VERDICTS[0])
    assert silent.with_examined_sound() == silent
