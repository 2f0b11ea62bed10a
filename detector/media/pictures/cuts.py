"""Cuts: where a new scene begins."""

from __future__ import annotations

import cv2
from scenedetect import FrameTimecode
from scenedetect.detector import FlashFilter
from scenedetect.detectors import ContentDetector

from detector.media.frame import Image

_CUT_WIDTH = 160  # px; cuts show at any size
# A Gaussian of 3 px, as a filter of columns and of rows: a sixth of the work of OpenCV's function for it.
_BLUR = cv2.getGaussianKernel(19, 3.0)


class CutDetector:
    """Scene cuts by change of hue, saturation and brightness (PySceneDetect's content detector)."""

    def __init__(self, sample_rate: float) -> None:
        self._detector = _content_detector()
        self._rate = float(sample_rate)
        self._number = 0
        self._shape: tuple[int, ...] = ()

    def process_frame(self, image: Image, shape: tuple[int, int] | None = None) -> bool:
        """True when ``image`` (RGB) begins a new scene; ``shape`` is what it had before it was resized."""
        rows, columns = shape or image.shape[:2]
        height = max(16, round(rows * _CUT_WIDTH / columns))
        # Some pixels do for this: averaging all of them takes ten times as long.
        step = max(1, image.shape[1] // (2 * _CUT_WIDTH))
        coarse = cv2.resize(image, (0, 0), fx=1 / step, fy=1 / step, interpolation=cv2.INTER_NEAREST)
        small = cv2.resize(coarse, (_CUT_WIDTH, min(height, 4 * _CUT_WIDTH)), interpolation=cv2.INTER_AREA)
        # Noise, which changes the hue of grey and dark areas most, is no change of scene.
        small = cv2.sepFilter2D(small, -1, _BLUR, _BLUR)
        resized = bool(self._shape) and small.shape != self._shape
        self._shape = small.shape
        if resized:  # a picture of another shape is another scene, and cannot be compared
            self._detector = _content_detector()
        found = self._detector.process_frame(
            FrameTimecode(self._number, fps=self._rate), cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
        )
        self._number += 1
        return resized or (bool(found) and self._number > 1)


def _content_detector() -> ContentDetector:
    return ContentDetector(min_scene_len=1, filter_mode=FlashFilter.Mode.SUPPRESS)
