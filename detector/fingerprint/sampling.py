"""Making a fingerprint of frames that come by."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.fingerprint.fingerprint import MOST_PICTURES, RATE, SIDE, Fingerprint
from detector.media.frame import Frame, Image
from detector.media.open import open_media
from detector.schema.analysis import MediaKind

_HELD = 2 * RATE  # pictures that one stands for at most where frames are missing


class FingerprintSampler:
    """Takes the first frame of each 1/RATE seconds, and gives the fingerprint at the end."""

    def __init__(self, *, still: bool) -> None:
        self._still = still
        self._pictures: list[NDArray[np.uint8]] = []
        self._size = (0, 0)

    def process_frame(self, frame: Frame) -> None:
        """Look at a frame, upright, in order of time."""
        place = int(frame.time * RATE)
        if place < len(self._pictures) or len(self._pictures) >= MOST_PICTURES:
            return
        if not self._pictures:
            self._size = (frame.image.shape[1], frame.image.shape[0])
        missing = min(place, MOST_PICTURES - 1) - len(self._pictures)
        blank = np.zeros((SIDE, SIDE), np.uint8)
        last = self._pictures[-1] if self._pictures and missing <= _HELD else blank
        self._pictures += [last] * missing
        self._pictures.append(reduced(frame.image))

    def post_process(self) -> Fingerprint | None:
        """The fingerprint of all frames; none if there was no frame."""
        if not self._pictures:
            return None
        return Fingerprint(np.stack(self._pictures), self._size, self._still)


def reduced(image: Image) -> NDArray[np.uint8]:
    """A picture (RGB) as fingerprints have it: its brightness, SIDE px both ways."""
    # Some pixels do: averaging all of a large picture takes many times as long.
    step = max(1, min(image.shape[:2]) // (8 * SIDE))
    coarse = np.ascontiguousarray(image[::step, ::step])
    small = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def fingerprint_of(path: Path) -> Fingerprint | None:
    """The fingerprint of a file; raises :class:`~detector.errors.MediaError` as the analysis would."""
    with open_media(path) as reader:
        sampler = FingerprintSampler(still=reader.kind is MediaKind.IMAGE)
        for frame in reader.frames(float(Fraction(RATE)), all_decoded=False):
            sampler.process_frame(frame)
        return sampler.post_process()
