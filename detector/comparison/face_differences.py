"""Track faces through compared frames and measure how much each differs from the reference."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from detector.comparison import statements
from detector.comparison.affine_view import AffineView
from detector.comparison.region_differences import FrameGrid, Mask, compare_frame, expected_energy, remainder
from detector.comparison.strips import Floats, GreyLevels
from detector.faces.crop import Face
from detector.faces.scene_changes import CutDetector
from detector.faces.search.search import FaceSearch
from detector.faces.tracks import Tracker, group_tracks
from detector.media.frame import Frame, Image
from detector.schema.analysis import Box, MediaKind, Parameters
from detector.schema.causes.cause import Cause
from detector.schema.comparison import ComparedPeak, ComparisonParameters
from detector.schema.scores import round_box

FACE_WIDTH = 64  # maximum px of the grid
_SIDE = 3.2  # side of the compared square in face widths
_FACE, _ROOM = 0.9, (1.35, 1.3)  # in half box sizes: extent of the face; inner limit of its surroundings
_BLUR = 1.0  # px of the grid
_BAND = (1.0, 4.0)  # px; scales of the structure that is correlated
_BAND_NOISE = 0.5  # squared levels that are not significant
_LEAST_SEEN = 0.7  # minimum share of a face that both files show
_LEAST_SURROUNDINGS = 300  # px of the grid
_OTHERS = 0.15  # margin around other faces
_ENERGY_CELLS, _BAND_CELLS = 4, 3  # cells per side of a face, because often only the mouth differs
_LEAST_CELL = 0.4  # minimum share of a cell covered by the face


@dataclass(frozen=True)
class FaceMeasure:
    """Logs of how much more the face and its surroundings differ than is explained."""

    difference: float
    surroundings: float
    logit: float
    features: tuple[float, ...]


# Fitted on clips of role `train` by training.evaluation: one weight for each of FEATURES, and a constant.
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
    """Return the statistic of the face in ``box`` of the exhibit; None if the reference shows too little.

    ``others`` are boxes of other faces to exclude from the control; ``shown`` is the exhibit without bars.
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
    difference = cv2.GaussianBlur(remainder(seen, known, surroundings), (0, 0), _BLUR)
    energy = np.asarray(difference * difference, np.float32)
    usual = expected_energy(energy, known, surroundings)
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
    """A square of the exhibit: ``size`` px at ``scale`` grid px for each pixel, from ``left`` and ``top``."""

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
        """Return the brightness of both on the grid, and where both are visible."""
        to_exhibit = np.array([[1 / self.scale, 0, self.left], [0, 1 / self.scale, self.top]])
        chained = np.vstack([to_exhibit, [0, 0, 1]])
        seen, seen_there = _sampled(exhibit, to_exhibit, self.size)
        known, known_there = _sampled(reference, self.view.matrix @ chained, self.size)
        return seen, known, seen_there & known_there

    def inside(self, box: Box) -> Mask:
        """Return the part of the grid in ``box``."""
        x0, y0, x1, y1 = self._placed(box)
        rows, columns = np.mgrid[0 : self.size, 0 : self.size] + 0.5
        return np.asarray((columns > x0) & (columns < x1) & (rows > y0) & (rows < y1))

    def masks(self, box: Box, others: Sequence[Box]) -> tuple[Mask, Mask]:
        """Return masks of the face, and of its surroundings without other faces."""
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
    """Return the averaged brightness of ``image`` on a grid by ``matrix``, and where it is visible."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]]) @ matrix.T
    low = np.floor(corners.min(axis=0) - 8).astype(int).clip(0, (width - 1, height - 1))
    high = np.ceil(corners.max(axis=0) + 8).astype(int).clip(1, (width, height))
    part = image[low[1] : high[1], low[0] : high[0]]
    grey = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY).astype(np.float32)
    step = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if step > 1:  # average before reducing, because warping only samples
        grey = cv2.GaussianBlur(grey, (0, 0), 0.45 * step)
    moved = matrix.copy()
    moved[:, 2] -= low
    # Convert edges of pixels to their centres.
    moved[:, 2] += moved[:, :2] @ np.array([0.5, 0.5]) - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(grey, moved, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    if (corners >= 1).all() and (corners <= np.array([width - 1, height - 1])).all():
        return np.asarray(picture, np.float32), np.ones((size, size), bool)
    inside = cv2.warpAffine(np.ones_like(grey), moved, (size, size), flags=flags)
    return np.asarray(picture, np.float32), np.asarray(cv2.erode(inside, np.ones((3, 3))) > 0.99)


def _log_ratio(energy: GreyLevels, usual: GreyLevels, mask: Mask) -> float:
    return math.log(float(energy[mask].mean()) / float(usual[mask].mean()) + 1e-6)


def _cells(mask: Mask, count: int) -> Iterator[tuple[slice, slice]]:
    """Yield the ``count`` by ``count`` cells of a mask's box that are mostly filled."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    down = np.linspace(rows[0], rows[-1] + 1, count + 1).astype(int)
    across = np.linspace(columns[0], columns[-1] + 1, count + 1).astype(int)
    for top, bottom in pairwise(down):
        for left, right in pairwise(across):
            part = mask[top:bottom, left:right]
            if part.size and part.mean() > _LEAST_CELL:
                yield slice(top, bottom), slice(left, right)


