"""Follow faces from frame to frame, and say which tracks are one person.

Faces of neighbouring sampled frames are matched by overlap, all at once (Hungarian
assignment, Kuhn 1955, in SciPy). A cut breaks every track; a face lost for a moment
keeps its own. Tracks that never share a frame and look alike are one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect import FrameTimecode
from scenedetect.detector import FlashFilter
from scenedetect.detectors import ContentDetector
from scipy.optimize import linear_sum_assignment

from detector.analysis import Box
from detector.boxes import overlap
from detector.faces import Face, Image, Square, cut, framing

# At eight frames a second a turning head moves by a third of its width between frames:
# boxes are grown by that much on each side before their overlap is measured.
_GROWTH = 1 / 3
_LEAST_OVERLAP = 0.25

# Side of the colour thumbnail by which tracks are compared, and how alike two must be.
_THUMBNAIL = 24
_ALIKE = 0.85
_CUT_WIDTH = 160  # px; cuts show at any size


@dataclass
class Track:
    """One face between two cuts; ``thumbnail`` is its mean picture."""

    number: int
    box: Box
    first: float
    last: float
    sightings: int = 0
    thumbnail: NDArray[np.float64] = field(
        default_factory=lambda: np.zeros((_THUMBNAIL, _THUMBNAIL, 3), np.float64)
    )


class CutDetector:
    """Scene cuts by change of hue, saturation and brightness (PySceneDetect's content detector)."""

    def __init__(self, sample_rate: float) -> None:
        self._detector = _content_detector()
        self._rate = float(sample_rate)
        self._number = 0
        self._shape: tuple[int, ...] = ()

    def process_frame(self, image: Image) -> bool:
        """True when ``image`` (RGB) begins a new scene."""
        height = max(16, round(image.shape[0] * _CUT_WIDTH / image.shape[1]))
        small = cv2.resize(image, (_CUT_WIDTH, min(height, 4 * _CUT_WIDTH)), interpolation=cv2.INTER_AREA)
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


class Tracker:
    """Gives each face of each sampled frame the number of its track.

    ``bridge_gap`` is for how many seconds a face may be lost and still keep its track.
    """

    def __init__(self, bridge_gap: float) -> None:
        self._bridge_gap = bridge_gap
        self._live: list[Track] = []
        self._previous = 0.0
        self._numbers = count()
        self.tracks: list[Track] = []

    def process_frame(self, time: float, image: Image, faces: Sequence[Face], is_cut: bool) -> list[int]:
        """Track numbers of ``faces``, in their order. ``is_cut`` ends every track first."""
        # A face of the very last sampled frame is always followed, however sparse the sampling.
        oldest = min(self._previous, time - self._bridge_gap - 1e-9)
        self._live = [] if is_cut else [t for t in self._live if t.last >= oldest]
        self._previous = time
        matched: dict[int, Track] = {}
        if self._live and faces:
            live = [_grown(track.box) for track in self._live]
            overlaps = np.array([[overlap(box, _grown(face.box)) for box in live] for face in faces])
            for row, column in zip(*linear_sum_assignment(-overlaps), strict=True):
                if overlaps[row, column] >= _LEAST_OVERLAP:
                    matched[int(row)] = self._live[column]
        numbers = []
        for index, face in enumerate(faces):
            track = matched.get(index)
            if track is None:
                track = Track(next(self._numbers), face.box, time, time)
                self.tracks.append(track)
                self._live.append(track)
            track.box, track.last = face.box, time
            track.sightings += 1
            track.thumbnail += _thumbnail(image, face)
            numbers.append(track.number)
        return numbers

    def forget_ended(self) -> set[int]:
        """Keep only the tracks that may go on; returns their numbers."""
        self.tracks = list(self._live)
        return {track.number for track in self.tracks}


def persons(tracks: Sequence[Track]) -> list[list[int]]:
    """Track numbers grouped by person.

    Two groups become one when their tracks never overlap in time and their mean
    pictures correlate by at least 0.85, the most alike first. Careful on purpose: two
    persons merged would give one the other's findings, one split in two only reads twice.
    """
    groups = [[track] for track in tracks]
    while True:
        best, pair = _ALIKE, None
        for i, a in enumerate(groups):
            for j, b in enumerate(groups[:i]):
                if _apart(a, b) and (alike := _likeness(a, b)) >= best:
                    best, pair = alike, (i, j)
        if pair is None:
            return [[track.number for track in group] for group in groups]
        groups[pair[1]] += groups.pop(pair[0])


def _apart(a: list[Track], b: list[Track]) -> bool:
    return all(x.last < y.first or y.last < x.first for x in a for y in b)


def _likeness(a: list[Track], b: list[Track]) -> float:
    """Correlation of mean pictures, -1 to 1."""
    first, second = (sum((t.thumbnail for t in g), np.zeros(())) for g in (a, b))
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def _thumbnail(image: Image, face: Face) -> NDArray[np.float64]:
    square = framing(face)
    # Wider than the face: hair and neck tell people apart better than features at this size.
    wide = Square(square.x, square.y, square.side * 1.5, square.angle)
    return cut(image, wide, _THUMBNAIL).astype(np.float64)


def _grown(box: Box) -> Box:
    dx, dy = (box[2] - box[0]) * _GROWTH, (box[3] - box[1]) * _GROWTH
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy
