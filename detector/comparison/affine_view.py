"""Find how the exhibit's picture lies in the reference's: scale, crop, rotation and mirroring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.comparison.strips import Floats, Grey, GreyLevels, Strip
from detector.scoring.moments import evenly

Places = NDArray[np.intp]  # of pictures in a strip

SAME_PICTURE = 0.5
"""Similarity from which on two pictures may be one: of other clips it is 0.35 at most (28 tried)."""
SURE_VIEW = 0.8
"""Similarity from which on no other guess need be tried."""
_FEWEST_PROBES, _MOST_PROBES = 10, 120  # pictures of the exhibit
_PROBES_APART = 0.25  # seconds, where so many do: of what is shown for one, more than _SHOWING are seen
_SHOWING = 3  # probes that agree best, by which a guess is judged: those of what the exhibit shows
_MOST = 600  # pictures of the reference
_MOST_MOMENTS = 1000  # of the exhibit at which single pictures of the reference are looked for
_LEAST_COVERED = 0.15  # of the reference's picture, for a similarity to mean anything
_AROUND = 25  # px, over which structure is made equally strong
_FLAT = 4.0  # levels: a row that varies less, in every picture, may be of a bar
_FEATURES, _LEAST_INLIERS = 400, 10
_TEMPLATE_SCALES = np.geomspace(0.5, 2.0, 25)
_TEMPLATE_PROBES, _TEMPLATE_PLACES = 3, 12


@dataclass(frozen=True, eq=False)
class AffineView:
    """``matrix`` (2, 3) takes places in the exhibit to places in the reference, in px of the upright frames.

    Whole numbers are the edges of pixels; OpenCV, whose are their centres, is given :meth:`between`.
    """

    matrix: Floats

    @property
    def mirrored(self) -> bool:
        return bool(np.linalg.det(self.matrix[:, :2]) < 0)

    @property
    def scale(self) -> float:
        """Pixels of the exhibit to one of the reference, along a line."""
        return float(1 / np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    @property
    def rotation(self) -> float:
        """Degrees clockwise by which the exhibit's picture is turned against the reference's."""
        across = self.matrix[:, 0] * (-1 if self.mirrored else 1)
        return float(-np.degrees(np.arctan2(across[1], across[0])))

    def between(self, exhibit: Floats, reference: Floats) -> Floats:
        """The matrix for OpenCV between pictures scaled by these factors, each across and down."""
        linear = np.diag(reference) @ self.matrix[:, :2] @ np.diag(1 / exhibit)
        shift = linear @ np.array([0.5, 0.5]) + reference * self.matrix[:, 2] - 0.5
        return np.column_stack([linear, shift])

    @classmethod
    def of_small(cls, matrix: Floats, exhibit: Floats, reference: Floats) -> AffineView:
        """The view whose :meth:`between` these factors is ``matrix``."""
        linear = np.diag(1 / reference) @ matrix[:, :2] @ np.diag(exhibit)
        shift = (matrix[:, 2] + 0.5 - matrix[:, :2] @ np.array([0.5, 0.5])) / reference
        return cls(np.column_stack([linear, shift]))


@dataclass(frozen=True, eq=False)
class Guess:
    """A view and its similarity, -1 to 1: the median of the best probes', at their best moments."""

    view: AffineView
    similarity: float


def textures(pictures: Grey) -> NDArray[np.float32]:
    """Local structure of grey pictures (n, height, width), each about as strong everywhere."""
    out = np.empty(pictures.shape, np.float32)
    for number, picture in enumerate(pictures):
        grey = picture.astype(np.float32)
        band = cv2.GaussianBlur(grey, (0, 0), 1.0) - cv2.GaussianBlur(grey, (0, 0), 4.0)
        strength = np.sqrt(np.maximum(cv2.blur(band * band, (_AROUND, _AROUND)), 0))
        out[number] = band / (strength + 3.0)
    return out


def guess_view(exhibit: Strip, reference: Strip) -> Guess | None:
    """The most likely view; None where no guess could even be judged."""
    judge = _Judge(exhibit, reference, _probes(exhibit), evenly(len(reference), _MOST))
    best: Guess | None = None
    for guesses in (_simple, _by_features, _by_templates):
        for matrix in guesses(exhibit, reference):
            found = judge.guess(AffineView(matrix))
            if found is not None and (best is None or found.similarity > best.similarity):
                best = found
        if best is not None and best.similarity >= SURE_VIEW:
            break
    return best


