"""The finding about the voices in sentences, and whether sound was examined at all."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import assert_never

from detector.schema.analysis import Analysis, Voice
from detector.schema.causes.voices import VoiceCode
from detector.schema.strength import Strength
from detector.schema.summary import verdicts_of
from detector.schema.voice import ChannelFinding, VoiceSegment, VoiceVerdict
from language.formatting import duration, from_to, plural, probability, shown, time_span
from language.headlines import SYNTHETIC_VOICE
from language.translation import N_, capitalize_first, gettext, reason_text, translated
from reports.sound.channels import channel_sentences, channel_words
from reports.sound.facts import judged_words
from reports.sound.network_rates import voice_reliability
from reports.wording.photographs import made_since

EXAMINED_SINCE = "1.26"  # schema version
_MOST_TIMES = 4  # segments whose times stand on the first page


class SoundState(Enum):
    """Whether sound was examined, and why not."""

    NONE = auto()  # a photograph
    ABSENT = auto()
    EARLIER_VERSION = auto()
    LEFT_OUT = auto()
    NOT_EXAMINED = auto()
    EXAMINED = auto()


def sound_state(analysis: Analysis) -> SoundState:
    """Return whether the sound of an exhibit was examined."""
    if analysis.media.still:
        return SoundState.NONE
    if not analysis.media.has_sound:
        return SoundState.ABSENT
    if analysis.voice is not None:
        return SoundState.EXAMINED
    if not made_since(analysis, EXAMINED_SINCE):
        return SoundState.EARLIER_VERSION
    return SoundState.NOT_EXAMINED if analysis.parameters.sound else SoundState.LEFT_OUT


_NOT_EXAMINED = {
    SoundState.ABSENT: N_("The file has no sound."),
    SoundState.EARLIER_VERSION: N_(
        "Sound is present. The version that made this analysis did not examine it; analyse the exhibit again "
        "to have its voices examined."
    ),
    SoundState.LEFT_OUT: N_("Sound is present. It was left out of this analysis on request."),
    SoundState.NOT_EXAMINED: N_("Sound is present, but was not examined."),
}


def not_examined_words(state: SoundState) -> str:
    """Say why sound was not examined, in sentences; "" for a photograph, or if it was."""
    return gettext(_NOT_EXAMINED[state]) if state in _NOT_EXAMINED else ""


# What reasons say beyond the sentence of the verdict, by code.
_BESIDE_VERDICT = {
    VoiceCode.NO_SPEECH.code: "",
    VoiceCode.BELOW_THRESHOLD.code: N_(
        "Nowhere does the sound resemble synthetic speech enough for a finding."
    ),
}


def further_reason(voice: Voice) -> str:
    """Return the reason for the verdict on the voices, and what channels have of their own.

    What :func:`verdict_sentence` says is left out.
    """
    codes = [cause.code for cause in voice.causes]
    known = bool(codes) and all(code in _BESIDE_VERDICT for code in codes)
    reasons = [translated(_BESIDE_VERDICT[code]) for code in codes] if known else [reason_text(voice)]
    return " ".join(filter(None, (*reasons, *channel_sentences(voice))))


def signs_of(voice: Voice) -> str:
    """Return the finding of synthetic speech as part of a sentence, by its strength."""
    return gettext(SYNTHETIC_VOICE[voice.strength or Strength.MODERATE])


def verdict_sentence(voice: Voice) -> str:
    """State the verdict on the voices in a sentence."""
    speech = duration(voice.speech)
    match voice.verdict:
        case VoiceVerdict.SYNTHETIC:
            flagged = voice.flagged
            return gettext(
                "The speech shows %(signs)s in %(segments)s: %(flagged)s of the recording.",
                signs=signs_of(voice),
                segments=plural(len(flagged), "segment", "segments"),
                flagged=duration(_covered(flagged)),
            )
        case VoiceVerdict.NOT_FOUND:
            return gettext(
                "No synthetic speech was found in the %(speech)s of speech that were judged.", speech=speech
            )
        case VoiceVerdict.INCONCLUSIVE:
            return gettext("The sound does not allow a conclusion on whether a voice in it is synthetic.")
        case VoiceVerdict.NO_SPEECH:
            return gettext("No speech was found in the sound, so no voice was judged.")
        case _:
            assert_never(voice.verdict)


def _covered(segments: Sequence[VoiceSegment]) -> float:
    """Return the seconds that ``segments`` cover, of which some may be of several channels at once."""
    seconds, reached = 0.0, float("-inf")
    for segment in sorted(segments, key=lambda segment: segment.start):
        seconds += max(0.0, segment.end - max(segment.start, reached))
        reached = max(reached, segment.end)
    return seconds


def _when(voice: Voice, segment: VoiceSegment) -> str:
    """Return when a segment is, and on which channel where each was judged for itself."""
    span = time_span(max(0.0, segment.start), max(0.0, segment.end))
    return f"{span}, {channel_words(voice, segment.channels)}" if segment.channels else span


def first_page_sentence(analysis: Analysis) -> str:
    """Return what the first page says of the sound; "" for a photograph."""
    voice = analysis.voice
    if voice is None:
        return not_examined_words(sound_state(analysis))
    flagged, verdict = voice.flagged, capitalize_first(translated(voice.verdict.value))
    if voice.verdict is VoiceVerdict.SYNTHETIC:
        verdict = capitalize_first(signs_of(voice))
    if 0 < len(flagged) <= _MOST_TIMES:
        spans = "; ".join(_when(voice, segment) for segment in flagged)
        return gettext("%(verdict)s: %(spans)s.", verdict=verdict, spans=spans)
    if flagged:
        return f"{verdict}. {verdict_sentence(voice)}"
    return " ".join(filter(None, (f"{verdict}.", reason_text(voice), *channel_sentences(voice))))


def unexamined_faces(analysis: Analysis) -> str:
    """Say why the faces of a video without readable pictures are inconclusive; "" for any other exhibit."""
    is_video = analysis.media.sound_only and verdicts_of(analysis).faces is not None
    return reason_text(analysis) if is_video else ""


def recording_answers(analysis: Analysis) -> tuple[tuple[str, str], ...]:
    """Return the questions and answers of the first page where only sound was examined."""
    voice, faces = analysis.voice, unexamined_faces(analysis)
    answers = [(gettext("Faces"), faces)] if faces else []
    if voice is None:
        return (*answers, (gettext("What to do next"), next_steps(None)))
    if reason := further_reason(voice):
        answers.append((gettext("Grounds"), reason))
    if flagged := voice.flagged:
        shown_spans = [_when(voice, segment) for segment in flagged[:_MOST_TIMES]]
        more = len(flagged) - len(shown_spans)
        rest = gettext("; and %(count)s more", count=more) if more else ""
        answers.append((gettext("When"), "; ".join(shown_spans) + rest))
    certainty = gettext("Not stated, because no speech was judged.")
    if voice.probability is not None:
        phrase = signs_of(voice) if voice.strength else ""
        score = gettext(
            "Score: %(figure)s. It is not the probability that the recording is synthetic, which also "
            "depends on where it comes from.",
            figure=probability(voice.probability),
        )
        certainty = " ".join(filter(None, (f"{capitalize_first(phrase)}." if phrase else "", score)))
    answers.append((gettext("How certain"), certainty))
    if wrong := voice_reliability(voice):
        answers.append((gettext("How often wrong"), wrong))
    judged = " ".join(_judged(voice, finding) for finding in voice.findings)
    if voice.stream is not None and voice.stream.unread:
        unread = gettext(
            "The file holds %(unread)s bytes that were not examined: they lie behind the end that it "
            "states for its sound, or between the packets, and have an unknown format.",
            unread=shown(voice.stream.unread, ","),
        )
        judged = f"{judged} {unread}"
    return (
        *answers,
        (gettext("How much was judged"), judged),
        (gettext("What to do next"), next_steps(voice)),
    )


def _judged(voice: Voice, finding: ChannelFinding) -> str:
    """State how much of the sound of channels was judged."""
    amounts = judged_words(finding)
    channels = capitalize_first(channel_words(voice, finding.channels))
    return f"{channels}: {amounts}" if channels else amounts


def next_steps(voice: Voice | None) -> str:
    """Recommend what to do about a recording without picture."""
    if voice is None:
        return gettext("Analyse the exhibit again with its sound examined.")
    match voice.verdict:
        case VoiceVerdict.SYNTHETIC:
            return gettext(
                "Listen to the flagged segments yourself. Obtain the original recording and establish where "
                "it comes from. Have the flagged parts checked by a second examiner or another method before "
                "anything is decided or published."
            )
        case VoiceVerdict.NOT_FOUND:
            return gettext(
                "Do not take this as proof that a human spoke, or that the recording is unaltered. If doubts "
                "remain, obtain the original recording and check its origin."
            )
        case VoiceVerdict.INCONCLUSIVE:
            return gettext(
                "A longer copy, or one of better quality such as the original file, may allow a finding. "
                "Until then, this analysis is evidence neither for nor against the recording."
            )
        case VoiceVerdict.NO_SPEECH:
            return gettext(
                "If you hear speech in it, submit a copy of better quality, such as the original file. "
                "Music and noise are not judged."
            )
        case _:
            assert_never(voice.verdict)


def window_words(voice: Voice) -> str:
    """Return how long the windows were in seconds: where the sound begins and ends they are shorter."""
    lengths = set()
    for finding in voice.findings:
        for middle in finding.scores.time:
            start, end = middle - finding.scores.window / 2, middle + finding.scores.window / 2
            if voice.stream is not None:
                start = max(start, voice.stream.start)
                end = min(end, voice.stream.start + voice.stream.duration)
            lengths.add(round(end - start, 1))
    least, most = (shown(length, "g") for length in (min(lengths), max(lengths)))
    return most if least == most else from_to(least, most)


def boundary_words(voice: Voice) -> str:
    """State how exact the ends of segments are; "" without segments."""
    if not voice.segments:
        return ""
    return gettext(
        "Segments of voices begin and end in steps of %(step)s s; how close these are to the true ends was "
        "not measured.",
        step=shown(voice.scores.step / 2, "g"),
    )


def meaning(voice: Voice) -> tuple[str, ...]:
    """List what the finding about the voices means."""
    if not voice.scores.time:
        return (gettext("Nothing in the sound was judged, so it says nothing about any voice."),)
    compared = gettext(
        "Each window of %(window)s s of speech, one every %(step)s s, was scored by a network that was "
        "trained on human speech and on speech made or converted by programs.",
        window=window_words(voice),
        step=shown(voice.scores.step, "g"),
    )
    match voice.verdict:
        case VoiceVerdict.SYNTHETIC:
            return (
                compared,
                gettext("To the network, the flagged segments resemble synthetic or converted speech."),
                gettext(
                    "A person should listen to every flagged segment and weigh it together with the origin "
                    "of the file."
                ),
            )
        case VoiceVerdict.NOT_FOUND:
            return compared, gettext("No speech that could be judged reached the threshold for a finding.")
        case VoiceVerdict.INCONCLUSIVE:
            return compared, gettext("It indicates neither synthetic speech nor its absence.")
        case VoiceVerdict.NO_SPEECH:
            return (gettext("Nothing in the sound was judged, so it says nothing about any voice."),)
        case _:
            assert_never(voice.verdict)


def limits(*, only: bool) -> tuple[str, ...]:
    """List what the finding about the voices does not mean; ``only`` if the exhibit has no picture."""
    independent = gettext(
        "The findings about voices and faces are independent: neither changes the verdict on the other."
    )
    return (
        gettext(
            "It proves nothing by itself. No decision about a person or a publication may rest on a "
            "machine's finding alone."
        ),
        gettext(
            "It does not identify the speaker. It does not tell whose voice is imitated, who made the "
            "recording, or with which program."
        ),
        gettext(
            "Programs for synthetic speech that are newer than the network can go undetected. Strong "
            "compression, telephone lines, noise, music and re-recording hide traces or raise the score of "
            "human speech."
        ),
        gettext(
            "It says nothing about what is said, or about words that were cut out, moved or taken out of "
            "context."
        )
        if only
        else gettext(
            "It says nothing about what is said, about words that were cut out, moved or taken out of "
            "context, or about whether lips and voice belong together."
        ),
        gettext("Music, crowds and silence are not judged; singing can be taken for speech."),
        *(() if only else (independent,)),
    )
