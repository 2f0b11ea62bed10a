"""Decode the sound of a file: samples by channel, whatever their rate and layout, and resample them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from av.audio.plane import AudioPlane
from numpy.typing import NDArray

from detector.errors import MediaError
from detector.media.behind_end import PacketBytes
from detector.media.sound_clock import STEP_BACK
from detector.schema.formatting import N_

Floats = NDArray[np.float32]

LOWEST_RATE, HIGHEST_RATE = 2_000, 3_072_000
"""Sampling rates in hertz that are read: speech needs the lowest, recordings of single bits have the highest.

Resampling from beyond takes gigabytes.
"""
# By FFmpeg's name of the sample format, without the p of planar ones.
_KINDS: dict[str, tuple[type, float, float]] = {
    "u8": (np.uint8, 128, 1 / 128),
    "s16": (np.int16, 0, 1 / 2**15),
    "s32": (np.int32, 0, 1 / 2**31),
    "s64": (np.int64, 0, 1 / 2**63),
    "flt": (np.float32, 0, 1),
    "dbl": (np.float64, 0, 1),
}


_AT_ONCE = 64  # channels that FFmpeg resamples together


class SoundPart(NamedTuple):
    """Decoded samples (channels, n), full scale at 1, and their time in seconds on the file's own clock."""

    samples: Floats
    layout: av.AudioLayout
    rate: int
    time: Fraction | None

    @property
    def seconds(self) -> Fraction:
        return Fraction(self.samples.shape[1], self.rate)

    def at(self, time: Fraction) -> SoundPart:
        """Return a part of this kind without samples at another time."""
        return self._replace(samples=self.samples[:, :0], time=time)


class SoundDecoder:
    """Decodes a stream of ``container`` packet by packet."""

    def __init__(self, container: av.container.InputContainer, stream: av.AudioStream) -> None:
        self._container, self._stream = container, stream
        self.refused = 0
        """Packets that give no sound."""
        self.repeated = 0
        """Packets that were left out, since they equal one with the same time shortly before."""
        self.bytes = PacketBytes()
        self._recent: deque[tuple[int, int]] = deque()  # times of packets in ticks, and their hashes
        self._step_back = float(STEP_BACK / (stream.time_base or 1))  # in ticks
        self._lost_from: Fraction | None = None  # before the first sound
        self._lost_until: Fraction | None = None  # behind the last sound

    def parts(self) -> Iterator[SoundPart]:
        """Yield what can be decoded, in order of the file.

        What was lost at the beginning and at the end is marked by a part without samples at its time. Raises
        :class:`MediaError` if the sound states a sampling rate that is not read.
        """
        refuse_rate(self._stream)
        last = None
        for frame in self._frames():
            if not frame.samples or not frame.sample_rate:
                continue
            if not LOWEST_RATE <= frame.sample_rate <= HIGHEST_RATE:
                self.refused += 1
                continue
            base = frame.time_base
            time = None if frame.pts is None or base is None else frame.pts * base
            part = SoundPart(channels_of(frame), frame.layout, frame.sample_rate, time)
            if last is None and self._lost_from is not None:
                yield part.at(self._lost_from)
            yield part
            last, self._lost_until = part, None
        if last is not None and self._lost_until is not None:
            yield last.at(self._lost_until)

    def _frames(self) -> Iterator[av.AudioFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, ValueError, IndexError):  # the file breaks off
                self.refused += 1
                packet = None
            if packet is None:
                return
            self.bytes.add(packet, self._container.format.name)
            if self._is_repeated(packet):
                self.repeated += 1
                continue
            try:
                yield from self._stream.codec_context.decode(packet if packet.size else None)
            except MemoryError:  # FFmpeg's is an FFmpegError as well, but the machine's fault
                raise
            except (av.FFmpegError, ValueError):
                if packet.size:
                    self._refuse(packet)

    def _refuse(self, packet: av.Packet) -> None:
        self.refused += 1
        if packet.pts is None:
            return
        start = packet.pts * packet.time_base
        if self._lost_from is None:
            self._lost_from = start
        self._lost_until = start + (packet.duration or 0) * packet.time_base

    def _is_repeated(self, packet: av.Packet) -> bool:
        """Return whether a packet equals one with the same time, as where parts of a stream overlap."""
        if packet.pts is None or not packet.size:
            return False
        time, recent = packet.pts, self._recent
        if recent and not -self._step_back < time - recent[-1][0] < self._step_back:
            recent.clear()
        key = time, hash(bytes(packet))
        if recent and time <= recent[-1][0] and key in recent:
            return True
        recent.append(key)
        while recent[0][0] < time - self._step_back:
            recent.popleft()
        return False


