"""How well small pictures of the exhibit fit those of the reference, under one view."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.comparison.strips import Strip
from detector.comparison.views import Places, View, textures, warped

Matrix = NDArray[np.float32]

_NOISE = 0.06  # share of a picture's structure that compression changes, about
_MOTION_SHARE = 0.5  # of motion in the agreement of two pictures; the rest is the whole picture's


def comparable(
    exhibit: Strip, reference: Strip, view: View, seen_at: Places, known_at: Places, reduced: int
) -> tuple[Matrix, Matrix]:
    """Pictures of both as rows of numbers, the exhibit's where the view puts them, alike outside it."""
    height, width = reference.pictures.shape[1:]
    matrix = view.between(exhibit.scale, reference.scale)
    inside = warped(np.ones(exhibit.pictures.shape[1:], np.float32), matrix, (width, height))
    mask = (cv2.erode(inside, np.ones((3, 3))) > 0.99).astype(np.float32)
    size = max(8, width // reduced), max(8, height // reduced)

    def row(picture: Matrix) -> Matrix:
        masked = picture * mask
        return (masked if reduced == 1 else cv2.resize(masked, size, interpolation=cv2.INTER_AREA)).ravel()

    seen = np.stack(
        [row(warped(textures(exhibit.pictures[at][None])[0], matrix, (width, height))) for at in seen_at]
    )
    known = np.stack([row(textures(reference.pictures[at][None])[0]) for at in known_at])
    covered = mask.ravel() if reduced == 1 else cv2.resize(mask, size, interpolation=cv2.INTER_AREA).ravel()
    return seen[:, covered > 0], known[:, covered > 0]


def agreement_matrix(seen: Matrix, known: Matrix, around: float) -> Matrix:
    """How well each row of ``seen`` (n, k) fits each of ``known`` (m, k): as wholes, and in what moves.

    What moves is what differs from the mean of ``around`` rows before and after. 1 is a perfect fit.
    """
    whole = _cosine(seen, known, 0.0)
    if min(len(seen), len(known)) < 3:  # a photo: nothing moves
        return whole
    moving = _cosine(_moving(seen, around), _moving(known, around), _NOISE * float(np.mean((seen**2).sum(1))))
    # A moment without motion fits all moments without motion.
    return np.asarray((1 - _MOTION_SHARE) * whole + _MOTION_SHARE * moving, np.float32)


def _cosine(seen: Matrix, known: Matrix, noise: float) -> Matrix:
    """Products of the rows by their lengths; ``noise`` is the squared length that means nothing."""
    seen_power, known_power = (seen**2).sum(1)[:, None], (known**2).sum(1)[None]
    products = seen @ known.T
    if not noise:
        return np.asarray(products / (np.sqrt(seen_power * known_power) + 1e-6), np.float32)
    # The likelihood of a difference: 1 for none, and as high for two that do not move.
    difference = np.maximum(seen_power + known_power - 2 * products, 0.0)
    return np.asarray(1 - difference / (seen_power + known_power + 2 * noise), np.float32)


def _moving(rows: Matrix, around: float) -> Matrix:
    """Rows less their mean over ``around`` rows before and after."""
    reach = max(1, round(around))
    if len(rows) < 3:
        return rows
    return np.asarray(
        rows - cv2.blur(rows, (1, 2 * min(reach, len(rows) - 1) + 1), borderType=cv2.BORDER_REPLICATE),
        np.float32,
    )
