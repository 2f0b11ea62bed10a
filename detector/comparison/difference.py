"""One statistic of one face in two frames: does it differ by more than a re-encoding explains?

Face and surroundings are brought to a common grid at the coarser file's resolution. What a re-encoding
explains is estimated on the surroundings (:mod:`detector.comparison.explained_difference`); what remains of
the face is weighed by a few numbers, whose weights are fitted on pairs of which it is known
(``python -m detector.training.evaluation.comparison.fit``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from detector.comparison.affine_view import AffineView
from detector.comparison.explained_difference import Mask, expected, remainder
from detector.comparison.strips import Floats, GreyLevels
from detector.media.frame import Image
from detector.schema.analysis import Box

FACE_WIDTH = 64  # px of the grid, at most
_SIDE = 3.2  # of a face's width, the side of the square that is compared
_FACE, _ROOM = 0.9, (1.35, 1.3)  # of half a face's box: what is the face; what is no longer its surroundings
_BLUR = 1.0  # px of the grid
_BAND = (1.0, 4.0)  # px: structure that is correlated
_BAND_NOISE = 0.5  # squared levels of it that mean nothing
_LEAST_SEEN = 0.7  # of a face that both files have to show
_LEAST_SURROUNDINGS = 300  # px of the grid
_OTHERS = 0.15  # room around other faces
_ENERGY_CELLS, _BAND_CELLS = 4, 3  # a side, into which a face is cut: often only the mouth differs
_LEAST_CELL = 0.4  # of a cell that is face


@dataclass(frozen=True)
class FaceMeasure:
    """``difference`` and ``surroundings`` are logs of how much more they differ than is explained."""

    difference: float
    surroundings: float
    logit: float
    features: tuple[float, ...]


# Fitted on clips of role `train`: see the module's docstring. One for each of `FEATURES`, and the constant.
FEATURES = ("excess", "local excess", "decorrelation", "local decorrelation")
WEIGHTS = (0.8503, 1.0313, 2.0877, 1.4151)
CONSTANT = 2.1926


def measure_face(
    exhibit: Image,
    reference: Image,
    view: AffineView,
    box: Box,
    others: Sequence[Box] = (),
    shown: Box | None = None,
) -> FaceMeasure | None:
    """The statistic of the face in ``box`` of the exhibit; None where the reference does not show enough.

    ``others`` are boxes of other faces, which are no control; ``shown`` is what no bar covers of the exhibit.
    """
    grid = _Grid.around(box, view)
    seen, known, inside = grid.brought(exhibit, reference)
    if shown is not None:
        inside &= grid.inside(shown)
    face, surroundings = grid.masks(box, others)
    if (inside & face).sum() < _LEAST_SEEN * face.sum() or (
        inside & surroundings
    ).sum() < _LEAST_SURROUNDINGS:
        return None
    face, surroundings = face & inside, surroundings & inside
    rest = cv2.GaussianBlur(remainder(seen, known, surroundings), (0, 0), _BLUR)
    energy = np.asarray(rest * rest, np.float32)
    usual = expected(energy, known, surroundings)
    excess = _log_ratio(energy, usual, face)
    seen_band, known_band = _band(seen), _band(known)
    features = (
        excess,
        _second(_log_ratio(energy[c], usual[c], face[c]) for c in _cells(face, _ENERGY_CELLS)),
        _decorrelation((seen_band, known_band), face),
        _second(_decorrelation((seen_band[c], known_band[c]), face[c]) for c in _cells(face, _BAND_CELLS)),
    )
    logit = CONSTANT + sum(weight * value for weight, value in zip(WEIGHTS, features, strict=True))
    return FaceMeasure(excess, _log_ratio(energy, usual, surroundings), logit, features)


@dataclass(frozen=True)
class _Grid:
    """A square of the exhibit, ``size`` px of it at ``scale`` grid px a pixel, from ``left`` and ``top``."""

    left: float
    top: float
    scale: float
    size: int
    view: AffineView

    @classmethod
    def around(cls, box: Box, view: AffineView) -> _Grid:
        x0, y0, x1, y1 = box
        width = max(1.0, x1 - x0)
        # No finer than either file.
        scale = min(1.0, FACE_WIDTH / width, 1 / view.scale)
        side = _SIDE * max(width, 0.8 * (y1 - y0))
        size = max(16, round(side * scale))
        return cls((x0 + x1) / 2 - side / 2, (y0 + y1) / 2 - side / 2, scale, size, view)

    def brought(self, exhibit: Image, reference: Image) -> tuple[GreyLevels, GreyLevels, Mask]:
        """The brightness of both on the grid, and where both have any."""
        to_exhibit = np.array([[1 / self.scale, 0, self.left], [0, 1 / self.scale, self.top]])
        chained = np.vstack([to_exhibit, [0, 0, 1]])
        seen, seen_there = _sampled(exhibit, to_exhibit, self.size)
        known, known_there = _sampled(reference, self.view.matrix @ chained, self.size)
        return seen, known, seen_there & known_there

    def inside(self, box: Box) -> Mask:
        """What of the grid lies in ``box``."""
        x0, y0, x1, y1 = self._placed(box)
        rows, columns = np.mgrid[0 : self.size, 0 : self.size] + 0.5
        return np.asarray((columns > x0) & (columns < x1) & (rows > y0) & (rows < y1))

    def masks(self, box: Box, others: Sequence[Box]) -> tuple[Mask, Mask]:
        """The face, and its surroundings without other faces."""
        x0, y0, x1, y1 = self._placed(box)
        centre, half = ((x0 + x1) / 2, (y0 + y1) / 2), ((x1 - x0) / 2, (y1 - y0) / 2)
        rows, columns = np.mgrid[0 : self.size, 0 : self.size] + 0.5

        def ellipse(across: float, down: float) -> Mask:
            return np.asarray(
                ((columns - centre[0]) / (across * half[0])) ** 2
                + ((rows - centre[1]) / (down * half[1])) ** 2
                <= 1
            )

        surroundings = ~ellipse(*_ROOM)
        for other in others:
            ox0, oy0, ox1, oy1 = self._placed(other)
            dx, dy = _OTHERS * (ox1 - ox0), _OTHERS * (oy1 - oy0)
            inside = (columns > ox0 - dx) & (columns < ox1 + dx) & (rows > oy0 - dy) & (rows < oy1 + dy)
            surroundings &= ~inside
        return ellipse(_FACE, _FACE), surroundings

    def _placed(self, box: Box) -> tuple[float, float, float, float]:
        x0, y0, x1, y1 = box
        return (
            (x0 - self.left) * self.scale,
            (y0 - self.top) * self.scale,
            (x1 - self.left) * self.scale,
            (y1 - self.top) * self.scale,
        )


def _sampled(image: Image, matrix: Floats, size: int) -> tuple[GreyLevels, Mask]:
    """The brightness of ``image`` on a grid that ``matrix`` takes to it, averaged, and where it has any."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]]) @ matrix.T
    low = np.floor(corners.min(axis=0) - 8).astype(int).clip(0, (width - 1, height - 1))
    high = np.ceil(corners.max(axis=0) + 8).astype(int).clip(1, (width, height))
    part = image[low[1] : high[1], low[0] : high[0]]
    grey = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY).astype(np.float32)
    step = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if step > 1:  # warping samples; what is made smaller has to be averaged first
        grey = cv2.GaussianBlur(grey, (0, 0), 0.45 * step)
    moved = matrix.copy()
    moved[:, 2] -= low
    # From edges of pixels to their centres.
    moved[:, 2] += moved[:, :2] @ np.array([0.5, 0.5]) - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(grey, moved, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    if (corners >= 1).all() and (corners <= np.array([width - 1, height - 1])).all():
        return np.asarray(picture, np.float32), np.ones((size, size), bool)
    there = cv2.warpAffine(np.ones_like(grey), moved, (size, size), flags=flags)
    return np.asarray(picture, np.float32), np.asarray(cv2.erode(there, np.ones((3, 3))) > 0.99)


def _log_ratio(energy: GreyLevels, usual: GreyLevels, mask: Mask) -> float:
    return math.log(float(energy[mask].mean()) / float(usual[mask].mean()) + 1e-6)


def _cells(mask: Mask, count: int) -> Iterator[tuple[slice, slice]]:
    """The ``count`` by ``count`` cells of a mask's box that it mostly fills."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    down = np.linspace(rows[0], rows[-1] + 1, count + 1).astype(int)
    across = np.linspace(columns[0], columns[-1] + 1, count + 1).astype(int)
    for top, bottom in pairwise(down):
        for left, right in pairwise(across):
            part = mask[top:bottom, left:right]
            if part.size and part.mean() > _LEAST_CELL:
                yield slice(top, bottom), slice(left, right)


def _second(values: Iterable[float]) -> float:
    """The second largest: the largest alone may be chance."""
    ordered = sorted(values)
    return ordered[-2] if len(ordered) > 1 else ordered[-1]


def _decorrelation(bands: tuple[GreyLevels, GreyLevels], mask: Mask) -> float:
    """Log of what the structure of both lacks of full correlation; low where there is hardly any."""
    seen, known = (band[mask] - band[mask].mean() for band in bands)
    lengths = float(np.linalg.norm(seen) * np.linalg.norm(known))
    noise = _BAND_NOISE * len(seen)
    return math.log(1.001 - min(1.0, (float(seen @ known) + noise) / (lengths + noise)))


def _band(picture: GreyLevels) -> GreyLevels:
    fine, coarse = (cv2.GaussianBlur(picture, (0, 0), blur) for blur in _BAND)
    return np.asarray(fine - coarse, np.float32)
