"""Refine a guessed view by features and by ECC (Evangelidis and Psarakis, 2008)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.comparison.affine_view import AffineView, mirror_matrix, textures, warp
from detector.comparison.strips import Floats, Grey, small_size
from detector.schema.analysis import Box

SIDE = 640  # px; longer side of the compared pictures
_STEPS, _PRECISION = 150, 1e-6
_SMOOTHED = (9, 5)  # px; filter size before each round of ECC
_FEATURES, _LEAST_INLIERS, _RATIO = 1500, 16, 0.8
_NEAR = 0.9  # similarity from which ECC alone finds the exact view
# A bar: difference in levels, share of its length that differs, maximum share of the picture.
_COVERED_LEVELS, _COVERED, _WIDEST_BAR = 18.0, 0.65, 0.35
_GAIN = 0.002  # minimum gain of similarity for a refined view


@dataclass(frozen=True, eq=False)
class FramePair:
    """The brightness of two frames of the same moment, at most :data:`SIDE` px large.

    ``sizes`` are the upright frames' sizes; ``hidden`` marks pixels of the exhibit to ignore.
    """

    exhibit: Grey
    reference: Grey
    sizes: tuple[tuple[int, int], tuple[int, int]]
    hidden: NDArray[np.bool_]

    @property
    def scales(self) -> tuple[Floats, Floats]:
        pictures = (self.exhibit, self.reference)
        scaled = [
            np.array([picture.shape[1] / width, picture.shape[0] / height])
            for picture, (width, height) in zip(pictures, self.sizes, strict=True)
        ]
        return scaled[0], scaled[1]


def reduce_grey(grey: Grey) -> Grey:
    """Scale ``grey`` down to the size of a :class:`FramePair`."""
    height, width = grey.shape
    size = small_size((width, height), SIDE)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, eq=False)
class Refined:
    """A refined view; ``error`` is the median disagreement of the pairs at the corners, in px of the exhibit.

    ``shown`` is the part of the exhibit without bars at its edges, in px.
    """

    view: AffineView
    error: float
    similarity: float
    shown: Box


def refine_view(view: AffineView, pairs: Sequence[FramePair]) -> Refined:
    """Return the view that most of ``pairs`` agree on, starting at ``view``."""
    candidates = [view]
    if similarity(view, pairs) < _NEAR:
        by_features = _from_features(pairs)
        if by_features is not None:
            candidates.append(by_features)
    start = max(candidates, key=lambda candidate: similarity(candidate, pairs, candidates))
    single = [refined for pair in pairs if (refined := _by_ecc(start, pair)) is not None]
    best, error = start, 0.0
    if single:
        matrices = np.array([refined.matrix for refined in single])
        middle = AffineView(np.median(matrices, axis=0))
        error = float(np.median([_corner_distance(refined, middle, pairs[0].sizes[0]) for refined in single]))
        both = (start, middle)
        if similarity(middle, pairs, both) > similarity(start, pairs, both) + _GAIN:
            best = middle
    return Refined(best, error, similarity(best, pairs), uncovered_box(best, pairs))


def similarity(view: AffineView, pairs: Sequence[FramePair], others: Sequence[AffineView] = ()) -> float:
    """Return the median correlation of the pairs' structure where they overlap, without hidden places.

    Restricted to where they also overlap under ``others``, so that views are compared on the same pixels.
    """
    values = []
    for pair in pairs:
        height, width = pair.exhibit.shape
        matrix = view.between(*pair.scales)
        known = _brought(textures(pair.reference[None])[0], matrix, (width, height))
        mask = _overlap(pair, matrix)
        for other in others:
            mask &= _overlap(pair, other.between(*pair.scales))
        if mask.mean() < 0.05:
            return -1.0
        seen = textures(pair.exhibit[None])[0][mask]
        known_values = known[mask]
        values.append(
            float(seen @ known_values / (np.linalg.norm(seen) * np.linalg.norm(known_values) + 1e-6))
        )
    return float(np.median(values))


def uncovered_box(view: AffineView, pairs: Sequence[FramePair]) -> Box:
    """Return the exhibit's picture without bars or captions that cover the reference's at its edges.

    A bar differs over most of its length in every pair.
    """
    differs = []
    for pair in pairs:
        height, width = pair.exhibit.shape
        matrix = view.between(*pair.scales)
        inside = _brought(np.ones(pair.reference.shape, np.float32), matrix, (width, height)) > 0.99
        known = _brought(pair.reference.astype(np.float32), matrix, (width, height))
        seen = pair.exhibit.astype(np.float32)
        shift = float(np.median((seen - known)[inside])) if inside.any() else 0.0
        differs.append(inside & (np.abs(seen - known - shift) > _COVERED_LEVELS))
    shares = [np.min([mask.mean(axis=axis) for mask in differs], axis=0) for axis in (0, 1)]
    (left, right), (top, bottom) = (_free(share) for share in shares)
    scale = pairs[0].scales[0]
    return float(left / scale[0]), float(top / scale[1]), float(right / scale[0]), float(bottom / scale[1])


def _free(share: Floats) -> tuple[int, int]:
    """Return the range without bars, given how much of each row or column differs."""
    bars = []
    for line in (share, share[::-1]):
        reach = 0
        means = np.cumsum(line) / np.arange(1, len(line) + 1)
        for at in range(round(_WIDEST_BAR * len(line))):
            if line[at] > _COVERED and means[at] > _COVERED:
                reach = at + 1
        # Compression blurs the edge of a bar.
        bars.append(min(len(line) // 2, reach + 2) if reach else 0)
    return bars[0], len(share) - bars[1]


def _brought(picture: NDArray[np.float32], matrix: Floats, size: tuple[int, int]) -> NDArray[np.float32]:
    """Warp a picture of the reference to the exhibit."""
    return warp(picture, cv2.invertAffineTransform(matrix), size)


def _overlap(pair: FramePair, matrix: Floats) -> NDArray[np.bool_]:
    height, width = pair.exhibit.shape
    inside = _brought(np.ones(pair.reference.shape, np.float32), matrix, (width, height))
    return (cv2.erode(inside, np.ones((5, 5))) > 0.99) & ~pair.hidden


def _by_ecc(view: AffineView, pair: FramePair) -> AffineView | None:
    """Return the affine view nearby that maximises the correlation, if there is one."""
    scales = pair.scales
    matrix = view.between(*scales).astype(np.float32)
    # ECC takes only small steps, so a mirrored start stays mirrored.
    looked_at = (_overlap(pair, matrix.astype(np.float64)) * 255).astype(np.uint8)
    everything = np.full(pair.reference.shape, 255, np.uint8)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, _PRECISION)
    for filtered in _SMOOTHED:
        try:
            _, matrix = cv2.findTransformECCWithMask(
                pair.exhibit,
                pair.reference,
                looked_at,
                everything,
                matrix,
                cv2.MOTION_AFFINE,
                criteria,
                filtered,
            )
        except cv2.error:  # the pictures do not agree enough to converge
            return None
    return AffineView.of_small(np.asarray(matrix, np.float64), *scales)


def _from_features(pairs: Sequence[FramePair]) -> AffineView | None:
    """Return a similarity transform by SIFT features (Lowe, 2004) of all pairs and RANSAC, also mirrored."""
    sift = cv2.SIFT.create(nfeatures=_FEATURES)
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    best: tuple[int, AffineView] | None = None
    for flipped in (False, True):
        seen_points, known_points = [], []
        for pair in pairs[:4]:
            picture, hidden = pair.exhibit, pair.hidden
            if flipped:
                picture, hidden = picture[:, ::-1].copy(), hidden[:, ::-1]
            points, words = sift.detectAndCompute(picture, (~hidden * 255).astype(np.uint8))
            known, known_words = sift.detectAndCompute(pair.reference, None)
            if words is None or known_words is None or len(known_words) < 2:
                continue
            for match in matcher.knnMatch(words, known_words, k=2):
                if len(match) == 2 and match[0].distance < _RATIO * match[1].distance:
                    seen_points.append(points[match[0].queryIdx].pt)
                    known_points.append(known[match[0].trainIdx].pt)
        if len(seen_points) < _LEAST_INLIERS:
            continue
        matrix, inliers = cv2.estimateAffinePartial2D(
            np.array(seen_points, np.float32),
            np.array(known_points, np.float32),
            method=cv2.RANSAC,
            ransacReprojThreshold=2.0,
            maxIters=5000,
        )
        if matrix is None or (count := int(inliers.sum())) < _LEAST_INLIERS:
            continue
        scales = pairs[0].scales
        view = AffineView.of_small(matrix, *scales)
        if flipped:
            view = AffineView(mirror_matrix(view.matrix, pairs[0].sizes[0][0]))
        if best is None or count > best[0]:
            best = count, view
    return best[1] if best else None


def _corner_distance(first: AffineView, second: AffineView, size: tuple[int, int]) -> float:
    width, height = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64)
    apart = corners @ first.matrix.T - corners @ second.matrix.T
    return float(np.linalg.norm(apart, axis=1).max() * second.scale)
