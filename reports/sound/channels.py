"""Channels of sound in words, and what was found in each where they carry different speech."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Voice
from detector.schema.channel_names import CHANNEL_NAMES
from language.translation import capitalize_first, gettext, translated


def channel_words(voice: Voice, channels: Sequence[int]) -> str:
    """Return channels in words, such as "channel 2 (right)"; "" for none, where all were judged together."""
    if len(channels) != 1:
        listed = ", ".join(map(str, channels))
        return gettext("channels %(numbers)s", numbers=listed) if channels else ""
    (number,) = channels
    names = voice.stream.channel_names if voice.stream else ()
    name = names[number - 1] if number <= len(names) else ""
    if not name:
        return gettext("channel %(number)s", number=number)
    shown = translated(CHANNEL_NAMES[name]) if name in CHANNEL_NAMES else name
    return gettext("channel %(number)s (%(name)s)", number=number, name=shown)


def channel_sentences(voice: Voice) -> tuple[str, ...]:
    """State the verdict on each channel, and which were not examined; none where all were judged together."""
    sentences = []
    if voice.channels:
        verdicts = "; ".join(
            f"{channel_words(voice, finding.channels)}: {translated(finding.verdict.value)}"
            for finding in voice.findings
        )
        sentences.append(
            gettext(
                "The channels carry different speech, so each was judged separately. %(verdicts)s.",
                verdicts=capitalize_first(verdicts),
            )
        )
    return (*sentences, *left_out_channels(voice))


def left_out_channels(voice: Voice) -> tuple[str, ...]:
    """Name the channels whose speech was not examined in a sentence; none where there are none."""
    if voice.stream is None or not voice.stream.channels_left_out:
        return ()
    left_out = channel_words(voice, voice.stream.channels_left_out)
    return (gettext("Eight channels were examined; the speech in %(channels)s was not.", channels=left_out),)
