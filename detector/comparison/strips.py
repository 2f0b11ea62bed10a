"""Read small grey pictures of a whole file, used to find times and views."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.reader import MediaReader
from detector.progress import ReportShare
from detector.schema.analysis import MediaKind

Grey = NDArray[np.uint8]  # (height, width)
GreyLevels = NDArray[np.float32]  # (height, width), 0 to 255
ColourLevels = NDArray[np.float32]  # (height, width, 3), 0 to 255
Floats = NDArray[np.float64]

SIDE = 128  # px; longer side of a small picture
LARGE_SIDE = 384  # px; longer side of pictures searched for features
_LARGE = 240  # maximum number of these over a whole file
_BYTES = 512 * 1024 * 1024  # maximum bytes of small pictures
_EVERY_FRAME = 6000  # files with up to this many frames are read completely
_KEYS_APART = 0.5  # minimum seconds between key frames, because some files have only key frames
_MOST_RATE = 12.0  # maximum small pictures per second of longer files
# Pixel formats whose first plane is brightness with one byte per pixel.
_BRIGHTNESS_FIRST = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"}
)


@dataclass(frozen=True, eq=False)
class Strip:
    """Small pictures in order of time: ``pictures`` (n, height, width) with ``pts`` (n,) and ``times`` (n,).

    ``size`` is width and height of the upright frames. ``large`` are some of the pictures at a larger size.
    ``holes`` are the last indices before parts of the file that were not read.
    """

    pts: NDArray[np.int64]
    times: Floats
    pictures: Grey
    size: tuple[int, int]
    large: tuple[Grey, ...] = ()
    holes: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def interval(self) -> float:
        """The median time between neighbours in seconds; 0 for a single picture."""
        return float(np.median(np.diff(self.times))) if len(self) > 1 else 0.0

    @property
    def scale(self) -> Floats:
        """Small pixels for each pixel of the frame, across and down."""
        return np.array([self.pictures.shape[2] / self.size[0], self.pictures.shape[1] / self.size[1]])


def read_strip(reader: MediaReader, report: ReportShare) -> Strip:
    """Read the strip of a whole file; for a long file only some frames per second."""
    if reader.kind is MediaKind.IMAGE:
        return _of_photo(reader)
    seconds, count = expected_length(reader)
    if count <= _EVERY_FRAME:
        return _gathered(reader, reader.every_frame(), 0.0, seconds, report)
    affordable = _BYTES / (SIDE * SIDE) / max(seconds, 1.0)
    frames = reader.some_frames("NONREF") if reader.can_skip else reader.every_frame()
    return _gathered(reader, frames, 1 / min(_MOST_RATE, affordable), seconds, report)


def read_key_frames(reader: MediaReader) -> Strip:
    """Read only key frames of a video, one every few seconds."""
    seconds, _ = expected_length(reader)
    return _gathered(reader, reader.some_frames("NONKEY"), _KEYS_APART, seconds, lambda share: None)


def read_spans(reader: MediaReader, spans: Iterable[tuple[int, int]], size: tuple[int, int]) -> Strip:
    """Read every frame of ``spans``, given by PTS."""
    span_list = list(spans)
    seconds = float(sum(last - first for first, last in span_list) * reader.time_base)
    strip = _gathered(reader, reader.decoded_spans(span_list), 0.0, seconds, lambda share: None, size=size)
    before = np.searchsorted(strip.pts, [first for first, _ in span_list]) - 1
    holes = tuple(int(place) for place in np.unique(before) if 0 <= place < len(strip) - 1)
    return replace(strip, holes=holes)


def expected_length(reader: MediaReader) -> tuple[float, float]:
    """Return the duration in seconds and the number of frames that the file declares."""
    rate = float(reader.frame_rate or 25)
    seconds = max(reader.expected_duration, (reader.stream.frames or 0) / rate)
    return seconds, seconds * rate


def _of_photo(reader: MediaReader) -> Strip:
    frame, *_ = reader.frames(1.0)  # reading to the end detects damage
    grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    large = _reduced(grey, small_size((width, height), LARGE_SIDE))
    small = _reduced(large, small_size((width, height), SIDE))
    return Strip(np.array([frame.pts]), np.zeros(1), small[None], (width, height), large=(large,))


def _gathered(
    reader: MediaReader,
    frames: Iterable[tuple[av.VideoFrame, int]],
    interval: float,
    expected: float,
    report: ReportShare,
    *,
    size: tuple[int, int] = (0, 0),
) -> Strip:
    pts_values: list[int] = []  # PTS
    pictures: list[Grey] = []
    large: list[Grey] = []
    next_large = next_small = 0.0
    for frame, pts in frames:
        time = float((pts - (reader.tally.first_pts or 0)) * reader.time_base)
        if time < next_small:
            continue
        next_small = time + interval
        if not any(size):
            size = reader.upright_size(frame)
        picture = brightness(reader, frame, small_size(size, LARGE_SIDE if time >= next_large else SIDE))
        if time >= next_large:
            next_large = time + max(0.25, expected / _LARGE)
            large.append(picture)
            picture = _reduced(picture, small_size(size, SIDE))
        pts_values.append(pts)
        pictures.append(picture)
        report(min(1.0, time / expected) if expected else 0.0)
    return Strip(
        np.array(pts_values, np.int64),
        np.asarray(
            (np.array(pts_values) - (reader.tally.first_pts or 0)) * float(reader.time_base), np.float64
        ),
        np.array(pictures, np.uint8) if pictures else np.zeros((0, 1, 1), np.uint8),
        size,
        tuple(large),
    )


def small_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return ``size`` (width, height) scaled to at most ``side`` px on the longer side."""
    scale = min(1.0, side / max(size))
    return max(8, round(size[0] * scale)), max(8, round(size[1] * scale))


def brightness(reader: MediaReader, frame: av.VideoFrame, size: tuple[int, int]) -> Grey:
    """Return the brightness of a frame, upright, at ``size`` (width, height)."""
    turns, mirrored = reader.orientation(frame)
    stored_size = size[::-1] if turns % 2 else size
    if frame.format.name in _BRIGHTNESS_FIRST:
        plane = frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        # Subsampling suffices for pictures this small; averaging all pixels takes several times as long.
        step = max(1, frame.width // (4 * stored_size[0]))
        grey = _reduced(np.ascontiguousarray(rows[: frame.height : step, : frame.width : step]), stored_size)
    else:
        grey = cv2.cvtColor(reader.rgb(frame, *stored_size), cv2.COLOR_RGB2GRAY)
    if mirrored:
        grey = grey[:, ::-1]
    return np.ascontiguousarray(np.rot90(grey, -turns))


def _reduced(grey: Grey, size: tuple[int, int]) -> Grey:
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
