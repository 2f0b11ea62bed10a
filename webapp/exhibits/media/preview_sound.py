"""The sound of previews: decoded, and encoded again as AAC, which every browser plays."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from detector.errors import MediaError
from detector.media.acceptance import open_exhibit
from detector.media.containers import cut_fragment
from detector.media.open import open_container
from detector.media.sound import Floats, Resampler, SoundDecoder, SoundPart, refuse_rate, stereo_weights
from detector.media.sound_clock import SoundClock, plausible_start
from detector.recordings import examined_sound
from detector.schema.formatting import N_

_RATE = 48_000  # hertz
_BIT_RATE = 96_000
_PADDING = 1024  # samples that FFmpeg's AAC encoder puts before the first one
_CHECK_EVERY = 512  # frames between two looks at the room on the disk


class SoundEncoder:
    """Writes the examined sound of ``source`` into ``target``, at its times minus ``first`` seconds.

    Its clock is that of the examination: gaps are filled with silence, and a clock that restarts is
    continued, beside the pictures where ``joints`` are theirs. What lies before ``first`` is left out.
    ``duration`` is that of the pictures. While silence is written, ``check`` is called each second. Add the
    encoder before the first packet of ``target`` is written. With ``pad_inside`` the encoder's padding takes
    the place of the first 21 ms, for a ``target`` without edit list: padding before 0 would delay its
    pictures.

    Raises :class:`~detector.errors.MediaError` for sound that is not read; nothing was added then.
    """

    def __init__(
        self,
        source: av.container.InputContainer,
        target: av.container.OutputContainer,
        first: Fraction,
        duration: float,
        check: Callable[[], None],
        joints: Callable[[], Sequence[Fraction]] = lambda: (),
        pad_inside: bool = False,
    ) -> None:
        stream = examined_sound(source)
        refuse_rate(stream)
        self._clock = SoundClock(joints)
        self._parts = self._clock.on_clock(SoundDecoder(source, stream).parts())
        self._first, self._duration, self._check = first, duration, check
        self._layout = layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        self._weights: dict[str, Floats] = {}  # by layout of the source
        self._container = target
        self._stream = target.add_stream("aac", rate=_RATE, layout=layout, bit_rate=_BIT_RATE)
        self._resampler = Resampler(_RATE)
        self._queue = av.AudioFifo()
        self._written = 0  # samples handed to the queue
        self._padding = _PADDING if pad_inside else 0
        self._encoded = self._padding
        self.time = Fraction(0)
        """Seconds from ``first`` up to which the sound has been read."""
        self.ended = False

    def until(self, time: Fraction | None) -> None:
        """Write the sound before ``time`` in seconds from ``first``, or all of it for None."""
        while not self.ended and (time is None or self.time < time):
            _, part = next(self._parts, (None, None))
            if part is None:
                self.ended = True
                self._queue_samples(self._resampler.drain())
                self._encode(last=True)
                return
            self._add(part)

    def _add(self, part: SoundPart) -> None:
        begin = plausible_start((self._clock.first or Fraction(0)) - self._first, self._duration)
        self.time = begin + self._clock.end
        if self.time <= 0:
            return
        missing = round((self.time - part.seconds) * _RATE) - self._written
        if missing > _RATE // 20:  # longer than what resampling delays
            self._queue_silence(missing)
        if part.seconds:
            self._queue_samples(self._resampler.resample(self._mixed(part), part.rate))
        self._encode()

    def _mixed(self, part: SoundPart) -> Floats:
        """Return the samples of a part in the channels of the preview."""
        if part.layout.name not in self._weights:
            weights = stereo_weights(part.layout)
            if self._layout == "mono":
                weights = weights.mean(axis=0, keepdims=True)
            self._weights[part.layout.name] = weights
        return self._weights[part.layout.name] @ part.samples

    def _queue_silence(self, samples: int) -> None:
        while samples > 0:
            count = min(samples, _RATE)
            self._queue_samples([np.zeros((1 if self._layout == "mono" else 2, count), np.float32)])
            samples -= count
            self._encode()
            self._check()

    def _queue_samples(self, parts: list[Floats]) -> None:
        for samples in parts:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", self._layout)
            frame.sample_rate = _RATE
            self._queue.write(frame)
            self._written += frame.samples

    def _encode(self, last: bool = False) -> None:
        if self._padding:
            if self._queue.read(self._padding, partial=last) is None:
                return
            self._padding = 0
        size = self._stream.codec_context.frame_size or 1024
        while (part := self._queue.read(size, partial=last)) is not None:
            part.pts, part.time_base = self._encoded, Fraction(1, _RATE)
            self._encoded += part.samples
            self._container.mux(self._stream.encode(part))
        if last:
            self._container.mux(self._stream.encode(None))


def encode_recording(
    source: Path, to: Path, duration: float, room: int, report: Callable[[float], None]
) -> None:
    """Write the sound of ``source`` to ``to`` as an MP4 of AAC alone.

    ``room`` is the number of bytes that must stay free. Raises :class:`~detector.errors.MediaError`.
    """
    with (
        open_exhibit(source) as file,
        open_container(file, cut_fragment(file)) as opened,
        av.open(str(to), "w", format="mp4", options={"movflags": "+faststart"}) as target,
    ):
        stream = examined_sound(opened)
        start = Fraction(0)
        if stream.start_time is not None and stream.time_base is not None:
            start = stream.start_time * stream.time_base

        def check() -> None:
            if shutil.disk_usage(to.parent).free < room:
                raise MediaError(N_("The disk is too full for one."))
            report(float(sound.time) / duration if duration else 0.0)

        sound = SoundEncoder(opened, target, start, duration, check)
        step = Fraction(_CHECK_EVERY * 1024, _RATE)
        while not sound.ended:
            sound.until(sound.time + step)
            check()
