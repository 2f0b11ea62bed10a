"""Face crops out of a video, framed as they are at run time: one frame in memory, never on disk."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import Face, crop_square, square_for_face
from detector.faces.quality import flaw_of_face
from detector.faces.search.centerface import FaceDetector
from detector.media.frame import Image
from detector.media.open import open_media
from detector.schema.analysis import MediaKind, Parameters

Detect = Callable[[Image], list[Face]]

# What an analysis would not judge teaches nothing either.
_JUDGED = Parameters()


def largest_crop(image: Image, detect: Detect, size: int) -> Image | None:
    """The largest face of a frame, (size, size, 3) RGB; None when there is none worth judging.

    The largest alone, because a label speaks of the video: whoever passes in the background
    of a manipulated one is likely not manipulated.
    """
    faces = [face for face in detect(image) if flaw_of_face(face, _JUDGED) is None]
    if not faces:
        return None
    return crop_square(image, square_for_face(max(faces, key=lambda face: face.width)), size)


def video_crops(path: Path, size: int, count: int = 10, detect: Detect | None = None) -> NDArray[np.uint8]:
    """The largest face of each of ``count`` evenly spaced frames, (n, size, size, 3) RGB, in order.

    The frames are the first of each ``count``-th of the duration; n is smaller where frames
    hold no face or the video has fewer frames, and 0 where no frame holds one. A still gives
    at most one. ``detect`` lets many calls share one detector. Raises :class:`~detector.errors.MediaError`
    when the file cannot be read.
    """
    detect = detect or FaceDetector()
    with open_media(path) as reader:
        seconds = reader.expected_duration
        if not seconds and reader.kind is MediaKind.VIDEO:
            seconds = _measured(path)
        rate = count / seconds if seconds else 1.0
        frames = islice(reader.frames(rate), count)
        crops = [crop for frame in frames if (crop := largest_crop(frame.image, detect, size)) is not None]
    return np.stack(crops) if crops else np.zeros((0, size, size, 3), np.uint8)


def _measured(path: Path) -> float:
    """Duration in seconds of a video whose container states none, by reading all of it."""
    with open_media(path) as reader:
        for _ in reader.frames(1.0):
            pass
        return float(reader.duration)
