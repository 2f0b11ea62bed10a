"""Copies the exhibit's sound into a video made of it, packet by packet and undecoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av

# FFmpeg's names of what an MP4 file holds and common players know.
_IN_MP4 = {"aac", "mp3", "ac3", "eac3", "opus", "alac", "flac"}


class SoundRefused(Exception):
    """The sound could not be written after all; the video has to be made without it."""


class Sound:
    """The first sound track of an exhibit. ``state`` says in words what becomes of it."""

    def __init__(self, exhibit: av.container.InputContainer, wanted: bool) -> None:
        self._container = exhibit
        self._source: av.AudioStream | None = None
        self._target: av.AudioStream | None = None
        self._packets: Iterator[av.Packet] = iter(())
        self._next: av.Packet | None = None
        self._first = Fraction(0)
        self.state = "none in the exhibit"
        if not exhibit.streams.audio:
            return
        stream = exhibit.streams.audio[0]
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else "of no known kind"
        if not wanted or codec not in _IN_MP4 or stream.time_base is None:
            self.state = f"left out ({codec})"
            return
        self.state = "copied unchanged"
        self._source = stream

    @property
    def is_copied(self) -> bool:
        """Whether it goes into the video."""
        return self._source is not None

    def begin(self, container: av.container.OutputContainer, first: Fraction) -> None:
        """Add the track to ``container``. ``first`` is the first frame's time on the exhibit's clock.

        Raises :class:`SoundRefused` where the container does not take it.
        """
        if self._source is None:
            return
        self._first = first
        try:
            self._target = container.add_stream_from_template(self._source)
        except (av.FFmpegError, ValueError):
            raise SoundRefused from None
        self._packets = self._container.demux(self._source)
        self._advance()

    def until(self, container: av.container.OutputContainer, time: Fraction | None) -> None:
        """Write what is heard before ``time``, in seconds from the first frame; None: all the rest.

        Raises :class:`SoundRefused` where it cannot be written.
        """
        while (packet := self._next) is not None:
            assert packet.pts is not None and packet.time_base is not None
            start = packet.pts * packet.time_base - self._first
            if time is not None and start >= time:
                return
            # What is heard before the first frame has no place in a video that starts with it.
            if start >= 0:
                shift = round(self._first / packet.time_base)
                packet.pts -= shift
                if packet.dts is not None:
                    packet.dts -= shift
                packet.stream = self._target
                try:
                    container.mux(packet)
                except av.FFmpegError:
                    raise SoundRefused from None
            self._advance()

    def _advance(self) -> None:
        while True:
            try:
                packet = next(self._packets, None)
            except (av.FFmpegError, IndexError):  # the file breaks off; other streams began within it
                packet = None
            if packet is None or (packet.pts is not None and packet.size):
                self._next = packet
                return
