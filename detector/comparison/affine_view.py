"""Find how the exhibit's picture lies in the reference's: scale, crop, rotation and mirroring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.comparison.strips import Floats, Grey, GreyLevels, Strip
from detector.scoring.moments import evenly_spaced

Places = NDArray[np.intp]  # indices of pictures in a strip

SAME_PICTURE = 0.5
"""Similarity from which on two pictures may be one: of other clips it is 0.35 at most (28 tried)."""
SURE_VIEW = 0.8
"""Similarity from which on no other guess need be tried."""
_FEWEST_PROBES, _MOST_PROBES = 10, 120  # minimum number of pictures of the exhibit
_PROBES_APART = (
    0.25  # seconds between probes; anything shown for a second then appears in more than _SHOWING probes
)
_SHOWING = 3  # number of best probes that decide on a guess, because not all may show the reference
_MOST = 600  # maximum number of pictures of the reference
_MOST_MOMENTS = 1000  # moments of the exhibit in which single pictures of the reference are searched
_LEAST_COVERED = 0.15  # minimum share of the reference's picture that must be covered
_AROUND = 25  # px; radius of the normalisation of local structure
_FLAT = 4.0  # levels; a row that varies less in every picture may belong to a bar
_FEATURES, _LEAST_INLIERS = 400, 10
_TEMPLATE_SCALES = np.geomspace(0.5, 2.0, 25)
_TEMPLATE_PROBES, _TEMPLATE_PLACES = 3, 12


@dataclass(frozen=True, eq=False)
class AffineView:
    """An affine transform ``matrix`` (2, 3) from the exhibit to the reference, in px of upright frames.

    Integer coordinates are the edges of pixels. OpenCV, where they are centres, uses :meth:`between`.
    """

    matrix: Floats

    @property
    def mirrored(self) -> bool:
        return bool(np.linalg.det(self.matrix[:, :2]) < 0)

    @property
    def scale(self) -> float:
        """Pixels of the exhibit for each pixel of the reference."""
        return float(1 / np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    @property
    def rotation(self) -> float:
        """Clockwise rotation of the exhibit's picture against the reference's in degrees."""
        across = self.matrix[:, 0] * (-1 if self.mirrored else 1)
        return float(-np.degrees(np.arctan2(across[1], across[0])))

    def between(self, exhibit: Floats, reference: Floats) -> Floats:
        """Return the matrix for OpenCV between pictures scaled by these factors."""
        linear = np.diag(reference) @ self.matrix[:, :2] @ np.diag(1 / exhibit)
        shift = linear @ np.array([0.5, 0.5]) + reference * self.matrix[:, 2] - 0.5
        return np.column_stack([linear, shift])

    @classmethod
    def of_small(cls, matrix: Floats, exhibit: Floats, reference: Floats) -> AffineView:
        """Return the view whose :meth:`between` with these factors is ``matrix``."""
        linear = np.diag(1 / reference) @ matrix[:, :2] @ np.diag(exhibit)
        shift = (matrix[:, 2] + 0.5 - matrix[:, :2] @ np.array([0.5, 0.5])) / reference
        return cls(np.column_stack([linear, shift]))


@dataclass(frozen=True, eq=False)
class Guess:
    """A view and its similarity, -1 to 1: the median of the best probes at their best moments."""

    view: AffineView
    similarity: float


def textures(pictures: Grey) -> NDArray[np.float32]:
    """Return local structure of grey pictures (n, height, width), normalised in strength."""
    out = np.empty(pictures.shape, np.float32)
    for number, picture in enumerate(pictures):
        grey = picture.astype(np.float32)
        band = cv2.GaussianBlur(grey, (0, 0), 1.0) - cv2.GaussianBlur(grey, (0, 0), 4.0)
        strength = np.sqrt(np.maximum(cv2.blur(band * band, (_AROUND, _AROUND)), 0))
        out[number] = band / (strength + 3.0)
    return out


def guess_view(exhibit: Strip, reference: Strip) -> Guess | None:
    """Return the most likely view; None if no guess could be judged."""
    judge = _Judge(exhibit, reference, _probes(exhibit), evenly_spaced(len(reference), _MOST))
    best: Guess | None = None
    for guesses in (_simple, _by_features, _by_templates):
        for matrix in guesses(exhibit, reference):
            guess = judge.guess(AffineView(matrix))
            if guess is not None and (best is None or guess.similarity > best.similarity):
                best = guess
        if best is not None and best.similarity >= SURE_VIEW:
            break
    return best


def _probes(exhibit: Strip) -> Places:
    """Select pictures of the exhibit, more of a longer one."""
    wanted = int(exhibit.times[-1] / _PROBES_APART) + 1
    return evenly_spaced(len(exhibit), min(max(wanted, _FEWEST_PROBES), _MOST_PROBES))


def find_shown(exhibit: Strip, reference: Strip) -> tuple[NDArray[np.bool_], Floats] | None:
    """Find which of the reference's few pictures the exhibit shows, and when it is closest to each.

    Returns None if no view certainly shows one of them.
    """
    moments = evenly_spaced(len(exhibit), _MOST_MOMENTS)
    judge = _Judge(exhibit, reference, moments, evenly_spaced(len(reference), len(reference)))
    for guesses in (_simple, _by_features):
        for matrix in guesses(exhibit, reference):
            similarities = judge.similarities(AffineView(matrix))
            if similarities is not None and similarities.max() >= SURE_VIEW:
                times = exhibit.times[moments[similarities.argmax(axis=0)]]
                return similarities.max(axis=0) >= SAME_PICTURE, times
    return None


class _Judge:
    """Computes the similarity of the exhibit with the reference under any view."""

    def __init__(self, exhibit: Strip, reference: Strip, probes: Places, places: Places) -> None:
        self._exhibit, self._reference = exhibit, reference
        self._seen = textures(exhibit.pictures[probes])
        known = textures(reference.pictures[places])
        self._shape = known.shape[1:]
        self._known = known.reshape(len(known), -1)
        self._squared = self._known**2

    def similarities(self, view: AffineView) -> Floats | None:
        """Return similarities (probes, places), or None if the view hardly covers anything."""
        matrix = view.between(self._exhibit.scale, self._reference.scale)
        height, width = self._shape
        inside = warp(np.ones(self._seen.shape[1:], np.float32), matrix, (width, height))
        mask = (cv2.erode(inside, np.ones((3, 3))) > 0.99).astype(np.float32)
        if mask.mean() < _LEAST_COVERED:
            return None
        seen = np.stack([warp(picture, matrix, (width, height)) * mask for picture in self._seen])
        seen = seen.reshape(len(seen), -1)
        power = np.sqrt((seen**2).sum(1)[:, None] * (self._squared @ mask.ravel())[None])
        return np.asarray(seen @ self._known.T / (power + 1e-6), np.float64)

    def guess(self, view: AffineView) -> Guess | None:
        similarities = self.similarities(view)
        if similarities is None:
            return None
        return Guess(view, float(np.median(np.sort(similarities.max(axis=1))[-_SHOWING:])))


def warp(picture: GreyLevels, matrix: Floats, size: tuple[int, int]) -> GreyLevels:
    """Warp ``picture`` by ``matrix`` into ``size`` (width, height), with 0 around it."""
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR), np.float32)


def content_box(pictures: Grey) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the picture without uniform bars at the edges, in px."""
    sample = pictures[evenly_spaced(len(pictures), 40)].astype(np.float32)
    edges = []
    for axis in (1, 2):  # variation along x for rows, along y for columns
        across = 3 - axis
        flat = (sample.std(axis=across).max(axis=0) < _FLAT) & (sample.mean(axis=across).std(axis=0) < _FLAT)
        length = len(flat)
        first = int(np.argmin(flat)) if not flat.all() else 0
        last = length - int(np.argmin(flat[::-1])) if not flat.all() else length
        edges.append((first, last) if last - first >= length * 0.3 else (0, length))
    (top, bottom), (left, right) = edges
    return left, top, right, bottom


