"""Decode one sound stream at one rate with exact times, in blocks, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from detector.media.acceptance import InputLimits, open_exhibit
from detector.media.channels import Samples, channel_names, mix, widen
from detector.media.open import open_container, played_sound
from detector.media.sound import Resampler, SoundDecoder
from detector.media.sound_clock import SoundClock, picture_joints
from detector.media.unknown_sound import refuse_undecodable

RATE = 16_000
"""Samples a second in which voices are examined."""
_BLOCK = 4  # seconds
_PIECE = 0.25  # seconds that are resampled together
BLOCK = _BLOCK * RATE
"""Samples of a block at :data:`RATE`, except the last."""


@dataclass
class SoundFacts:
    """What is known of a stream after it was read."""

    index: int
    codec: str
    rate: int
    channels: int
    others: int
    start: Fraction
    """Time of the first sample on the clock of a player, which starts with the earliest stream."""
    names: tuple[str, ...] = ()
    """FFmpeg's names of the channels; "" for those without a name."""
    resampled_rate: int = RATE
    """Samples a second that are returned."""
    samples: int = 0
    """Count of samples that were returned."""
    undecodable: int = 0
    missing: list[tuple[float, float]] = field(default_factory=list)
    """Gaps, in seconds from the first sample, which were filled with silence."""
    restarts: int = 0
    """How often the clock went back, and was continued."""
    closed: int = 0
    """Gaps that were longer than an error of the clock explains, and closed up."""
    repeated: int = 0
    """Packets that repeat one before, and were left out."""
    unread: int = 0
    """Bytes that hold nothing that is known, behind the stated end of the sound or between its packets."""

    @property
    def seconds(self) -> float:
        return self.samples / self.resampled_rate


class SoundReader:
    """Reads the sound of a file once, at ``rate`` samples a second.

    :attr:`facts` is complete when :meth:`blocks` has ended.
    """

    def __init__(self, path: Path, bounds: InputLimits | None = None, rate: int = RATE) -> None:
        self._path, self._bounds, self._rate = path, bounds or InputLimits(), rate
        self.facts: SoundFacts | None = None

    def blocks(self) -> Iterator[Samples]:
        """Yield the mean of all channels (n,) in blocks of four seconds, as :meth:`channel_blocks` does."""
        return map(mix, self.channel_blocks())

    def channel_blocks(self) -> Iterator[Samples]:
        """Yield the samples (channels, n) in blocks of four seconds, between -1 and 1.

        Nothing for a file without sound. What lies before damage is yielded, and reading goes on behind it.
        Where a stream's channels become more, later blocks have more; where they become fewer, a single one
        is on all, and others leave the further ones silent.
        """
        size = _BLOCK * self._rate
        with open_exhibit(self._path) as file, open_container(file, None) as container:
            stream = played_sound(container)
            refuse_undecodable(file, container, stream)
            if stream is None:
                return
            waiting: list[Samples] = []
            length, channels = 0, 1
            for part in self._parts(container, stream):
                waiting.append(part)
                length += part.shape[1]
                channels = max(channels, len(part))
                if length < size:
                    continue
                joined = _joined(waiting, channels)
                while joined.shape[1] >= size:
                    yield joined[:, :size]
                    joined = joined[:, size:]
                waiting, length = [joined], joined.shape[1]
            if length:
                yield _joined(waiting, channels)

    def _parts(self, container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[Samples]:
        """Yield samples without gaps: missing ones are zeros."""
        decoder, resampler = SoundDecoder(container, stream), Resampler(self._rate, _PIECE)
        clock = SoundClock(lambda: picture_joints(self._path))
        began = Fraction(container.start_time or 0, av.time_base)
        facts: SoundFacts | None = None
        for gap, part in clock.on_clock(decoder.parts()):
            if facts is None:
                facts = self.facts = SoundFacts(
                    index=stream.index,
                    codec=stream.codec_context.codec.canonical_name,
                    rate=part.rate,
                    channels=0,
                    others=len(container.streams.audio) - 1,
                    start=(clock.first or Fraction(0)) - began,
                    resampled_rate=self._rate,
                )
            if len(part.samples) > facts.channels:
                facts.channels, facts.names = len(part.samples), channel_names(part.layout)
            self._bounds.refuse_length(float(clock.end))
            if gap:
                yield from self._count(facts, resampler.drain())
                yield from self._fill(facts, round((clock.end - part.seconds) * self._rate))
            if part.samples.shape[1]:
                yield from self._count(facts, resampler.resample(part.samples, part.rate))
        if facts is not None:
            yield from self._count(facts, resampler.drain())
            facts.undecodable, facts.repeated = decoder.refused, decoder.repeated
            facts.restarts, facts.closed = clock.restarts, clock.closed
            with open_exhibit(self._path) as file:
                facts.unread = decoder.bytes.unread(file, container.format.name)

    def _fill(self, facts: SoundFacts, until: int) -> Iterator[Samples]:
        """Yield zeros up to sample ``until``, and note the gap."""
        if until <= facts.samples:
            return
        start = facts.seconds
        if facts.missing and facts.missing[-1][1] >= start:
            start, _ = facts.missing.pop()
        facts.missing.append((start, until / self._rate))
        while facts.samples < until:
            count = min(_BLOCK * self._rate, until - facts.samples)
            yield from self._count(facts, [np.zeros((1, count), np.float32)])

    @staticmethod
    def _count(facts: SoundFacts, parts: Iterable[Samples]) -> Iterator[Samples]:
        for part in parts:
            facts.samples += part.shape[1]
            yield np.clip(part, -1.0, 1.0)  # loud sound exceeds 1


def _joined(parts: Sequence[Samples], channels: int) -> Samples:
    return np.concatenate([widen(part, channels) for part in parts], axis=1)


def read_spans(
    path: Path,
    spans: Sequence[tuple[float, float]],
    bounds: InputLimits | None = None,
    channels: Sequence[Sequence[int]] | None = None,
) -> list[Samples]:
    """Read intervals of a file, in seconds from the first sample; shorter where the sound begins or ends.

    ``channels`` are those of each interval, counted from 0, whose mean is read; None: all.
    """
    wanted = [(max(0, round(start * RATE)), round(end * RATE)) for start, end in spans]
    parts: list[list[Samples]] = [[] for _ in wanted]
    last, at = max((end for _, end in wanted), default=0), 0
    for block in SoundReader(path, bounds).channel_blocks():
        for i, (start, end) in enumerate(wanted):
            if start < at + block.shape[1] and end > at:  # of whole blocks, as when the sound was examined
                whole = mix(block, channels[i] if channels else None)
                parts[i].append(whole[max(0, start - at) : end - at])
        at += block.shape[1]
        if at >= last:
            break
    return [np.concatenate(pieces) if pieces else np.zeros(0, np.float32) for pieces in parts]
