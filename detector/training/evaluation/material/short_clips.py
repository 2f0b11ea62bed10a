"""Short clips as frames in memory, read and written whole."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from detector.media.encode import H264Writer
from detector.media.frame import Image

_PRESET = "veryfast"


@dataclass(frozen=True)
class ShortClip:
    """Frames with a steady rate."""

    frames: list[Image]
    rate: Fraction


def read_short_clip(path: Path) -> ShortClip:
    """All frames of a short clip."""
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate or Fraction(25)
        return ShortClip([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)], rate)


def write_short_clip(film: ShortClip, path: Path, crf: int, *, one_thread: bool = False) -> Path:
    """H.264 in mp4, of even sides; with ``one_thread`` the same bytes on any number of cores."""
    height, width = (side - side % 2 for side in film.frames[0].shape[:2])
    with av.open(str(path), "w", format="mp4") as container:
        options = {"crf": str(crf), "preset": _PRESET}
        writer = H264Writer(container, (width, height), film.rate, options, one_thread=one_thread)
        for number, picture in enumerate(film.frames):
            whole = np.ascontiguousarray(picture[:height, :width])
            writer.write(av.VideoFrame.from_ndarray(whole, format="rgb24"), Fraction(number) / film.rate)
        writer.finish()
    return path