def _simple(exhibit: Strip, reference: Strip) -> Iterator[Floats]:
    """Return views of the same frame, and common ways of adding or cropping bars."""
    boxes = [
        [(0.0, 0.0, *map(float, strip.size)), _scaled_box(content_box(strip.pictures), strip.scale)]
        for strip in (exhibit, reference)
    ]
    tried = set()
    for seen in boxes[0]:
        for known in boxes[1]:
            for matrix in _fits(seen, known):
                key = tuple(matrix.ravel().round(3).tolist())
                if key not in tried:
                    tried.add(key)
                    yield matrix
                    yield mirror_matrix(matrix, exhibit.size[0])


def mirror_matrix(matrix: Floats, width: int) -> Floats:
    """Combine ``matrix`` with mirroring of the exhibit of this width."""
    flip = np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]])
    return np.asarray(np.vstack([matrix, [0, 0, 1]]) @ flip, np.float64)[:2]


def _scaled_box(box: tuple[int, int, int, int], scale: Floats) -> tuple[float, ...]:
    left, top, right, bottom = box
    return left / scale[0], top / scale[1], right / scale[0], bottom / scale[1]


def _fits(seen: tuple[float, ...], known: tuple[float, ...]) -> Iterator[Floats]:
    """Return matrices that lay box ``seen`` on box ``known``: whole, aligned at one end, or centred."""
    (seen_w, seen_h), (known_w, known_h) = ((box[2] - box[0], box[3] - box[1]) for box in (seen, known))
    across, down = known_w / seen_w, known_h / seen_h
    if abs(np.log(across / down)) < 0.03:
        yield _placed(across, down, seen, (known[0], known[1]))
        return
    yield _placed(across, down, seen, (known[0], known[1]))  # stretched
    for share in (0.0, 0.5, 1.0):
        yield _placed(across, across, seen, (known[0], known[1] + share * (known_h - seen_h * across)))
        yield _placed(down, down, seen, (known[0] + share * (known_w - seen_w * down), known[1]))


