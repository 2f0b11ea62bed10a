"""Faces followed through the compared frames, and by how much each differs from the reference."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace

import numpy as np

from detector.comparison import statements
from detector.comparison.affine_view import AffineView
from detector.comparison.difference import FaceMeasure, measure_face
from detector.comparison.regions import FrameGrid, compare_frame
from detector.faces.crop import Face
from detector.faces.persons import group_tracks
from detector.faces.search.search import FaceSearch
from detector.faces.tracks import Tracker
from detector.media.frame import Frame
from detector.media.pictures.cuts import CutDetector
from detector.schema.analysis import Box, MediaKind, Parameters
from detector.schema.boxes import rounded
from detector.schema.comparison import ComparedPeak, ComparisonParameters

_MOST_WAITING = 4  # pairs of frames that are measured or wait for it


@dataclass(frozen=True)
class ComparedTimes:
    """When and where two compared frames stand in their files."""

    time: float
    reference_time: float
    pts: int
    reference_pts: int

    def as_peak(self, box: Box) -> ComparedPeak:
        """A peak there, without pictures yet."""
        return ComparedPeak(
            time=self.time,
            reference_time=self.reference_time,
            pts=self.pts,
            reference_pts=self.reference_pts,
            box=rounded(box),
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
    """What one pair of frames came to: its grid, and of each face large enough its track, box and measure."""

    at: ComparedTimes
    grid: FrameGrid
    faces: list[tuple[int, Box, FaceMeasure | None]]
    too_small: int


class PersonTracker:
    """Give it the pairs of frames in order, then :meth:`finish`. ``shown`` is what no bar covers.

    Frames are searched and followed one after the other; what is then measured of each needs no other, and
    is done by ``executor``.
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
        """One pair; ``broken`` where time does not run on in the reference."""
        is_cut = self.kind is MediaKind.VIDEO and self._cuts.process_frame(exhibit.image, exhibit.shape)
        self._references[exhibit.pts] = reference
        for frame, cut, faces in self._search.process_frame(exhibit, is_cut or broken):
            self._follow(frame, cut, faces)

    def finish(self) -> None:
        """Compare what still waits."""
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
        """Tracks with a compared face, by person, in order of screen time."""
        counts: dict[int, int] = defaultdict(int)
        for face in self.faces:
            counts[face.track] += 1
        tracks = [track for track in self._tracker.tracks if track.number in counts]
        groups = group_tracks(tracks)
        return sorted(groups, key=lambda group: (-sum(counts[number] for number in group), min(group)))

    def closest(self, size: tuple[int, int]) -> ComparedPeak | None:
        """The pair that comes closest to a difference: by its faces, or without any the middle one.

        ``size`` is that of the exhibit's frames.
        """
        if self.faces:
            face = max(self.faces, key=lambda face: face.measure.logit)
            return face.at.as_peak(face.box)
        if not self.pairs:
            return None
        return self.pairs[len(self.pairs) // 2].as_peak((0.0, 0.0, float(size[0]), float(size[1])))

    def remarks(self) -> Iterator[str]:
        """What could not be compared."""
        if self._too_small:
            yield statements.of_small_faces(self._too_small, self._parameters.minimum_face)
        if self._not_shown:
            yield statements.of_faces_not_shown(self._not_shown)

    def _follow(self, frame: Frame, cut: bool, faces: list[Face]) -> None:
        """Find the tracks of the faces, and have these measured meanwhile."""
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
