"""The stream of pictures that is examined, and what the file says of it before a frame is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

import av

from detector.errors import MediaError
from detector.media.exhibit.file import UNREADABLE
from detector.media.exhibit.limits import Bounds
from detector.media.exhibit.signatures import ACCEPTED, MATROSKA, MP4, PHOTO_DEMUXERS
from detector.schema.analysis import MediaKind
from detector.schema.translatable import N_

WHOLE_DURATION = frozenset({MATROSKA, "asf", "flv"})
"""Containers that state a duration of the whole file alone."""


class PictureStream:
    """The pictures of an open container. Raises :class:`MediaError` for none, or too large ones."""

    def __init__(self, container: av.container.InputContainer, bounds: Bounds) -> None:
        self._container = container
        self._bounds = bounds
        self._stream = _picture_stream(container)
        self.open_again: Callable[[], av.container.InputContainer] | None = None
        """Opens the same file once more, for a container that finds no way back; to be set."""
        bounds.refuse_picture(self._stream.codec_context.width, self._stream.codec_context.height)
        self._prepare()
        if self._stream.time_base is None:
            raise MediaError(N_("The file gives its frames no times. Convert it to mp4 and try again."))
        self.time_base: Fraction = self._stream.time_base
        self.container_format: str = container.format.name
        # Not the decoder's name, such as libdav1d for AV1.
        self.codec: str = self._stream.codec_context.codec.canonical_name
        self.has_sound: bool = bool(container.streams.audio)
        still = self.container_format in PHOTO_DEMUXERS or (
            self.container_format == "gif" and self._stream.frames == 1
        )
        self.kind = MediaKind.IMAGE if still else MediaKind.VIDEO
        self.pixel_aspect = Fraction(1)
        """How much wider than high a stored pixel of the first frame is."""
        if self.kind is MediaKind.VIDEO:
            self.pixel_aspect = pixel_aspect(self._stream.sample_aspect_ratio)
        self.played: dict[int, float] = {}
        """By number of a stream, for how many seconds an edit list plays it; to be set where one waits.

        FFmpeg counts the wait to the duration of a stream whose edit list plays less than there is.
        """
        self.stated_seconds: float | None = None
        """For how long the whole file plays as it states where FFmpeg does not tell; to be set."""
        bounds.refuse_claims(self.expected_duration, self._stream.frames)

    def _prepare(self) -> None:
        self._stream.thread_type = "AUTO"
        # FFmpeg itself refuses frames that are larger than what the file said of itself.
        self._stream.codec_context.options = {"max_pixels": str(self._bounds.pixels)}

    def _opened_again(self) -> bool:
        """Be at the first byte of the file opened once more; False where that cannot be."""
        if self.open_again is None:
            return False
        number = self._stream.index  # the one before is closed
        self._container = self.open_again()
        (self._stream,) = (stream for stream in self._container.streams.video if stream.index == number)
        self._prepare()
        return True

    @cached_property
    def index_goes_back(self) -> bool:
        """Whether times in the table of an MP4 go back: its edit list plays several stretches.

        FFmpeg searches that table by halves, and would go to another stretch, whose frames have the same PTS.
        """
        if self.container_format != MP4:
            return False
        times = (entry.timestamp for entry in self._stream.index_entries)  # hundreds of thousands
        return any(later < earlier for earlier, later in pairwise(times))

    @property
    def stream(self) -> av.VideoStream:
        """The stream of pictures that is examined."""
        return self._stream

    @property
    def stream_index(self) -> int:
        """Its number in the file."""
        return int(self._stream.index)

    @property
    def streams(self) -> Iterable[av.stream.Stream]:
        """All streams of the file."""
        return self._container.streams

    @property
    def metadata(self) -> dict[str, str]:
        """Tags of the whole file, as written."""
        return dict(self._container.metadata)

    @property
    def container_duration(self) -> float | None:
        """Seconds stated for the whole file."""
        stated = self._container.duration
        seconds = (stated or 0) / av.time_base - (self._excess() if self.played else 0.0)
        return seconds if seconds > 0 else self.stated_seconds

    def duration_of(self, stream: av.stream.Stream) -> float | None:
        """Seconds stated for a stream, no more than its edit list plays."""
        stated = _seconds(stream, stream.duration)
        return None if stated is None or stated <= 0 else min(stated, self.played.get(stream.index, stated))

    def _excess(self) -> float:
        """By how much the last of all streams ends later to FFmpeg than by its edit list."""
        ends = [
            (
                (_seconds(stream, stream.start_time) or 0.0) + length,
                length - (self.duration_of(stream) or 0.0),
            )
            for stream in self._container.streams
            if (length := _seconds(stream, stream.duration))
        ]
        return max(end for end, _ in ends) - max(end - less for end, less in ends) if ends else 0.0

    @property
    def stream_duration(self) -> float | None:
        """Seconds stated for the pictures."""
        return self.duration_of(self._stream)

    @property
    def frame_rate(self) -> Fraction | None:
        """Average frames a second as the container states it; None for a still."""
        return None if self.kind is MediaKind.IMAGE else self._stream.average_rate

    @property
    def expected_duration(self) -> float:
        """Seconds the container claims; 0 if it claims nothing."""
        if self._stream.duration:
            return self.duration_of(self._stream) or 0.0
        return (self._container.duration or 0) / av.time_base or self.stated_seconds or 0.0

    @property
    def states_whole_duration(self) -> bool:
        """Whether :attr:`expected_duration` is that of the whole file, whichever track ends last."""
        # Where FFmpeg has not seen a frame yet it takes the one for the other.
        return self._stream.duration is None or self.container_format in WHOLE_DURATION

    @property
    def can_skip(self) -> bool:
        """Whether frames keep their times when others are not decoded (:meth:`MediaReader.some_frames`)."""
        return self.container_format != "avi"  # keeps no presentation times


def _picture_stream(container: av.container.InputContainer) -> av.VideoStream:
    cover = av.stream.Disposition.attached_pic
    pictures = [s for s in container.streams.video if not s.disposition & cover]
    streams = [s for s in pictures if s.codec_context is not None]
    if not streams:
        if pictures:
            raise MediaError(
                N_(
                    "The file's pictures are in a codec that is not known here, such as the raw format of a "
                    "camera. Export them as mp4 with a program that plays them, and keep the original."
                )
            )
        if container.streams.audio:
            raise MediaError(
                N_("The file holds sound but no picture, and Reelproof examines faces. %(accepted)s")
                % {"accepted": ACCEPTED}
            )
        if not container.streams:  # not even one of data: its table of contents breaks off
            raise MediaError(UNREADABLE)
        raise MediaError(N_("The file holds no picture. %(accepted)s") % {"accepted": ACCEPTED})
    # What a player shows is what is examined; the others are named.
    return next((s for s in streams if s.disposition & av.stream.Disposition.default), streams[0])


def _seconds(stream: av.stream.Stream, ticks: int | None) -> float | None:
    return None if ticks is None or stream.time_base is None else float(ticks * stream.time_base)


def pixel_aspect(aspect: Fraction | None) -> Fraction:
    """How much wider than high a stored pixel is; 1 where the file does not say or says nonsense."""
    return aspect if aspect and Fraction(1, 4) <= aspect <= 4 else Fraction(1)
