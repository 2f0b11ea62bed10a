"""Recognise bars beside or above a picture: plain ones, or blurred copies of the picture.

Players and editors fill the room around an upright video in a wide frame that way. Faces in such bars repeat
those of the picture. Where bars begin, a straight line crosses the frame, at the same distance from either
side; outside of it there is hardly any fine detail.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image
from detector.schema.analysis import Bars

_INTERVAL = 0.5  # seconds between measured frames
_MEASURED = 8  # frames of a scene
_LINES = 120  # measured across bars
_NARROWEST, _WIDEST = 0.04, 0.45  # of a bar, as a share of the frame
_NARROWEST_PLAIN = 1 / 6  # narrower ones, as of wide-screen films, need no mention
_OUTERMOST = 0.02  # of the frame, where lines are flaws of its edge
_STEP, _REACH = 6, 2  # levels within so many px on either side that are an edge
_LINE = 0.4  # least share of lines with an edge where bars begin
_NO_EDGES = 0.15  # largest share inside bars, in most of their columns
_ASYMMETRY = 0.01  # of the frame
_THICK = 6  # px outside a line in which it ends, as hair before a plain wall does not
_LESS_DETAIL = 0.35  # in bars, of that in the picture
_PLAIN = 0.05  # levels of detail of a plain bar

Area = tuple[int, int, int, int]
"""Left, top, right and bottom of a picture in its frame, px."""
Profile = NDArray[np.float64]


class _Scene(NamedTuple):
    start: float  # seconds
    shape: tuple[int, int]
    profiles: list[tuple[NDArray[np.float64], NDArray[np.float64]]]  # of columns and of rows


class BarSearch:
    """Takes sampled frames in order and looks for bars in each scene."""

    def __init__(self) -> None:
        self._scenes: list[_Scene] = []
        self._next = 0.0
        self._areas: list[Area | None] = []

    def process_frame(self, time: float, image: Image, is_cut: bool) -> None:
        """Measure the frame (RGB), at ``time`` in seconds, if it is due."""
        shape = image.shape[:2]
        if is_cut or not self._scenes or self._scenes[-1].shape != shape:
            self._finish_scene()
            self._scenes.append(_Scene(time, (shape[0], shape[1]), []))
            self._next = time
        profiles = self._scenes[-1].profiles
        if time < self._next or len(profiles) >= _MEASURED:
            return
        self._next = time + _INTERVAL
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        profiles.append((_profiles(grey), _profiles(grey.T)))

    def _finish_scene(self) -> None:
        if len(self._areas) < len(self._scenes):
            scene = self._scenes[-1]
            self._areas.append(_area(scene))
            scene.profiles.clear()

    def _areas_at(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the picture between bars at sampled ``times`` (n,), px (n, 4); NaN without bars."""
        self._finish_scene()
        if not self._scenes:
            return np.full((len(times), 4), np.nan)
        areas = np.array([area or (np.nan,) * 4 for area in self._areas], float)
        starts = [scene.start for scene in self._scenes]
        at: NDArray[np.float64] = areas[np.maximum(np.searchsorted(starts, times, "right") - 1, 0)]
        return at

    def contain(self, times: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which ``boxes`` (n, 4) at sampled ``times`` (n,) have their centre in bars."""
        areas = self._areas_at(times)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        # Comparing with NaN is false.
        outside: NDArray[np.bool_] = (centres < areas[:, :2]) | (centres >= areas[:, 2:])
        return outside[:, 0] | outside[:, 1]

    def summary(self, times: NDArray[np.float64], faces: int) -> Bars | None:
        """Return what to state of bars at the sampled ``times`` (n,), in which ``faces`` were detected."""
        areas = self._areas_at(times)
        areas = areas[np.isfinite(areas[:, 0])]
        if not len(areas):
            return None
        kinds, counts = np.unique(areas, axis=0, return_counts=True)
        left, top, right, bottom = kinds[counts.argmax()].astype(int).tolist()
        return Bars(width=right - left, height=bottom - top, frames=len(areas), faces=faces)


def _profiles(grey: NDArray[np.uint8]) -> Profile:
    """Return fine detail in levels and shares of lines with a left and a right edge, by column (3, width).

    Left edges are steps beside which the left side is smooth. A share is the lowest but one of those in each
    quarter of the height.
    """
    height, width = grey.shape
    first = np.arange(0, height - 2, max(3, height // _LINES))
    above, line, below = (grey[first + offset].astype(np.int16) for offset in range(3))
    profiles = np.zeros((3, width))
    if len(first) < 4 or width < 6 * _REACH:
        return profiles
    profiles[0] = np.abs(above - 2 * line + below).mean(axis=0)
    steps = np.abs(line[:, 2 * _REACH :] - line[:, : -2 * _REACH])
    middle, left, right = steps[:, 2 * _REACH : -2 * _REACH], steps[:, : -4 * _REACH], steps[:, 4 * _REACH :]
    for number, beside in enumerate((left, right), start=1):
        edges = (middle >= _STEP) & (middle >= 2 * beside)
        quarters = [quarter.mean(axis=0) for quarter in np.array_split(edges, 4)]
        # Three quarters of the height must have it; a head before a plain wall has its sides in two.
        profiles[number, 3 * _REACH : -3 * _REACH] = np.sort(quarters, axis=0)[1]
    return profiles


def _area(scene: _Scene) -> Area | None:
    """Return the picture between the bars of a scene; None if it has none."""
    if not scene.profiles:
        return None
    height, width = scene.shape
    # The line stands still: it must be there in most frames, whereas a head before a plain wall moves.
    columns, rows = (np.percentile(profiles, 25, axis=0) for profiles in zip(*scene.profiles, strict=True))
    if bounds := _between(columns):
        return bounds[0], 0, bounds[1], height
    if bounds := _between(rows):
        return 0, bounds[0], width, bounds[1]
    return None


def _between(profiles: Profile) -> tuple[int, int] | None:
    """Return where the picture between bars begins and ends along the ``profiles`` (3, n); None without."""
    detail, left, right = profiles
    length = len(detail)
    first, last = _outermost(left), length - _outermost(right[::-1])
    narrow = min(first, length - last)
    if (
        narrow <= _THICK
        or abs(first - (length - last)) > max(2, _ASYMMETRY * length)
        or not (_NARROWEST * length <= narrow <= _WIDEST * length)
    ):
        return None
    if max(left[first - _THICK], right[last + _THICK - 1]) > _NO_EDGES:
        return None
    bars = np.r_[3 : first - 3, last + 3 : length - 3]
    inside = slice(first + 3, last - 3)
    in_bars, in_picture = np.percentile(detail[bars], 75), np.median(detail[inside])
    if np.median(np.maximum(left, right)[bars]) > _NO_EDGES or in_bars > _LESS_DETAIL * in_picture:
        return None
    if in_bars <= _PLAIN and narrow < _NARROWEST_PLAIN * length:
        return None
    return first, last


def _outermost(edges: NDArray[np.float64]) -> int:
    """Return the place of the first line across the frame; 0 if there is none."""
    start = max(_REACH, int(_OUTERMOST * len(edges)))
    places = np.flatnonzero(edges[start : len(edges) // 2] >= _LINE)
    if not len(places):
        return 0
    near = int(places[0]) + start
    return near + int(edges[near : near + 2 * _REACH + 1].argmax())