def refuse_rate(stream: av.AudioStream) -> None:
    """Raise :class:`MediaError` for a stream that states a sampling rate that is not read."""
    rate = stream.codec_context.sample_rate
    if rate and not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise MediaError(
            N_(
                "The sound states %(rate)s samples a second; from %(lowest)s to %(highest)s are read. If "
                "players play it, convert it to WAV at the rate at which it was recorded, and keep the "
                "original."
            )
            % {"rate": f"{rate:,}", "lowest": f"{LOWEST_RATE:,}", "highest": f"{HIGHEST_RATE:,}"}
        )


def channels_of(frame: av.AudioFrame) -> Floats:
    """Return the samples (channels, n) of a frame, full scale at 1; those that are no number are 0.

    Done by hand: PyAV reads beyond the planes of a frame of eight channels and more, and FFmpeg mixes only
    layouts that it can name.
    """
    planar, channels = frame.format.is_planar, frame.layout.nb_channels
    kind, middle, scale = _KINDS[frame.format.name.removesuffix("p")]
    count = frame.samples * (1 if planar else channels)
    planes = [
        np.frombuffer(AudioPlane(frame, number), kind, count)  # type: ignore[call-overload]
        for number in range(channels if planar else 1)
    ]
    samples = np.array(planes if planar else planes[0].reshape(-1, channels).T, np.float32)
    if middle or scale != 1:
        samples -= np.float32(middle)
        samples *= np.float32(scale)
    if not np.isfinite(samples).all():  # decoders of damaged streams return infinite samples
        samples[~np.isfinite(samples)] = 0
    return samples


def stereo_weights(layout: av.AudioLayout) -> Floats:
    """Return the weights (2, channels) with which the channels of a layout are mixed to left and right.

    Channels whose names tell no side, as those beyond what FFmpeg names, are heard on both; the low-frequency
    channel only where there is no other. Their sum does not exceed full scale.
    """
    if layout.nb_channels == 2:  # also where the file does not name them
        return np.eye(2, dtype=np.float32)
    names = [channel.name for channel in layout.channels]
    heard = [not name.startswith("LFE") for name in names]
    if not any(heard):
        heard = [True] * len(names)
    sides = [[name.endswith(side) or not name.endswith(("L", "R")) for name in names] for side in "LR"]
    weights = np.array(sides, np.float32) * np.array(heard, np.float32)
    weights[~weights.any(axis=1)] = heard  # a side without a channel of its own
    return weights / weights.sum(axis=1, keepdims=True)


class Resampler:
    """Resamples sound (channels, n) to ``rate`` hertz; another rate or count of channels begins anew.

    It takes ``piece`` seconds at a time: a call for each packet costs more than resampling.
    """

    def __init__(self, rate: int, piece: float = 0.0) -> None:
        self.rate = rate
        self._piece = piece
        self._source: tuple[int, int] | None = None
        self._waiting: list[Floats] = []
        self._resamplers: list[av.AudioResampler] = []

    def resample(self, samples: Floats, rate: int) -> list[Floats]:
        """Add samples at ``rate`` hertz; return the arrays that are ready."""
        source = (len(samples), rate)
        ready = self.drain() if source != self._source else []
        if not samples.shape[1]:
            return ready  # FFmpeg allocates no frame without samples
        if rate == self.rate:
            return [*ready, samples]
        self._source = source
        self._waiting.append(samples)
        if sum(part.shape[1] for part in self._waiting) < self._piece * rate:
            return ready
        return [*ready, *self._resampled_waiting()]

    def drain(self) -> list[Floats]:
        """Return what is still held, and begin anew."""
        held = [*self._resampled_waiting(), *self._resampled(*(None for _ in self._resamplers))]
        self._resamplers, self._source = [], None
        return held

    def _resampled_waiting(self) -> list[Floats]:
        if self._source is None or not self._waiting:
            return []
        channels, rate = self._source
        samples, self._waiting = np.concatenate(self._waiting, axis=1), []
        some = [samples[first : first + _AT_ONCE] for first in range(0, channels, _AT_ONCE)]
        if not self._resamplers:
            self._resamplers = [av.AudioResampler("flt", _layout(len(part)), self.rate) for part in some]
        return self._resampled(*(_packed(part, rate) for part in some))

    def _resampled(self, *frames: av.AudioFrame | None) -> list[Floats]:
        parts = [
            [channels_of(ready) for ready in resampler.resample(frame)]
            for resampler, frame in zip(self._resamplers, frames, strict=True)
        ]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _packed(samples: Floats, rate: int) -> av.AudioFrame:
    packed = np.ascontiguousarray(samples.T, np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, "flt", _layout(len(samples)))
    frame.sample_rate = rate
    return frame


def _layout(channels: int) -> str:
    # Names of layouts matter only where channels are mixed, so those of one and two will do.
    return {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
