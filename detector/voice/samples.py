"""Decode one sound stream to 16 kHz mono with exact times, in blocks, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from detector.media.acceptance import InputLimits, open_exhibit
from detector.media.open import open_container, played_sound

RATE = 16_000
"""Samples a second that are examined."""
BLOCK = 4 * RATE
"""Samples of a block, except the last."""
Samples = NDArray[np.float32]

# A frame this much earlier or later than the end of the one before begins there; smaller differences are
# roundings of containers with a coarse clock, such as Matroska's milliseconds.
_JITTER = Fraction(1, 20)
# A longer gap is an error of the clock, as where a recorder was set to another time; it is closed up.
_LONGEST_GAP = Fraction(600)
_UNREADABLE = 200  # packets in a row that cannot be decoded, after which reading ends


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
    samples: int = 0
    undecodable: int = 0
    missing: list[tuple[float, float]] = field(default_factory=list)
    """Gaps, in seconds from the first sample, which were filled with silence."""

    @property
    def seconds(self) -> float:
        return self.samples / RATE


class SoundReader:
    """Reads the sound of a file once; :attr:`facts` is complete when :meth:`blocks` has ended."""

    def __init__(self, path: Path, bounds: InputLimits | None = None) -> None:
        self._path, self._bounds = path, bounds or InputLimits()
        self.facts: SoundFacts | None = None

    def blocks(self) -> Iterator[Samples]:
        """Yield the samples in blocks of :data:`BLOCK`, between -1 and 1; nothing for a file without sound.

        Channels are averaged. What lies before damage is yielded, and reading goes on behind it.
        """
        with open_exhibit(self._path) as file, open_container(file, None) as container:
            stream = played_sound(container)
            if stream is None:
                return
            waiting: list[Samples] = []
            length = 0
            for part in self._parts(container, stream):
                waiting.append(part)
                length += len(part)
                if length < BLOCK:
                    continue
                joined = np.concatenate(waiting)
                while len(joined) >= BLOCK:
                    yield joined[:BLOCK]
                    joined = joined[BLOCK:]
                waiting, length = [joined], len(joined)
            if length:
                yield np.concatenate(waiting)

    def _parts(self, container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[Samples]:
        """Yield samples without gaps: missing ones are zeros, repeated ones are left out."""
        context, resampler = stream.codec_context, av.AudioResampler("flt", "mono", RATE)
        began = Fraction(container.start_time or 0, av.time_base)
        facts, first = None, Fraction(0)
        decoded = Fraction(0)  # seconds of decoded sound, by the rate of its frames
        for frame in self._frames(container, stream):
            if not frame.samples or not frame.sample_rate:
                continue
            time = None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
            if facts is None:
                first = began if time is None else time
                facts = self.facts = SoundFacts(
                    index=stream.index,
                    codec=context.codec.canonical_name,
                    rate=frame.sample_rate,
                    channels=frame.layout.nb_channels,
                    others=len(container.streams.audio) - 1,
                    start=first - began,
                    undecodable=self._refused,
                )
            ahead = Fraction(0) if time is None else time - first - decoded
            if _JITTER < ahead <= _LONGEST_GAP:
                yield from self._count(facts, _drain(resampler))
                resampler = av.AudioResampler("flt", "mono", RATE)
                yield from self._fill(facts, round((decoded + ahead) * RATE))
                decoded += ahead
            elif abs(ahead) > _LONGEST_GAP:
                first += ahead  # the clock was set to another time
            elif ahead < -_JITTER and -ahead * frame.sample_rate >= frame.samples:
                continue  # a repeated packet, as in a joined recording
            decoded += Fraction(frame.samples, frame.sample_rate)
            self._bounds.refuse_length(float(decoded))
            frame.pts = None  # so that the resampler neither fills nor drops
            try:
                yield from self._count(facts, [_mono(part) for part in resampler.resample(frame)])
            except ValueError:  # the format changed: another rate or layout within the stream
                yield from self._count(facts, _drain(resampler))
                resampler = av.AudioResampler("flt", "mono", RATE)
                yield from self._count(facts, [_mono(part) for part in resampler.resample(frame)])
        if facts is not None:
            yield from self._count(facts, _drain(resampler))
            facts.undecodable = self._refused

    def _frames(
        self, container: av.container.InputContainer, stream: av.AudioStream
    ) -> Iterator[av.AudioFrame]:
        """Decode packet by packet, counting those that the decoder refuses."""
        self._refused = in_a_row = 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, ValueError):  # the file breaks off
                self._refused += 1
                packet = None
            if packet is None:
                return
            try:
                frames = stream.codec_context.decode(packet if packet.size else None)
            except (av.FFmpegError, ValueError):
                in_a_row += 1
                self._refused += 1
                if in_a_row >= _UNREADABLE:
                    return
                continue
            in_a_row = 0
            yield from frames

    def _fill(self, facts: SoundFacts, until: int) -> Iterator[Samples]:
        """Yield zeros up to sample ``until``, and note the gap."""
        if until <= facts.samples:
            return
        facts.missing.append((facts.seconds, until / RATE))
        while facts.samples < until:
            yield from self._count(facts, [np.zeros(min(BLOCK, until - facts.samples), np.float32)])

    @staticmethod
    def _count(facts: SoundFacts, parts: list[Samples]) -> Iterator[Samples]:
        for part in parts:
            facts.samples += len(part)
            yield part


def _drain(resampler: av.AudioResampler) -> list[Samples]:
    try:
        return [_mono(part) for part in resampler.resample(None)]
    except ValueError:  # nothing was put in
        return []


def _mono(frame: av.AudioFrame) -> Samples:
    # Decoders of damaged streams return infinite samples, and loud ones exceed 1.
    samples = np.nan_to_num(frame.to_ndarray()[0], nan=0.0, posinf=0.0, neginf=0.0)
    clipped: Samples = np.clip(samples, -1.0, 1.0).astype(np.float32)
    return clipped


def read_spans(
    path: Path, spans: Sequence[tuple[float, float]], bounds: InputLimits | None = None
) -> list[Samples]:
    """Read intervals of a file, in seconds from the first sample; shorter where the sound begins or ends."""
    wanted = [(max(0, round(start * RATE)), round(end * RATE)) for start, end in spans]
    parts: list[list[Samples]] = [[] for _ in wanted]
    last, at = max((end for _, end in wanted), default=0), 0
    for block in SoundReader(path, bounds).blocks():
        for i, (start, end) in enumerate(wanted):
            part = block[max(0, start - at) : max(0, end - at)]
            if len(part):
                parts[i].append(part)
        at += len(block)
        if at >= last:
            break
    return [np.concatenate(pieces) if pieces else np.zeros(0, np.float32) for pieces in parts]