def _probes(exhibit: Strip) -> Places:
    """The places of some pictures of the exhibit: the longer it is, the more."""
    wanted = int(exhibit.times[-1] / _PROBES_APART) + 1
    return evenly(len(exhibit), min(max(wanted, _FEWEST_PROBES), _MOST_PROBES))


def shown_of(exhibit: Strip, reference: Strip) -> tuple[NDArray[np.bool_], Floats] | None:
    """Which of the reference's few pictures the exhibit shows, and when it comes closest to each.

    None where no view is found under which it shows one of them for sure.
    """
    moments = evenly(len(exhibit), _MOST_MOMENTS)
    judge = _Judge(exhibit, reference, moments, evenly(len(reference), len(reference)))
    for guesses in (_simple, _by_features):
        for matrix in guesses(exhibit, reference):
            similarities = judge.similarities(AffineView(matrix))
            if similarities is not None and similarities.max() >= SURE_VIEW:
                times = exhibit.times[moments[similarities.argmax(axis=0)]]
                return similarities.max(axis=0) >= SAME_PICTURE, times
    return None


class _Judge:
    """Similarity of pictures of the exhibit with those of the reference, under any view."""

    def __init__(self, exhibit: Strip, reference: Strip, probes: Places, places: Places) -> None:
        self._exhibit, self._reference = exhibit, reference
        self._seen = textures(exhibit.pictures[probes])
        known = textures(reference.pictures[places])
        self._shape = known.shape[1:]
        self._known = known.reshape(len(known), -1)
        self._squared = self._known**2

    def similarities(self, view: AffineView) -> Floats | None:
        """(probes, places), or None for a view that covers next to nothing."""
        matrix = view.between(self._exhibit.scale, self._reference.scale)
        height, width = self._shape
        inside = warped(np.ones(self._seen.shape[1:], np.float32), matrix, (width, height))
        mask = (cv2.erode(inside, np.ones((3, 3))) > 0.99).astype(np.float32)
        if mask.mean() < _LEAST_COVERED:
            return None
        seen = np.stack([warped(one, matrix, (width, height)) * mask for one in self._seen])
        seen = seen.reshape(len(seen), -1)
        power = np.sqrt((seen**2).sum(1)[:, None] * (self._squared @ mask.ravel())[None])
        return np.asarray(seen @ self._known.T / (power + 1e-6), np.float64)

    def guess(self, view: AffineView) -> Guess | None:
        similarities = self.similarities(view)
        if similarities is None:
            return None
        return Guess(view, float(np.median(np.sort(similarities.max(axis=1))[-_SHOWING:])))


def warped(picture: GreyLevels, matrix: Floats, size: tuple[int, int]) -> GreyLevels:
    """``picture`` where ``matrix`` takes it, in one of ``size`` (width, height); 0 around it."""
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR), np.float32)


