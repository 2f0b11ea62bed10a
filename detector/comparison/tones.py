"""One change of brightness, contrast and colour of a whole picture, taken out before pictures are compared.

An editor that brightens a photo moves each channel along one curve, and what comes out beyond white or
black is cut off there: those places differ by more than any mixture of the reference explains, though
nobody touched them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.comparison.explained_difference import Mask
from detector.comparison.strips import ColourLevels, Floats
from detector.media.frame import Image

_BLACK, _WHITE = 6.0, 249.0  # levels beyond which a channel is cut off, give or take compression
_SHARE, _LEVELS = 0.0005, 3.0  # share of pixels, and levels, from which on a difference of tones counts
_ALIKE = 6.0  # levels that most pixels differ by at most where no tones were changed
_MOST = 2000  # pixels a curve is fitted to
_FEWEST = 200
_ROUNDS, _KEPT = 4, 0.85  # share of pixels that fit best, and count in the next round
_LEAST_SPREAD = 5.0  # levels: where the pixels hardly differ there is no curve to be seen


@dataclass(frozen=True, eq=False)
class Tones:
    """How the tones of a reference became those of the exhibit: ``curves`` (256, 3), not cut off yet.

    ``changed``: what comes of them is no straight line, the same for each channel. ``reference_cut``: the
    reference has lost levels that the exhibit still has.
    """

    curves: Floats
    changed: bool
    reference_cut: bool

    @classmethod
    def between(cls, seen: ColourLevels, known: ColourLevels, background: Mask) -> Tones:
        """Estimated on ``background`` of two aligned pictures, without the levels either has cut off."""
        x, y = known[background], seen[background]
        if not x.size or (np.abs(y - x) <= _ALIKE).mean(axis=0).min() > _KEPT:
            return cls(np.arange(256.0)[:, None].repeat(3, axis=1), False, False)
        whole = (x > _BLACK) & (x < _WHITE) & (y > _BLACK) & (y < _WHITE)
        curves = np.stack([_curve(x[whole[:, c], c], y[whole[:, c], c]) for c in range(3)], axis=1)
        lost = (x >= _WHITE) & (y > curves[-1] + _LEVELS) | (x <= _BLACK) & (y < curves[0] - _LEVELS)
        levels = x.round().astype(np.intp).clip(0, 255)
        become = np.take_along_axis(curves.clip(0, 255), levels, axis=0)
        straight = np.polyval(np.polyfit(x.ravel(), become.ravel(), 1), x) if x.std() > 1 else become
        bent = np.abs(become - straight) > _LEVELS
        return cls(curves, *(bool(one.any(axis=1).mean() > _SHARE) for one in (bent, lost)))

    def of_reference(self, image: Image) -> Image:
        """The reference in the tones of the exhibit, cut off as the exhibit's are."""
        return _changed(image, self.curves)

    def of_exhibit(self, image: Image) -> Image:
        """The exhibit without levels that the reference has lost."""
        return _changed(image, np.arange(256.0)[:, None].clip(self.curves[0], self.curves[-1]))


def _changed(image: Image, levels: Floats) -> Image:
    return np.asarray(cv2.LUT(image, levels.round().clip(0, 255).astype(np.uint8)[None]), np.uint8)


def _curve(x: NDArray[np.float32], y: NDArray[np.float32]) -> Floats:
    """What becomes of each of 256 levels: the rising curve from ``x`` to ``y`` that most pixels lie near."""
    step = max(1, len(x) // _MOST)
    levels, wanted = x[::step].astype(np.float64), y[::step].astype(np.float64)
    if len(levels) < _FEWEST or levels.std() < _LEAST_SPREAD:
        shift = float(np.median(wanted - levels)) if len(levels) else 0.0
        return np.arange(256.0) + shift
    kept = np.ones(len(levels), bool)
    best = np.array([1.0, 0.0])
    # The bend last: a bright thing that was painted out would bend a curve fitted to all at once.
    for degree in (*[1] * _ROUNDS, 2, 2):
        fitted = np.polyfit(levels[kept], wanted[kept], degree)
        if min(np.polyval(np.polyder(fitted), [0.0, 255.0])) <= 0:
            break  # no curve of tones falls
        best = fitted
        error = np.abs(wanted - np.polyval(best, levels))
        kept = error <= np.quantile(error, _KEPT)
    return np.polyval(best, np.arange(256.0))
