"""Whether something lies before the mouth or the eyes of a face: a mask, a hand, a caption, a sticker.

A small network tells it, which ``detector.training.covered_faces`` trains on drawn covers. What scores such a
face may have says little: covers raise those of unmanipulated faces and lower those of manipulated ones
(docs/models.md).
"""

from __future__ import annotations

from pathlib import Path

import cv2

from detector.media.frame import Image
from detector.models.small_networks import COVERED_FACES
from detector.schema.logistic import sigmoid

SEEN = 64  # px, the side of what the network is shown
SURE = 0.85
"""Probability from which a face counts as covered."""
_EVERY = 4  # sampled frames: what covers a face seldom goes within half a second


class CoverNet:
    """The shipped network, or another ONNX file. Not to be shared between threads."""

    def __init__(self, network: Path | None = None) -> None:
        self._net = cv2.dnn.readNetFromONNX(str(network or COVERED_FACES.file()))

    def __call__(self, crop: Image) -> float:
        """The probability that mouth or eyes of the face in the scan's ``crop`` (RGB) are covered.

        The lower one of the crop and its mirror image: what is covered is so in both, and of bare faces that
        are taken for covered ones most are in one alone.
        """
        shrunk = cv2.resize(crop, (SEEN, SEEN), interpolation=cv2.INTER_AREA)
        self._net.setInput(cv2.dnn.blobFromImages([shrunk, cv2.flip(shrunk, 1)]))
        return sigmoid(float(self._net.forward().min()))


class Covers:
    """Which faces are covered; of a track every fourth one is looked at."""

    def __init__(self) -> None:
        self._net = CoverNet()
        self._last: dict[int, tuple[int, bool]] = {}  # of a track: when it was looked at, and what was seen

    def of(self, track: int, number: int, crop: Image) -> bool:
        """Whether mouth or eyes are covered of the face of ``track`` in the sampled frame ``number``."""
        at, covered = self._last.get(track, (number - _EVERY, False))
        if number - at >= _EVERY:
            covered = self._net(crop) >= SURE
            self._last[track] = number, covered
        return covered
