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
from detector.schema.scores import grow_box

_CUT_WIDTH = 160  # px; cuts are visible at any size
# A Gaussian of 3 px as a separable filter, with a sixth of the work of OpenCV's function.
_BLUR = cv2.getGaussianKernel(19, 3.0)


class CutDetector:
    """Detects scene cuts by hue, saturation and brightness, with PySceneDetect's content detector."""

    def __init__(self, sample_rate: float) -> None:
        self._detector = _content_detector()
        self._rate = float(sample_rate)
        self._number = 0
        self._shape: tuple[int, ...] = ()

    def process_frame(self, image: Image, shape: tuple[int, int] | None = None) -> bool:
        """Return whether ``image`` (RGB) begins a new scene; ``shape`` is its shape before any resizing."""
        rows, columns = shape or image.shape[:2]
        height = max(16, round(rows * _CUT_WIDTH / columns))
        # Sampling is sufficient; averaging all pixels takes ten times as long.
        step = max(1, image.shape[1] // (2 * _CUT_WIDTH))
        coarse = cv2.resize(image, (0, 0), fx=1 / step, fy=1 / step, interpolation=cv2.INTER_NEAREST)
        small = cv2.resize(coarse, (_CUT_WIDTH, min(height, 4 * _CUT_WIDTH)), interpolation=cv2.INTER_AREA)
        # Remove noise, which changes the hue of grey and dark areas most.
        small = cv2.sepFilter2D(small, -1, _BLUR, _BLUR)
        new_shape = bool(self._shape) and small.shape != self._shape
        self._shape = small.shape
        if new_shape:  # frames of different shapes cannot be compared, so begin a new scene
            self._detector = _content_detector()
        cuts = self._detector.process_frame(
            FrameTimecode(self._number, fps=self._rate), cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
        )
        self._number += 1
        return new_shape or (bool(cuts) and self._number > 1)


def _content_detector() -> ContentDetector:
    return ContentDetector(min_scene_len=1, filter_mode=FlashFilter.Mode.SUPPRESS)


# Dissolves. A track is followed by its position, and the next person is often at the same position. During a
# dissolve the whole picture is a mixture of both scenes, unlike movement or a panning camera. After
# a dissolve, or any other complete change of scene, a track must look as it did before (docs/faces.md).
_SPANS = 8, 16  # samples from one scene to the other
_SCENE_SIMILARITY = 0.7  # correlation of whole pictures below which scenes differ
_LARGEST_UNMIXED = 0.06  # maximum share of the intermediate pictures that mixtures do not explain
_FACE_SIMILARITY = (
    0.75  # minimum correlation of a face before and after a dissolve, which also changes the background
)
_ABRUPT_SCENE_SIMILARITY = 0.4  # correlation of whole pictures below which the scene changed, abruptly or not
_ABRUPT_FACE_SIMILARITY = 0.55  # minimum correlation of a face after such a change; it may turn
_AVERAGED = 4  # latest samples that are averaged, and least number of samples before them

_Picture = NDArray[np.float32]  # (d,), from normalised_pixels: the product of two is their correlation


class SceneMemory:
    """Remembers whole sampled frames to recognise changes of scene."""

    def __init__(self) -> None:
        self._frames: deque[_Picture] = deque(maxlen=max(_SPANS) + 1)

    def add(self, image: Image) -> None:
        """Add the next frame."""
        height, width = image.shape[:2]
        self._frames.append(normalised_pixels(image, (0.0, 0.0, float(width), float(height))))

    def likeness_needed(self) -> float:
        """Return the minimum correlation with its earlier pictures for a face to stay in its track."""
        frames = np.array(self._frames)
        if any(_is_dissolve(frames[-span - 1 :]) for span in _SPANS if len(frames) > span):
            return _FACE_SIMILARITY
        return (
            _ABRUPT_FACE_SIMILARITY if float((frames @ frames[-1]).min()) < _ABRUPT_SCENE_SIMILARITY else -1.0
        )


def _is_dissolve(frames: NDArray[np.float32]) -> bool:
    """Return whether ``frames`` (n, d) dissolve from one scene to another by mixtures of both."""
    first, last = frames[0], frames[-1]
    likeness = max(float(first @ last), -0.99)  # a picture and its negative would span no plane
    if likeness >= _SCENE_SIMILARITY:
        return False
    intermediate = frames[1:-1]
    on_first, on_last = intermediate @ first, intermediate @ last
    mixture = (on_first**2 + on_last**2 - 2 * likeness * on_first * on_last) / (1 - likeness**2)
    return float(((intermediate**2).sum(axis=1) - mixture).mean()) <= _LARGEST_UNMIXED * (1 - likeness)


class Sighting(NamedTuple):
    """A face of a track in one sampled frame."""

    time: float
    picture: _Picture
    thumbnail: NDArray[np.float32] | None
    """The part that was added to the track's mean picture."""


class Change(NamedTuple):
    """A track shows one face until ``until``, in seconds, and another one in ``others``, all later."""

    until: float
    others: list[Sighting]


def wide_picture(image: Image, box: Box) -> _Picture:
    """Return the picture of a face with hair and neck, which distinguish people as well."""
    return normalised_pixels(image, grow_box(box))


class TrackMemory:
    """Remembers the appearance of a track, to recognise when it passes to another face."""

    def __init__(self, first: Sequence[Sighting] = ()) -> None:
        self._before: _Picture = np.array([sighting.picture for sighting in first], np.float32).sum(axis=0)
        self._count = len(first)  # of the sightings in this sum
        self._kept: deque[Sighting] = deque()
        self._likeness = 1.0  # of the latest sightings with those before

    def add(self, sighting: Sighting) -> None:
        """Add the next sighting."""
        if len(self._kept) == max(_SPANS):
            self._before = self._before + self._kept.popleft().picture
            self._count += 1
        self._kept.append(sighting)

    def change(self, needed: float) -> Change | None:
        """Return the change to another face, if the likeness of the track is below ``needed``.

        The change is returned when the likeness stops falling and the second face is free of the first.
        """
        sightings = list(self._kept)
        if self._count + len(sightings) < 2 * _AVERAGED or len(sightings) <= _AVERAGED:
            return None
        pictures = np.array([sighting.picture for sighting in sightings])
        before = _unit(self._before + pictures[:-_AVERAGED].sum(axis=0))
        now = _unit(pictures[-_AVERAGED:].sum(axis=0))
        previous_likeness, self._likeness = self._likeness, float(before @ now)
        if self._likeness >= needed or self._likeness < previous_likeness:
            return None
        older = np.flatnonzero(pictures @ before >= pictures @ now)
        first = int(older[-1]) + 1 if len(older) else 1
        return Change(sightings[first - 1].time, sightings[first:]) if first < len(sightings) else None


def _unit(total: _Picture) -> _Picture:
    length = np.linalg.norm(total)
    return total / length if length else total