def _placed(across: float, down: float, seen: tuple[float, ...], corner: tuple[float, float]) -> Floats:
    return np.array([[across, 0, corner[0] - across * seen[0]], [0, down, corner[1] - down * seen[1]]])


def _by_features(exhibit: Strip, reference: Strip) -> Iterator[Floats]:
    """Return similarity transforms from ORB features of the larger pictures, also mirrored."""
    orb = cv2.ORB.create(nfeatures=_FEATURES, fastThreshold=7, scaleFactor=1.2, nlevels=8)
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
    known = [orb.detectAndCompute(picture, None) for picture in reference.large]
    for place in evenly_spaced(len(exhibit.large), _FEWEST_PROBES // 2):
        picture = exhibit.large[place]
        for flipped in (False, True):
            points, words = orb.detectAndCompute(picture[:, ::-1].copy() if flipped else picture, None)
            if words is None:
                continue
            for number, matrix in _similarity_transforms(matcher, points, words, known):
                scales = [
                    np.array([pixels.shape[1] / strip.size[0], pixels.shape[0] / strip.size[1]])
                    for pixels, strip in ((picture, exhibit), (reference.large[number], reference))
                ]
                full = AffineView.of_small(matrix, *scales).matrix
                yield mirror_matrix(full, exhibit.size[0]) if flipped else full


def _similarity_transforms(
    matcher: cv2.BFMatcher, points: Sequence[Any], words: Any, known: Sequence[tuple[Sequence[Any], Any]]
) -> Iterator[tuple[int, Floats]]:
    """Return transforms to the two pictures of ``known`` with the most matching features.

    Key points and descriptors are OpenCV's.
    """
    matches = []
    for number, (_, known_points) in enumerate(known):
        pairs = [] if known_points is None else matcher.match(words, known_points)
        matches.append((sum(pair.distance < 50 for pair in pairs), number, pairs))
    for count, number, pairs in sorted(matches, key=lambda match: -match[0])[:2]:
        if count < _LEAST_INLIERS:
            continue
        near = [pair for pair in pairs if pair.distance < 64]
        seen_points = np.array([points[pair.queryIdx].pt for pair in near], np.float32)
        known_points = np.array([known[number][0][pair.trainIdx].pt for pair in near], np.float32)
        matrix, inliers = cv2.estimateAffinePartial2D(
            seen_points, known_points, method=cv2.RANSAC, ransacReprojThreshold=3.0, maxIters=4000
        )
        if matrix is not None and int(inliers.sum()) >= _LEAST_INLIERS:
            yield number, np.asarray(matrix, np.float64)


def _by_templates(exhibit: Strip, reference: Strip) -> Iterator[Floats]:
    """Search the reference's picture for the centre of the exhibit's, at many sizes and also mirrored."""
    left, top, right, bottom = content_box(exhibit.pictures)
    across, down = (right - left) / 5, (bottom - top) / 5
    x0, x1, y0, y1 = round(left + across), round(right - across), round(top + down), round(bottom - down)
    places = evenly_spaced(len(reference), _TEMPLATE_PLACES)
    known = textures(reference.pictures[places])
    matches = []
    for probe in evenly_spaced(len(exhibit), _TEMPLATE_PROBES):
        seen = textures(exhibit.pictures[probe][None])[0]
        for flipped in (False, True):
            middle = (
                seen[:, ::-1][y0:y1, seen.shape[1] - x1 : seen.shape[1] - x0]
                if flipped
                else seen[y0:y1, x0:x1]
            )
            matches += [
                (similarity, flipped, scale, x, y) for similarity, scale, x, y in _found_in(known, middle)
            ]
    for _, flipped, scale, x, y in sorted(matches, reverse=True)[:6]:
        corner = seen.shape[1] - x1 if flipped else x0
        small = np.array([[scale, 0, x - scale * corner], [0, scale, y - scale * y0]])
        full = np.diag(1 / reference.scale) @ small @ np.diag([*exhibit.scale, 1.0])
        yield mirror_matrix(full, exhibit.size[0]) if flipped else full


def _found_in(
    known: NDArray[np.float32], template: NDArray[np.float32]
) -> Iterator[tuple[float, float, int, int]]:
    """Return where ``template`` fits best in ``known``, at each size: similarity, scale, left, top."""
    for scale in _TEMPLATE_SCALES:
        size = round(template.shape[1] * scale), round(template.shape[0] * scale)
        if min(size) < 16 or size[0] > known.shape[2] or size[1] > known.shape[1]:
            continue
        scaled = cv2.resize(template, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        for picture in known:
            _, similarity, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(picture, scaled, cv2.TM_CCOEFF_NORMED))
            yield similarity, size[0] / template.shape[1], x, y
