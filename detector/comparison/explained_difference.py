"""What compression, colour and scaling explain of the difference between two aligned pictures.

Estimated on the background of the same frame: one mixture of the reference's picture, sharp and blurred,
and a shift, which accounts for brightness, contrast and loss of detail; and how much of a difference
remains there on average, by how much structure there is, which accounts for the noise of compression.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from detector.comparison.strips import GreyLevels

Mask = NDArray[np.bool_]

_BLURS = (1.0, 2.0)  # px
_MIXTURE = np.array([0.5, 0.25, 0.25, 0.0])  # what the mixture is drawn to where the background is flat
_HELD = 0.5  # how strongly
_ROUNDS, _OUTLIER = 3, 4.0
_FITTED, _FEWEST = 6000, 50  # pixels it is fitted to
_LEAST_NOISE = 0.3  # levels
_STRUCTURE = 5  # px, the window in which it is measured
_TRIMMED = 0.95  # quantile of squared differences beyond which they are no noise
_FLOOR = 0.05  # squared levels: rounding alone leaves as much


def remainder(seen: GreyLevels, known: GreyLevels, background: Mask) -> GreyLevels:
    """``seen`` less the mixture of ``known`` that explains it best on ``background``, outliers aside."""
    blurred = [cv2.GaussianBlur(known, (0, 0), blur) for blur in _BLURS]
    layers = [known, *blurred, np.ones_like(known)]
    # Some thousand pixels decide four weights as well as all of them.
    places = np.flatnonzero(background)
    places = places[:: max(1, len(places) // _FITTED)]
    values = np.stack([layer.ravel()[places] for layer in layers], axis=-1).astype(np.float64)
    wanted = seen.ravel()[places].astype(np.float64)
    weights = np.array([1.0, 0.0, 0.0, 0.0])
    used = np.ones(len(places), bool)
    for _ in range(_ROUNDS):
        near, count = values[used], int(used.sum())
        if count < _FEWEST:
            break
        held = _HELD * count * np.array([1, 1, 1, 0.0])
        weights = np.linalg.solve(
            near.T @ near + np.diag(held + 1e-6), near.T @ wanted[used] + held * _MIXTURE
        )
        error = np.abs(wanted - values @ weights)
        used = error < _OUTLIER * (1.4826 * float(np.median(error)) + _LEAST_NOISE)
    mixture = sum(float(weight) * layer for weight, layer in zip(weights, layers, strict=True))
    return np.asarray(seen - mixture, np.float32)


def expected(energy: GreyLevels, known: GreyLevels, background: Mask) -> GreyLevels:
    """The square of a remainder to be expected everywhere, from ``energy`` on the background."""
    window = (_STRUCTURE, _STRUCTURE)
    mean = cv2.blur(known, window)
    structure = np.maximum(cv2.blur(known * known, window) - mean * mean, 0)
    there, rise = energy[background], structure[background]
    if not len(there):
        return np.full(energy.shape, _FLOOR, np.float32)
    kept = there <= np.quantile(there, _TRIMMED)
    # Relative errors count: otherwise a few edges would decide.
    weight = 1 / (1 + rise[kept] / (float(rise.mean()) + 1))
    basis = np.stack([weight, rise[kept] * weight], axis=-1).astype(np.float64)
    (level, slope), _ = nnls(basis, (there[kept] * weight).astype(np.float64))
    return np.asarray(level + slope * structure + _FLOOR, np.float32)