def content_box(pictures: Grey) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is not a bar of one colour at the edge, in px of the pictures."""
    some = pictures[evenly(len(pictures), 40)].astype(np.float32)
    edges = []
    for axis in (1, 2):  # varying along x: rows; along y: columns
        across = 3 - axis
        flat = (some.std(axis=across).max(axis=0) < _FLAT) & (some.mean(axis=across).std(axis=0) < _FLAT)
        length = len(flat)
        first = int(np.argmin(flat)) if not flat.all() else 0
        last = length - int(np.argmin(flat[::-1])) if not flat.all() else length
        edges.append((first, last) if last - first >= length * 0.3 else (0, length))
    (top, bottom), (left, right) = edges
    return left, top, right, bottom


def _simple(exhibit: Strip, reference: Strip) -> Iterator[Floats]:
    """The same frame, and the ways in which bars are commonly added or cut off."""
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
                    yield mirrored(matrix, exhibit.size[0])


def mirrored(matrix: Floats, width: int) -> Floats:
    """``matrix`` after the exhibit, so wide, was mirrored."""
    flip = np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]])
    return np.asarray(np.vstack([matrix, [0, 0, 1]]) @ flip, np.float64)[:2]


def _scaled_box(box: tuple[int, int, int, int], scale: Floats) -> tuple[float, ...]:
    left, top, right, bottom = box
    return left / scale[0], top / scale[1], right / scale[0], bottom / scale[1]


def _fits(seen: tuple[float, ...], known: tuple[float, ...]) -> Iterator[Floats]:
    """Matrices that lay box ``seen`` on box ``known``: whole, or one side at an end or in the middle."""
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
    """Similarities through ORB features of the larger pictures, the exhibit's also mirrored."""
    orb = cv2.ORB.create(nfeatures=_FEATURES, fastThreshold=7, scaleFactor=1.2, nlevels=8)
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
    known = [orb.detectAndCompute(picture, None) for picture in reference.large]
    for place in evenly(len(exhibit.large), _FEWEST_PROBES // 2):
        picture = exhibit.large[place]
        for flipped in (False, True):
            points, words = orb.detectAndCompute(picture[:, ::-1].copy() if flipped else picture, None)
            if words is None:
                continue
            for number, matrix in _similarity_transforms(matcher, points, words, known):
                scales = [
                    np.array([one.shape[1] / strip.size[0], one.shape[0] / strip.size[1]])
                    for one, strip in ((picture, exhibit), (reference.large[number], reference))
                ]
                full = AffineView.of_small(matrix, *scales).matrix
                yield mirrored(full, exhibit.size[0]) if flipped else full


def _similarity_transforms(
    matcher: cv2.BFMatcher, points: Sequence[Any], words: Any, known: Sequence[tuple[Sequence[Any], Any]]
) -> Iterator[tuple[int, Floats]]:
    """The two pictures of ``known`` that share most features with one, where they do: which, and a matrix.

    Key points and descriptors are as OpenCV gives them.
    """
    found = []
    for number, (_, there) in enumerate(known):
        pairs = [] if there is None else matcher.match(words, there)
        found.append((sum(pair.distance < 50 for pair in pairs), number, pairs))
    for count, number, pairs in sorted(found, key=lambda one: -one[0])[:2]:
        if count < _LEAST_INLIERS:
            continue
        near = [pair for pair in pairs if pair.distance < 64]
        here = np.array([points[pair.queryIdx].pt for pair in near], np.float32)
        there = np.array([known[number][0][pair.trainIdx].pt for pair in near], np.float32)
        matrix, inliers = cv2.estimateAffinePartial2D(
            here, there, method=cv2.RANSAC, ransacReprojThreshold=3.0, maxIters=4000
        )
        if matrix is not None and int(inliers.sum()) >= _LEAST_INLIERS:
            yield number, np.asarray(matrix, np.float64)


def _by_templates(exhibit: Strip, reference: Strip) -> Iterator[Floats]:
    """The middle of the exhibit's picture, at many sizes and also mirrored, looked for in the reference's."""
    left, top, right, bottom = content_box(exhibit.pictures)
    across, down = (right - left) / 5, (bottom - top) / 5
    x0, x1, y0, y1 = round(left + across), round(right - across), round(top + down), round(bottom - down)
    places = evenly(len(reference), _TEMPLATE_PLACES)
    known = textures(reference.pictures[places])
    found = []
    for probe in evenly(len(exhibit), _TEMPLATE_PROBES):
        seen = textures(exhibit.pictures[probe][None])[0]
        for flipped in (False, True):
            middle = (
                seen[:, ::-1][y0:y1, seen.shape[1] - x1 : seen.shape[1] - x0]
                if flipped
                else seen[y0:y1, x0:x1]
            )
            found += [
                (similarity, flipped, scale, x, y) for similarity, scale, x, y in _found_in(known, middle)
            ]
    for _, flipped, scale, x, y in sorted(found, reverse=True)[:6]:
        corner = seen.shape[1] - x1 if flipped else x0
        small = np.array([[scale, 0, x - scale * corner], [0, scale, y - scale * y0]])
        full = np.diag(1 / reference.scale) @ small @ np.diag([*exhibit.scale, 1.0])
        yield mirrored(full, exhibit.size[0]) if flipped else full


def _found_in(
    known: NDArray[np.float32], template: NDArray[np.float32]
) -> Iterator[tuple[float, float, int, int]]:
    """Where ``template`` fits best in each of ``known``, at each size: similarity, scale, left and top."""
    for scale in _TEMPLATE_SCALES:
        size = round(template.shape[1] * scale), round(template.shape[0] * scale)
        if min(size) < 16 or size[0] > known.shape[2] or size[1] > known.shape[1]:
            continue
        scaled = cv2.resize(template, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        for picture in known:
            _, similarity, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(picture, scaled, cv2.TM_CCOEFF_NORMED))
            yield similarity, size[0] / template.shape[1], x, y
