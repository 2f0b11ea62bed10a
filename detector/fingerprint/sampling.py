"""Compute the fingerprint of an exhibit from its decoded frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.fingerprint.fingerprint import MOST_PICTURES, RATE, SIDE, Fingerprint
from detector.media.completeness import lost_frames
from detector.media.frame import Frame, Image
from detector.media.open import open_media
from detector.media.reader import MediaReader
from detector.schema.analysis import MediaKind

_HELD = 2 * RATE  # maximum pictures that one frame of a damaged file may represent


class FingerprintSampler:
    """Takes the first frame of each 1/RATE seconds; a gap is filled with the last frame before it."""

    def __init__(self, *, still: bool) -> None:
        self._still = still
        self._pictures: list[NDArray[np.uint8]] = []
        self._later: Frame | None = None  # the latest frame after the frame of the last picture
        self._size = (0, 0)
        self._gaps: list[tuple[int, int]] = []  # start and end of long gaps

    def process_frame(self, frame: Frame) -> None:
        """Add an upright frame, in order of time."""
        place = int(frame.time * RATE)
        if place < len(self._pictures) or len(self._pictures) >= MOST_PICTURES:
            self._later = frame
            return
        if not self._pictures:
            self._size = (frame.image.shape[1], frame.image.shape[0])
        self._fill_gap(place)
        if len(self._pictures) < MOST_PICTURES:
            self._pictures.append(shrink_picture(frame.image))
        self._later = None

    def _fill_gap(self, place: int) -> None:
        """Repeat the latest frame until ``place``."""
        start, length = len(self._pictures), min(place, MOST_PICTURES - 1) - len(self._pictures)
        if start and length > 0:
            picture = self._pictures[-1] if self._later is None else shrink_picture(self._later.image)
            self._pictures += [picture] * length
            if length > _HELD:
                self._gaps.append((start, start + length))

    def post_process(self, duration: Fraction = Fraction(0), damaged: bool = False) -> Fingerprint | None:
        """Return the fingerprint of all frames, which end at ``duration``; None without frames.

        A long gap in an intact file is a motionless picture, such as a recorded slide. In a ``damaged`` file
        the content of a gap is unknown.
        """
        if not self._pictures:
            return None
        if not damaged and not self._still:
            self._fill_gap(int(duration * RATE))
        pictures = np.stack(self._pictures)
        for start, end in self._gaps if damaged else ():
            pictures[start:end] = 0
        return Fingerprint(pictures, self._size, self._still)

    def finish(self, reader: MediaReader) -> Fingerprint | None:
        """Return the fingerprint of a file that was read to its end."""
        tally = reader.tally
        damaged = tally.undecodable or tally.damage.frames or lost_frames(reader)
        return self.post_process(reader.duration, bool(damaged))


def shrink_picture(image: Image) -> NDArray[np.uint8]:
    """Reduce a picture (RGB) to its brightness at SIDE × SIDE px."""
    # Sampling is sufficient; averaging all pixels of a large picture takes many times as long.
    step = max(1, min(image.shape[:2]) // (8 * SIDE))
    coarse = np.ascontiguousarray(image[::step, ::step])
    small = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def fingerprint_file(path: Path) -> Fingerprint | None:
    """Compute the fingerprint of a file; raises :class:`~detector.errors.MediaError` as an analysis does."""
    with open_media(path) as reader:
        sampler = FingerprintSampler(still=reader.kind is MediaKind.IMAGE)
        for frame in reader.frames(float(Fraction(RATE)), all_decoded=False):
            sampler.process_frame(frame)
        return sampler.finish(reader)
