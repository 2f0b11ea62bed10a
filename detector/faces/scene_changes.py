"""Detect cuts, and dissolves in which a track passes from one face to another."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect import FrameTimecode
from scenedetect.detector import FlashFilter
from scenedetect.detectors import ContentDetector

from detector.faces.search.matching import normalised_pixels
from detector.media.frame import Image
from detector.schema.analysis import Box
from detector.schema.geometry import grow_box

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


_SPANS = 8, 16  # samples from one scene to the other, in which a dissolve lies
_ANOTHER_SCENE = 0.7  # correlation of whole pictures, below it
_MIXED = 0.06  # of what lies between, what is no mixture of both, at most
_ALIKE = 0.75  # correlation of a face after a dissolve with before, at least; what is behind it changes too
_ALTOGETHER = 0.4  # correlation of whole pictures, below which the scene is another however it came to be
_ALIKE_THEN = 0.55  # correlation of a face after that with before, at least: it may have turned
_LATELY = 4  # samples whose mean is what is seen now; as many there are before them, at least

_Picture = NDArray[np.float32]  # (d,), of :func:`picture`: the product of two is their correlation


class SceneMemory:
    """What the last sampled frames looked like as a whole."""

    def __init__(self) -> None:
        self._frames: deque[_Picture] = deque(maxlen=max(_SPANS) + 1)

    def add(self, image: Image) -> None:
        """The next frame."""
        height, width = image.shape[:2]
        self._frames.append(normalised_pixels(image, (0.0, 0.0, float(width), float(height))))

    def likeness_needed(self) -> float:
        """How much a face must look as it did to be the same; without a change of scene no face must."""
        frames = np.array(self._frames)
        if any(_is_dissolve(frames[-span - 1 :]) for span in _SPANS if len(frames) > span):
            return _ALIKE
        return _ALIKE_THEN if float((frames @ frames[-1]).min()) < _ALTOGETHER else -1.0


def _is_dissolve(frames: NDArray[np.float32]) -> bool:
    """Whether the first of ``frames`` (n, d) goes over to the last, of another scene, by mixtures of both."""
    first, last = frames[0], frames[-1]
    likeness = max(float(first @ last), -0.99)  # of a picture and its negative mixtures would be no plane
    if likeness >= _ANOTHER_SCENE:
        return False
    between = frames[1:-1]
    on_first, on_last = between @ first, between @ last
    mixed = (on_first**2 + on_last**2 - 2 * likeness * on_first * on_last) / (1 - likeness**2)
    return float(((between**2).sum(axis=1) - mixed).mean()) <= _MIXED * (1 - likeness)


class Sighting(NamedTuple):
    """A face of a track in one sampled frame."""

    time: float
    picture: _Picture
    thumbnail: NDArray[np.float32] | None
    """What of it went into the track's mean picture."""


class Change(NamedTuple):
    """A track was one face up to ``until``, in seconds, and is another in ``others``, all after that."""

    until: float
    others: list[Sighting]


def wide_picture(image: Image, box: Box) -> _Picture:
    """The picture of a face with hair and neck, which tell people apart as well."""
    return normalised_pixels(image, grow_box(box))


class TrackMemory:
    """What a track looked like."""

    def __init__(self, seen: Sequence[Sighting] = ()) -> None:
        """``seen`` are the first sightings, which are not told apart any more."""
        self._before: _Picture = np.array([one.picture for one in seen], np.float32).sum(axis=0)
        self._count = len(seen)  # of what is added up there
        self._kept: deque[Sighting] = deque()
        self._likeness = 1.0  # of what is seen lately with what was seen before

    def add(self, sighting: Sighting) -> None:
        """The next one."""
        if len(self._kept) == max(_SPANS):
            self._before = self._before + self._kept.popleft().picture
            self._count += 1
        self._kept.append(sighting)

    def change(self, needed: float) -> Change | None:
        """Where the latest sightings are another face than those before, less alike than ``needed``.

        Said when it does not become less alike any more: then nothing of the first is mixed into the second.
        """
        kept = list(self._kept)
        if self._count + len(kept) < 2 * _LATELY or len(kept) <= _LATELY:
            return None
        pictures = np.array([one.picture for one in kept])
        before = _unit(self._before + pictures[:-_LATELY].sum(axis=0))
        now = _unit(pictures[-_LATELY:].sum(axis=0))
        falling, self._likeness = self._likeness, float(before @ now)
        if self._likeness >= needed or self._likeness < falling:
            return None
        older = np.flatnonzero(pictures @ before >= pictures @ now)
        first = int(older[-1]) + 1 if len(older) else 1
        return Change(kept[first - 1].time, kept[first:]) if first < len(kept) else None


def _unit(total: _Picture) -> _Picture:
    length = np.linalg.norm(total)
    return total / length if length else total
