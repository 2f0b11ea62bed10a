"""Read video and photos: frames in order, each with its presentation time.

FFmpeg (through PyAV) is given an open file, never a name or an address, and may use
only the demuxers on :data:`FORMATS`: a playlist, or a file that points at another one,
can open nothing. Times are exact, ``pts * time_base`` as fractions, counted from the
first frame; frame numbers and average rates are never turned into times.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from detector.analysis import MediaKind
from detector.errors import MediaError
from detector.faces import Image

VIDEO_FORMATS = ("mov", "mp4", "matroska", "webm", "avi")
IMAGE_FORMATS = ("jpeg_pipe", "png_pipe", "webp_pipe", "webp")
FORMATS = (*VIDEO_FORMATS, *IMAGE_FORMATS)
ACCEPTED = "Accepted are video (mp4, mov, mkv, webm, avi) and photos (jpeg, png, webp)."

# More than this is no camera's picture; decoding it would take gigabytes.
_MOST_PIXELS = 16_384 * 8_192
# Containers round, and count the last frame's length in their own ways.
_SLACK = 0.5


@dataclass(frozen=True)
class Frame:
    """One decoded frame, upright. ``time`` is in seconds from the first frame."""

    pts: int
    time: Fraction
    image: Image


@dataclass
class Tally:
    """What decoding met; complete once the frames have been read to the end."""

    decoded: int = 0
    undecodable: int = 0
    first_pts: int | None = None
    end_pts: int | None = None
    shortest: int | None = None
    longest: int | None = None


class MediaReader:
    """An open exhibit. Use :func:`open_media`; read :meth:`frames` once, to the end."""

    def __init__(self, container: av.container.InputContainer) -> None:
        self._container = container
        self._stream = _picture_stream(container)
        self._stream.thread_type = "AUTO"
        if self._stream.time_base is None:
            raise MediaError("The file gives its frames no times. Convert it to mp4 and try again.")
        self.time_base: Fraction = self._stream.time_base
        self.tally = Tally()
        self.width = self.height = self.rotation = 0
        self.container_format: str = container.format.name
        self.codec: str = self._stream.codec_context.name
        self.has_sound: bool = bool(container.streams.audio)
        self.kind = MediaKind.IMAGE if self.container_format in IMAGE_FORMATS else MediaKind.VIDEO

    @property
    def frame_rate(self) -> Fraction | None:
        """Average frames a second as the container states it; None for a still."""
        return None if self.kind is MediaKind.IMAGE else self._stream.average_rate

    @property
    def expected_duration(self) -> float:
        """Seconds the container claims, for progress only; 0 if it claims nothing."""
        if self._stream.duration:
            return float(self._stream.duration * self.time_base)
        return (self._container.duration or 0) / av.time_base

    @property
    def missing(self) -> float:
        """Seconds of picture that the file promises and does not hold, after reading to the end.

        A file cut short decodes cleanly to where it ends. Only the picture's own duration
        counts: that of the container may be that of longer sound.
        """
        if self._stream.duration is None and self.has_sound:
            return 0.0
        missing = self.expected_duration - float(self.duration)
        return missing if self.kind is MediaKind.VIDEO and missing > _SLACK else 0.0

    @property
    def duration(self) -> Fraction:
        """From the first frame's start to the last one's end; 0 for a still."""
        tally = self.tally
        if self.kind is MediaKind.IMAGE or tally.first_pts is None or tally.end_pts is None:
            return Fraction(0)
        return (tally.end_pts - tally.first_pts) * self.time_base

    @property
    def variable_frame_rate(self) -> bool:
        """True when the gaps between frames differ by more than the clock's own rounding."""
        shortest, longest = self.tally.shortest, self.tally.longest
        return shortest is not None and longest is not None and longest - shortest > max(1, shortest // 50)

    def frames(self, sample_rate: float) -> Iterator[Frame]:
        """The first frame of each 1/``sample_rate`` seconds; all others are decoded and counted only.

        Raises :class:`MediaError` when not one frame can be decoded.
        """
        rate = Fraction(sample_rate).limit_denominator(1_000_000)
        last_bin = -1
        for frame, pts in self._decoded():
            time = (pts - (self.tally.first_pts or 0)) * self.time_base
            if int(time * rate) > last_bin:
                last_bin = int(time * rate)
                yield Frame(pts, time, self._upright(frame))
        if not self.tally.decoded:
            raise MediaError(
                "Not one frame could be decoded: the file is damaged or uses a codec unknown here. "
                "Play it in a video player; if it plays, convert it to H.264 mp4 and try again."
            )

    def at(self, wanted: set[int]) -> Iterator[Frame]:
        """The frames whose PTS are in ``wanted``, in order, by seeking to each."""
        for pts in sorted(wanted):
            found = self._seek(pts)
            if found is not None:
                yield found

    def _seek(self, pts: int) -> Frame | None:
        first = self.tally.first_pts or 0
        # Some containers cannot seek, or land behind the frame: the second try reads from the start.
        for target in (pts, first):
            try:
                self._container.seek(target, stream=self._stream, backward=True)
            except av.FFmpegError:
                continue
            for frame, at in self._decoded(counting=False):
                if at == pts:
                    return Frame(pts, (pts - first) * self.time_base, self._upright(frame))
                if at > pts:
                    break
        return None

    def _decoded(self, counting: bool = True) -> Iterator[tuple[av.VideoFrame, int]]:
        """Sound frames in order of presentation with their PTS; what is broken is counted."""
        tally = self.tally if counting else Tally()
        last: int | None = None
        for frame in self._raw(tally):
            if frame.is_corrupt:
                tally.undecodable += 1
                continue
            pts = frame.pts if frame.pts is not None else frame.dts
            if pts is None:
                pts = 0 if last is None else last + max(1, frame.duration or 1)
            tally.decoded += 1
            if last is not None:
                if pts <= last:  # a clock that runs backwards: no place in time for this frame
                    continue
                gap = pts - last
                tally.shortest = min(gap, tally.shortest or gap)
                tally.longest = max(gap, tally.longest or gap)
            else:
                tally.first_pts = pts
            tally.end_pts = pts + (frame.duration or (tally.shortest or 0))
            last = pts
            yield frame, pts

    def _raw(self, tally: Tally) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError:  # the container breaks off
                tally.undecodable += 1
                return
            try:
                yield from packet.decode()
            except av.error.EOFError:
                return
            except av.FFmpegError:
                tally.undecodable += 1

    def _upright(self, frame: av.VideoFrame) -> Image:
        if frame.width * frame.height > _MOST_PIXELS:
            raise MediaError(
                f"The picture is {frame.width}×{frame.height} pixels, more than can be examined here. Scale it down and try again."
            )
        counter_clockwise = round(frame.rotation / 90) % 4
        image = frame.to_ndarray(format="rgb24")
        image = np.ascontiguousarray(np.rot90(image, counter_clockwise)) if counter_clockwise else image
        if not self.width:
            self.height, self.width = image.shape[:2]
            self.rotation = -90 * counter_clockwise % 360
        return image


class _Nameless:
    """A file without its name: FFmpeg would choose demuxers by it, one of which opens files itself."""

    name = ""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


@contextmanager
def open_media(path: Path) -> Iterator[MediaReader]:
    """Open ``path`` for reading.

    Raises :class:`MediaError` when it is missing, empty, of a kind not accepted, or
    holds no picture.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise MediaError(f"The file cannot be opened: {os.strerror(error.errno or 0)}.") from None
    with file:
        if not file.read(1):
            raise MediaError("The file is empty (0 bytes). Copy or download it again.")
        file.seek(0)
        try:
            # `enable_drefs` stays off (FFmpeg's default): a mov may not point at other files.
            container = av.open(_Nameless(file), mode="r", options={"format_whitelist": ",".join(FORMATS)})
        except (av.FFmpegError, ValueError):
            raise MediaError(
                "The file cannot be read: it is not a video or photo, or it is damaged or was copied "
                f"only in part. {ACCEPTED}"
            ) from None
        with container:
            yield MediaReader(container)


def _picture_stream(container: av.container.InputContainer) -> av.VideoStream:
    cover = av.stream.Disposition.attached_pic
    streams = [
        s for s in container.streams.video if not s.disposition & cover and s.codec_context is not None
    ]
    if not streams:
        if container.streams.audio:
            raise MediaError(f"The file holds sound but no picture, and Reelproof examines faces. {ACCEPTED}")
        raise MediaError(f"The file holds no picture. {ACCEPTED}")
    return streams[0]
