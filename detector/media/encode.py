"""Encode H.264 with x264 (8-bit 4:2:0): a writer for one container stream, and round trips in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import ColorRange

from detector.media.frame import Image

_CODEC, _PIXELS = "libx264", "yuv420p"
_FINEST_CLOCK = 1_000_000  # ticks a second; an MP4 file's clock has 32 bits
_LEAST_RATE, _MOST_RATE = Fraction(1), Fraction(240)


@dataclass(frozen=True)
class Colours:
    """Colour tags of a stream as codes of ITU-T H.273; the range is always limited."""

    space: int
    primaries: int
    transfer: int


BT709 = Colours(1, 1, 1)


def mp4_time_base(time_base: Fraction) -> Fraction:
    """Return a time base for a copy of a stream, as fine as ``time_base`` within the limits of MP4."""
    return Fraction(1, min(time_base.denominator, _FINEST_CLOCK))


class H264Writer:
    """Writes the picture stream of ``container``; each picture is shown at its own time.

    ``rate`` is the nominal rate in frames a second, limited to 1 to 240; x264 uses it for its bit budget
    only. ``clock`` is the unit of times, by default one frame of ``rate``. ``options`` are those of x264.
    With ``one_thread`` the output is the same on any number of cores.
    """

    def __init__(
        self,
        container: av.container.OutputContainer,
        size: tuple[int, int],
        rate: Fraction,
        options: Mapping[str, str],
        *,
        clock: Fraction | None = None,
        bit_rate: int | None = None,
        colours: Colours | None = None,
        one_thread: bool = False,
    ) -> None:
        rate = min(max(rate, _LEAST_RATE), _MOST_RATE)
        self._clock = clock or 1 / rate
        self._container = container
        self._stream = container.add_stream(_CODEC, rate=rate)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = _PIXELS
        self._stream.options = dict(options)
        context = self._stream.codec_context
        self._stream.time_base = context.time_base = self._clock
        if bit_rate is not None:
            context.bit_rate = bit_rate
        if one_thread:
            context.thread_count = 1
        if colours is not None:
            context.color_range = ColorRange.MPEG
            context.colorspace = colours.space
            context.color_primaries, context.color_trc = colours.primaries, colours.transfer

    def write(self, picture: av.VideoFrame, time: Fraction) -> None:
        """Add a picture at ``time`` in seconds, at least one tick after the previous one."""
        picture.time_base, picture.pts = self._clock, round(time / self._clock)
        self._container.mux(self._stream.encode(picture))

    def finish(self) -> None:
        """Flush the encoder. Call once, after the last picture."""
        self._container.mux(self._stream.encode())


def h264_round_trip(
    pictures: Iterable[Image], rate: int, options: Mapping[str, str], key_frame_every: int | None = None
) -> list[Image]:
    """Encode RGB ``pictures`` of one even size with x264 on one thread, and decode them again."""
    encoder = av.CodecContext.create(_CODEC, "w")
    packets: list[av.Packet] = []
    for pts, picture in enumerate(pictures):
        if pts == 0:
            encoder.height, encoder.width = picture.shape[:2]
            encoder.pix_fmt = _PIXELS
            encoder.time_base, encoder.framerate = Fraction(1, rate), Fraction(rate)
            encoder.thread_count = 1
            encoder.options = dict(options)
            if key_frame_every is not None:
                encoder.gop_size = key_frame_every
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts = pts
        packets += encoder.encode(frame)
    packets += encoder.encode()
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    return [
        frame.to_ndarray(format="rgb24") for packet in [*packets, None] for frame in decoder.decode(packet)
    ]
