"""How much of the sound was judged, as facts for tables."""

from __future__ import annotations

from detector.schema.analysis import Analysis
from detector.schema.codec_names import codec_name
from detector.schema.voice import ChannelFinding, Voice
from language.formatting import duration, plural, shown, timecode
from language.translation import Quoted, capitalize_first, gettext
from reports.sound.channels import channel_words
from reports.wording.sections import Fact


def sound_facts(analysis: Analysis) -> tuple[Fact, ...]:
    """State how much of the sound was judged, and which track it was; nothing if it was not examined."""
    voice = analysis.voice
    if voice is None:
        return ()
    facts = []
    for finding in voice.findings:
        if finding.channels:
            facts.append(_of_channels(voice, finding))
            continue
        facts += [
            Fact(gettext("Speech judged"), duration(finding.speech)),
            Fact(gettext("Sound not judged"), duration(sum(finding.not_judged.values()))),
            Fact(gettext("Windows scored"), shown(len(finding.scores.time), ",")),
        ]
        if finding.stability is not None:
            note = gettext("share of views of the same sound with the same verdict")
            facts.append(Fact(gettext("Stability"), shown(finding.stability, ".2g"), note))
    stream = voice.stream
    if stream is None:
        return tuple(facts)
    track = gettext(
        "stream %(index)s: %(codec)s, %(channels)s, %(rate)s Hz",
        index=stream.index,
        codec=codec_name(stream.codec),
        channels=plural(stream.channels, "channel", "channels"),
        rate=shown(stream.sample_rate, ","),
    )
    facts.append(Fact(gettext("Sound track"), Quoted(track), timecode(stream.duration)))
    if not analysis.media.sound_only and abs(stream.start) >= 0.1:
        when = (
            gettext("%(time)s after the first frame", time=timecode(stream.start))
            if stream.start > 0
            else gettext("%(time)s before the first frame", time=timecode(-stream.start))
        )
        facts.append(Fact(gettext("Sound begins"), when))
    if stream.channels_left_out:
        channels = capitalize_first(channel_words(voice, stream.channels_left_out))
        facts.append(Fact(gettext("Channels with speech, not examined"), channels))
    if stream.others:
        facts.append(Fact(gettext("Other sound tracks, not examined"), shown(stream.others, ",")))
    if stream.undecodable:
        facts.append(Fact(gettext("Packets undecodable"), shown(stream.undecodable, ",")))
    if stream.restarts:
        note = gettext("as where recordings were joined; its times were continued")
        facts.append(Fact(gettext("Places where the clock restarts"), shown(stream.restarts, ","), note))
    if stream.closed_gaps:
        note = gettext("treated as errors of the clock, and closed")
        facts.append(Fact(gettext("Gaps of more than ten minutes"), shown(stream.closed_gaps, ","), note))
    if stream.repeated:
        note = gettext("each equals one with the same time, which was examined")
        facts.append(Fact(gettext("Packets left out as repeated"), shown(stream.repeated, ","), note))
    if stream.unread:
        note = gettext("behind the stated end of the sound, or between its packets")
        facts.append(Fact(gettext("Bytes not examined"), shown(stream.unread, ","), note))
    return tuple(facts)


def judged_words(finding: ChannelFinding) -> str:
    """State how much of the sound of a finding was judged."""
    return gettext(
        "%(speech)s of speech were judged; %(left)s of the sound were not.",
        speech=duration(finding.speech),
        left=duration(sum(finding.not_judged.values())),
    )


def _of_channels(voice: Voice, finding: ChannelFinding) -> Fact:
    """Return what is known of channels that were judged for themselves, in one line."""
    note = plural(len(finding.scores.time), "window", "windows")
    if finding.stability is not None:
        note = gettext(
            "%(windows)s; stability %(stability)s", windows=note, stability=shown(finding.stability, ".2g")
        )
    return Fact(capitalize_first(channel_words(voice, finding.channels)), judged_words(finding), note)