def _second(values: Iterable[float]) -> float:
    """Return the second largest value; the largest alone may be chance."""
    ordered = sorted(values)
    return ordered[-2] if len(ordered) > 1 else ordered[-1]


def _decorrelation(bands: tuple[GreyLevels, GreyLevels], mask: Mask) -> float:
    """Return the log of the missing correlation of both structures; low with hardly any structure."""
    seen, known = (band[mask] - band[mask].mean() for band in bands)
    lengths = float(np.linalg.norm(seen) * np.linalg.norm(known))
    noise = _BAND_NOISE * len(seen)
    return math.log(1.001 - min(1.0, (float(seen @ known) + noise) / (lengths + noise)))


def _band(picture: GreyLevels) -> GreyLevels:
    fine, coarse = (cv2.GaussianBlur(picture, (0, 0), blur) for blur in _BAND)
    return np.asarray(fine - coarse, np.float32)


_MOST_WAITING = 4  # maximum pairs of frames measured or waiting


@dataclass(frozen=True)
class ComparedTimes:
    """The times of two compared frames in their files."""

    time: float
    reference_time: float
    pts: int
    reference_pts: int

    def as_peak(self, box: Box) -> ComparedPeak:
        """Build a peak at these times, without pictures."""
        return ComparedPeak(
            time=self.time,
            reference_time=self.reference_time,
            pts=self.pts,
            reference_pts=self.reference_pts,
            box=round_box(box),
            side_by_side=None,
            difference=None,
            overlay=None,
        )


@dataclass(frozen=True)
class ComparedFace:
    """One face in one pair of frames."""

    track: int
    at: ComparedTimes
    box: Box
    measure: FaceMeasure


@dataclass(frozen=True)
class _Measured:
    """The result of one pair of frames: its grid, and the track, box and measure of each large face."""

    at: ComparedTimes
    grid: FrameGrid
    faces: list[tuple[int, Box, FaceMeasure | None]]
    too_small: int


