"""How similar small pictures of the exhibit are to those of the reference, under one view."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.comparison.affine_view import SAME_PICTURE, AffineView, Places, textures, warped
from detector.comparison.strips import Floats, Strip

Matrix = NDArray[np.float32]

_NOISE = 0.06  # share of a picture's structure that compression changes, about
_SAME_SHOT = 0.4  # correlation of neighbouring pictures below which there is a cut between them
_SUMMED = 512  # columns of rows that are averaged at once
_MOTION_SHARE = 0.5  # of motion in the similarity of two pictures; the rest is the whole picture's


def comparable(
    exhibit: Strip, reference: Strip, view: AffineView, seen_at: Places, known_at: Places, reduced: int
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


def similarity_matrix(
    seen: Matrix, known: Matrix, seen_times: Floats, known_times: Floats, around: float
) -> Matrix:
    """How well each row of ``seen`` (n, k) fits each of ``known`` (m, k): as wholes, and in what moves.

    What moves is what differs from the mean of ``around`` seconds before and after, in the same shot. 1 is a
    perfect fit.
    """
    whole = _cosine(seen, known, 0.0)
    if min(len(seen), len(known)) < 3:  # a photo: nothing moves
        return whole
    moving = _cosine(
        _moving(seen, seen_times, around),
        _moving(known, known_times, around),
        _NOISE * float(np.mean((seen**2).sum(1))),
    )
    # A moment without motion fits all moments without motion, which says nothing of other pictures.
    moving *= (whole / SAME_PICTURE).clip(0, 1)
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


def _moving(rows: Matrix, times: Floats, around: float) -> Matrix:
    """Rows less the mean of what is shown ``around`` seconds before and after, within their shot.

    What lies beyond a cut need not be in the other file, and would count as if it moved.
    """
    out = np.zeros_like(rows)
    for shot in _shots(rows):
        # A few columns at a time: the sums are of twice the precision, and would take memory.
        for part in range(0, rows.shape[1], _SUMMED):
            own = rows[shot, part : part + _SUMMED]
            if len(own) > 1:
                out[shot, part : part + _SUMMED] = own - _means(own, times[shot], around)
    return out


def _shots(rows: Matrix) -> list[slice]:
    """Rows between cuts: where neighbours hardly resemble each other."""
    lengths = np.linalg.norm(rows, axis=1)
    alike = (rows[1:] * rows[:-1]).sum(axis=1) / (lengths[1:] * lengths[:-1] + 1e-6)
    cuts = [0, *(1 + np.flatnonzero(alike < _SAME_SHOT)).tolist(), len(rows)]
    return [slice(first, end) for first, end in pairwise(cuts)]


def _means(rows: Matrix, times: Floats, around: float) -> Floats:
    """The mean over time around each row, at any rate: a row stands for the time that is nearest to it."""
    edges = np.concatenate([times[:1], (times[1:] + times[:-1]) / 2, times[-1:]])
    sums = np.zeros((len(edges), rows.shape[1]))
    np.cumsum(rows * np.diff(edges)[:, None], axis=0, out=sums[1:])

    def until(moments: Floats) -> Floats:
        at = (np.searchsorted(edges, moments, side="right") - 1).clip(0, len(rows) - 1)
        return np.asarray(sums[at] + (moments - edges[at])[:, None] * rows[at], np.float64)

    first, last = (times - around).clip(edges[0]), (times + around).clip(max=edges[-1])
    return np.asarray((until(last) - until(first)) / np.maximum(last - first, 1e-6)[:, None], np.float64)
