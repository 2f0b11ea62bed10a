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

_HELD = 2 * RATE  # pictures that one stands for at most where a damaged file shows no frame


class FingerprintSampler:
    """Takes the first frame of each 1/RATE seconds, and gives the fingerprint at the end.

    Where none comes for longer, the last frame that did, though not the first, stands until the next one.
    """

    def __init__(self, *, still: bool) -> None:
        self._still = still
        self._pictures: list[NDArray[np.uint8]] = []
        self._later: Frame | None = None  # the last one after that of the last picture
        self._size = (0, 0)
        self._waits: list[tuple[int, int]] = []  # where one stands for more, first and after the last

    def process_frame(self, frame: Frame) -> None:
        """Look at a frame, upright, in order of time."""
        place = int(frame.time * RATE)
        if place < len(self._pictures) or len(self._pictures) >= MOST_PICTURES:
            self._later = frame
            return
        if not self._pictures:
            self._size = (frame.image.shape[1], frame.image.shape[0])
        self._wait(place)
        if len(self._pictures) < MOST_PICTURES:
            self._pictures.append(shrink_picture(frame.image))
        self._later = None

    def _wait(self, place: int) -> None:
        """What was seen last stays until ``place``."""
        begun, missing = len(self._pictures), min(place, MOST_PICTURES - 1) - len(self._pictures)
        if begun and missing > 0:
            seen = self._pictures[-1] if self._later is None else shrink_picture(self._later.image)
            self._pictures += [seen] * missing
            if missing > _HELD:
                self._waits.append((begun, begun + missing))

    def post_process(self, duration: Fraction = Fraction(0), damaged: bool = False) -> Fingerprint | None:
        """The fingerprint of all frames, which end at ``duration``; none if there was no frame.

        Where a file that is not ``damaged`` shows no frame for long its picture stands still: so programs
        record slides. In a damaged one nothing is known of that time.
        """
        if not self._pictures:
            return None
        if not damaged and not self._still:
            self._wait(int(duration * RATE))
        pictures = np.stack(self._pictures)
        for first, after in self._waits if damaged else ():
            pictures[first:after] = 0
        return Fingerprint(pictures, self._size, self._still)

    def finish(self, reader: MediaReader) -> Fingerprint | None:
        """The fingerprint of all frames of a file that was read to its end."""
        tally = reader.tally
        damaged = tally.undecodable or tally.damage.frames or lost_frames(reader)
        return self.post_process(reader.duration, bool(damaged))


def shrink_picture(image: Image) -> NDArray[np.uint8]:
    """A picture (RGB) as fingerprints have it: its brightness, SIDE px both ways."""
    # Some pixels do: averaging all of a large picture takes many times as long.
    step = max(1, min(image.shape[:2]) // (8 * SIDE))
    coarse = np.ascontiguousarray(image[::step, ::step])
    small = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def fingerprint_file(path: Path) -> Fingerprint | None:
    """The fingerprint of a file; raises :class:`~detector.errors.MediaError` as the analysis would."""
    with open_media(path) as reader:
        sampler = FingerprintSampler(still=reader.kind is MediaKind.IMAGE)
        for frame in reader.frames(float(Fraction(RATE)), all_decoded=False):
            sampler.process_frame(frame)
        return sampler.finish(reader)