class PersonTracker:
    """Takes pairs of frames in order, then :meth:`finish`. ``shown`` is the exhibit without bars.

    Faces are found and tracked sequentially; measurements are independent and run in ``executor``.
    """

    def __init__(
        self,
        view: AffineView,
        shown: Box,
        parameters: ComparisonParameters,
        kind: MediaKind,
        executor: Executor,
    ) -> None:
        self._view, self._shown = view, shown
        self._parameters = parameters
        self.kind = kind
        engine = Parameters(sample_rate=parameters.sample_rate)
        self._search = FaceSearch(engine, still=kind is MediaKind.IMAGE)
        self._tracker = Tracker(engine.bridge_gap)
        self._cuts = CutDetector(parameters.sample_rate)
        self._references: dict[int, Frame] = {}
        self._executor = executor
        self._waiting: deque[Future[_Measured]] = deque()
        self.pairs: list[ComparedTimes] = []
        self.grids: list[FrameGrid] = []
        self.faces: list[ComparedFace] = []
        self._too_small = self._not_shown = 0

    def process(self, exhibit: Frame, reference: Frame, broken: bool) -> None:
        """Process one pair; ``broken`` if time jumps in the reference."""
        is_cut = self.kind is MediaKind.VIDEO and self._cuts.process_frame(exhibit.image, exhibit.shape)
        self._references[exhibit.pts] = reference
        for frame, cut, faces in self._search.process_frame(exhibit, is_cut or broken):
            self._follow(frame, cut, faces)

    def finish(self) -> None:
        """Measure all waiting pairs."""
        for frame, cut, faces in self._search.flush():
            self._follow(frame, cut, faces)
        while self._waiting:
            self._keep(self._waiting.popleft().result())
        numbers = np.array([face.track for face in self.faces], np.int32)
        self._tracker.fill_in_splits(numbers, np.array([face.at.time for face in self.faces]))
        self.faces = [
            replace(face, track=number) for face, number in zip(self.faces, numbers.tolist(), strict=True)
        ]

    def people(self) -> list[list[int]]:
        """Return the tracks with a compared face by person, in order of screen time."""
        counts: dict[int, int] = defaultdict(int)
        for face in self.faces:
            counts[face.track] += 1
        tracks = [track for track in self._tracker.tracks if track.number in counts]
        groups = group_tracks(tracks)
        return sorted(groups, key=lambda group: (-sum(counts[number] for number in group), min(group)))

    def closest(self, size: tuple[int, int]) -> ComparedPeak | None:
        """Return the pair closest to a difference by its faces, or the middle one without faces."""
        if self.faces:
            face = max(self.faces, key=lambda face: face.measure.logit)
            return face.at.as_peak(face.box)
        if not self.pairs:
            return None
        return self.pairs[len(self.pairs) // 2].as_peak((0.0, 0.0, float(size[0]), float(size[1])))

    def remarks(self) -> Iterator[Cause]:
        """Return remarks on faces that could not be compared."""
        if self._too_small:
            yield statements.small_faces_remark(self._too_small, self._parameters.minimum_face)
        if self._not_shown:
            yield statements.hidden_faces_remark(self._not_shown)

    def _follow(self, frame: Frame, cut: bool, faces: list[Face]) -> None:
        """Find the tracks of the faces, and start measuring them."""
        reference = self._references.pop(frame.pts)
        tracks = self._tracker.process_frame(float(frame.time), frame.image, faces, cut)
        boxes = [face.box for face in faces]
        self._waiting.append(self._executor.submit(self._measure, frame, reference, boxes, tracks))
        while len(self._waiting) > _MOST_WAITING:
            self._keep(self._waiting.popleft().result())

    def _measure(self, frame: Frame, reference: Frame, boxes: list[Box], tracks: list[int]) -> _Measured:
        at = ComparedTimes(float(frame.time), float(reference.time), frame.pts, reference.pts)
        grid = compare_frame(at.time, frame.image, reference.image, self._view, boxes)
        measured = []
        for rank, (track, box) in enumerate(zip(tracks, boxes, strict=True)):
            if (box[2] - box[0]) * min(1.0, 1 / self._view.scale) >= self._parameters.minimum_face:
                others = boxes[:rank] + boxes[rank + 1 :]
                images = frame.image, reference.image
                measured.append((track, box, measure_face(*images, self._view, box, others, self._shown)))
        return _Measured(at, grid, measured, len(boxes) - len(measured))

    def _keep(self, measured: _Measured) -> None:
        self.pairs.append(measured.at)
        self.grids.append(measured.grid)
        self._too_small += measured.too_small
        for track, box, measure in measured.faces:
            if measure is None:
                self._not_shown += 1
            else:
                self.faces.append(ComparedFace(track, measured.at, box, measure))
