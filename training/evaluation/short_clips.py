"""Short clips in memory: read, write and alter them (encode, scale, crop, caption, retime)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from detector.media.encode import H264Writer
from detector.media.frame import Image

_PRESET = "veryfast"


@dataclass(frozen=True)
class ShortClip:
    """Frames at a constant rate."""

    frames: list[Image]
    rate: Fraction


def read_short_clip(path: Path) -> ShortClip:
    """Read all frames of a short clip."""
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate or Fraction(25)
        return ShortClip([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)], rate)


def write_short_clip(film: ShortClip, path: Path, crf: int, *, one_thread: bool = False) -> Path:
    """Write H.264 in mp4 with even sides; with ``one_thread`` reproducibly to the byte."""
    height, width = (side - side % 2 for side in film.frames[0].shape[:2])
    with av.open(str(path), "w", format="mp4") as container:
        options = {"crf": str(crf), "preset": _PRESET}
        writer = H264Writer(container, (width, height), film.rate, options, one_thread=one_thread)
        for number, picture in enumerate(film.frames):
            whole = np.ascontiguousarray(picture[:height, :width])
            writer.write(av.VideoFrame.from_ndarray(whole, format="rgb24"), Fraction(number) / film.rate)
        writer.finish()
    return path


SHIFT = 1.5  # seconds cut off at the start
_CROPPED = 0.05  # on each side: a tenth of width and height
_CAPTION = 0.12  # of the height


@dataclass(frozen=True)
class Variant:
    """A change made to an exhibit.

    Afterwards the reference is about ``shift`` seconds ahead, and ``speed`` of its seconds pass in one of the
    exhibit's.
    """

    name: str
    change: Callable[[ShortClip], ShortClip]
    crf: int = 23
    shift: float = 0.0
    speed: float = 1.0


def _on_frames(change: Callable[[Image], Image]) -> Callable[[ShortClip], ShortClip]:
    return lambda film: ShortClip([change(frame) for frame in film.frames], film.rate)


def _scale(scale: float) -> Callable[[ShortClip], ShortClip]:
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return _on_frames(
        lambda picture: np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method))
    )


def _crop(picture: Image) -> Image:
    height, width = picture.shape[:2]
    down, across = round(_CROPPED * height), round(_CROPPED * width)
    return picture[down : height - down, across : width - across]


def _add_caption(picture: Image) -> Image:
    height, width = picture.shape[:2]
    bar = round(_CAPTION * height)
    out = picture.copy()
    out[height - bar :] = (20, 20, 60)
    where = (width // 20, height - bar // 3)
    cv2.putText(
        out, "BREAKING NEWS", where, cv2.FONT_HERSHEY_SIMPLEX, bar / 45, (255, 255, 255), 2, cv2.LINE_AA
    )
    return out


def _change_rate(film: ShortClip) -> ShortClip:
    """Convert to 24 frames a second, or slower films to 30, by dropping or repeating frames."""
    rate = Fraction(24) if film.rate > 26 else Fraction(30)
    count = int(len(film.frames) / film.rate * rate)
    return ShortClip(
        [film.frames[min(len(film.frames) - 1, int(at / rate * film.rate))] for at in range(count)], rate
    )


def _play(speed: float) -> Callable[[ShortClip], ShortClip]:
    """Play at another speed by dropping or repeating frames, at the same rate."""
    return lambda film: ShortClip(
        [film.frames[int(at * speed + 0.5)] for at in range(int((len(film.frames) - 1) / speed))], film.rate
    )


def _thin(every: int) -> Callable[[ShortClip], ShortClip]:
    return lambda film: ShortClip(film.frames[::every], film.rate / every)


VARIANTS = (
    Variant("crf 28", lambda film: film, crf=28),
    Variant("crf 40", lambda film: film, crf=40),
    Variant("scale 0.5", _scale(0.5)),
    Variant("scale 1.3", _scale(1.3)),
    Variant("crop 10 %", _on_frames(_crop)),
    Variant("mirrored", _on_frames(lambda picture: picture[:, ::-1])),
    Variant(
        f"shifted by {SHIFT} s",
        lambda film: ShortClip(film.frames[round(SHIFT * film.rate) :], film.rate),
        shift=SHIFT,
    ),
    Variant("24 or 30 fps", _change_rate),
    Variant("caption bar", _on_frames(_add_caption)),
)
_PAL = Fraction(25, 24)
RETIMED = (
    Variant("4 % faster", lambda film: ShortClip(film.frames, film.rate * _PAL), speed=float(_PAL)),
    Variant("4 % slower", lambda film: ShortClip(film.frames, film.rate / _PAL), speed=float(1 / _PAL)),
    Variant("every third frame", _thin(3)),
    Variant("1.25 times as fast", _play(1.25), speed=1.25),
    Variant("every twelfth frame", _thin(12)),
    Variant("half as fast", _play(0.5), speed=0.5),
    Variant("twice as fast", _play(2.0), speed=2.0),
)
"""Copies at other rates and speeds; each clip is used in one of them."""
