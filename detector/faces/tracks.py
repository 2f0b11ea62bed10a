"""Follow faces from frame to frame, group tracks into persons, and recognise motionless and covered faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import CropSquare, Face, crop_square, square_for_face, within_box
from detector.faces.scene_changes import Change, SceneMemory, Sighting, TrackMemory, wide_picture
from detector.faces.search.matching import normalise_rows
from detector.media.frame import Image
from detector.models.model_files import COVERED_FACES
from detector.schema.analysis import Box
from detector.schema.geometry import grow_box, overlap, sigmoid

_LEAST_OVERLAP = 0.25

_THUMBNAIL = 24  # side of the colour thumbnail by which tracks are compared
# What a face keeps over a cut that is none: its place, as the overlap of both boxes, and its looks.
_SAME_PLACE, _SAME_LOOKS = 0.6, 0.9
_EVERY = 4  # detections for one that goes into the mean picture: neighbours hardly differ


@dataclass
class Track:
    """One face between two cuts or dissolves; ``thumbnail`` is its mean picture, up to a factor."""

    number: int
    box: Box
    first: float
    last: float
    detections: int = 0
    thumbnail: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((_THUMBNAIL, _THUMBNAIL, 3), np.float32)
    )


class Split(NamedTuple):
    """From ``since`` on, in seconds, what was said to be of ``track`` is of ``into``."""

    track: int
    into: int
    since: float


class Tracker:
    """Gives each face of each sampled frame the number of its track.

    ``bridge_gap`` is for how many seconds a face may be lost and still keep its track. ``splits`` are those
    made since they were emptied last, in order: by them faces have other numbers than they were given.
    """

    def __init__(self, bridge_gap: float) -> None:
        self._bridge_gap = bridge_gap
        self._live: list[Track] = []
        self._previous = 0.0
        self._numbers = count()
        self._scene = SceneMemory()
        self._memories: dict[int, TrackMemory] = {}  # of live tracks
        self.tracks: list[Track] = []
        self.splits: list[Split] = []

    def process_frame(self, time: float, image: Image, faces: Sequence[Face], is_cut: bool) -> list[int]:
        """Track numbers of ``faces``, in their order. ``is_cut`` ends tracks that none of them goes on."""
        if is_cut:
            self._end_at_cut(image, faces)
        else:
            # A face of the very last sampled frame is always followed, however sparse the sampling.
            oldest = min(self._previous, time - self._bridge_gap - 1e-9)
            self._live = [track for track in self._live if track.last >= oldest]
        self._previous = time
        self._memories = {track.number: self._memories[track.number] for track in self._live}
        self._scene.add(image)
        needed = self._scene.likeness_needed()
        matched = self._matched(faces)
        gone_on = [
            self._seen(matched.get(index), time, image, face, needed) for index, face in enumerate(faces)
        ]
        return [track.number for track in gone_on]

    def _seen(self, track: Track | None, time: float, image: Image, face: Face, needed: float) -> Track:
        """The track that ``face`` goes on: ``track``, or a new one where that is None or too unlike."""
        if track is None:
            track = self._begun(Track(next(self._numbers), face.box, time, time), TrackMemory())
        thumbnail = _thumbnail(image, face) if track.detections % _EVERY == 0 else None
        if thumbnail is not None:
            track.thumbnail += thumbnail
        track.box, track.last = face.box, time
        track.detections += 1
        memory = self._memories[track.number]
        memory.add(Sighting(time, wide_picture(image, face.box), thumbnail))
        change = memory.change(needed)
        return track if change is None else self._split(track, change, image, face)

    def _begun(self, track: Track, memory: TrackMemory) -> Track:
        self.tracks.append(track)
        self._live.append(track)
        self._memories[track.number] = memory
        return track

    def _split(self, track: Track, change: Change, image: Image, face: Face) -> Track:
        """The new track that goes on in place of ``track``, where ``face`` is now."""
        others = change.others
        new = Track(next(self._numbers), face.box, others[0].time, track.last, len(others))
        thumbnails = [one.thumbnail for one in others if one.thumbnail is not None]
        for thumbnail in thumbnails:
            track.thumbnail -= thumbnail
        for thumbnail in thumbnails or [_thumbnail(image, face)]:
            new.thumbnail += thumbnail
        track.last, track.detections = change.until, track.detections - len(others)
        self._live = [one for one in self._live if one is not track]
        self.splits.append(Split(track.number, new.number, others[0].time))
        return self._begun(new, TrackMemory(others))

    def _end_at_cut(self, image: Image, faces: Sequence[Face]) -> None:
        """Keep only the tracks of the frame before that one of ``faces`` in ``image`` goes on."""
        self._live = [
            track
            for track in self._live
            if track.last >= self._previous and any(_is_same(track, image, face) for face in faces)
        ]

    def _matched(self, faces: Sequence[Face]) -> dict[int, Track]:
        """The tracks that go on in ``faces``, by the places of these; none where none overlaps enough."""
        if not self._live or not faces:
            return {}
        live = [grow_box(track.box) for track in self._live]
        overlaps = np.array([[overlap(box, grow_box(face.box)) for box in live] for face in faces])
        return {
            row: self._live[column]
            for row, column in _assigned(overlaps)
            if overlaps[row, column] >= _LEAST_OVERLAP
        }

    def fill_in_splits(self, tracks: NDArray[np.int32], times: NDArray[np.float64]) -> None:
        """Put the numbers after ``splits`` in place of those given before, (n,), of faces at ``times``."""
        for split in self.splits:
            tracks[(tracks == split.track) & (times >= split.since)] = split.into

    def forget_ended(self) -> set[int]:
        """Keep only the tracks that may go on; returns their numbers."""
        self.tracks = list(self._live)
        return {track.number for track in self.tracks}


def _assigned(overlaps: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Rows and columns of ``overlaps`` that belong together, so that their sum is largest."""
    if min(overlaps.shape) == 1:
        row, column = np.unravel_index(overlaps.argmax(), overlaps.shape)
        return [(int(row), int(column))]
    # Imported where two faces come together first: SciPy's optimizers take a third of the engine's imports.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _is_same(track: Track, image: Image, face: Face) -> bool:
    """Whether a face is where the track was last, and looks like it however bright the picture is."""
    if overlap(track.box, face.box) < _SAME_PLACE:
        return False
    one, other = normalise_rows(np.array([track.thumbnail.ravel(), _thumbnail(image, face).ravel()]))
    return float(one @ other) >= _SAME_LOOKS


def _thumbnail(image: Image, face: Face) -> NDArray[np.float32]:
    square = square_for_face(face)
    # Wider than the face: hair and neck tell people apart better than features at this size.
    wide = CropSquare(square.x, square.y, square.side * 1.5, square.angle)
    return crop_square(image, wide, _THUMBNAIL).astype(np.float32)


SAME_PERSON_SIMILARITY = 0.85
"""Correlation of the mean pictures of two tracks of one person, at least; set by hand, then measured
(docs/faces.md)."""
_NEVER = np.float32(-2)  # in place of that of two which can be no one person


def group_tracks(tracks: Sequence[Track]) -> list[list[int]]:
    """Track numbers grouped by person.

    Two groups become one when their tracks never overlap in time and their mean
    pictures correlate by at least :data:`ALIKE`, the most alike first. Careful on purpose: two
    persons merged would give one the other's findings, one split in two only reads twice.
    """
    if not tracks:
        return []
    groups = [[track.number] for track in tracks]
    # Two hours have thousands of tracks: beside their pictures there is one table, of each by each.
    pictures = np.stack([track.thumbnail.ravel() for track in tracks])
    pictures -= pictures.mean(axis=1, keepdims=True)  # sums of centred pictures are centred
    contrast = _contrast(pictures)
    first, last = (np.array([getattr(t, end) for t in tracks]) for end in ("first", "last"))
    alike = pictures @ pictures.T
    alike /= contrast
    alike /= contrast[:, None]
    for row, begins, ends in zip(alike, first, last, strict=True):
        row[(first <= ends) & (begins <= last)] = _NEVER  # they overlap in time
    while True:
        one, other = sorted(map(int, np.unravel_index(int(alike.argmax()), alike.shape)))
        if alike[one, other] < SAME_PERSON_SIMILARITY:
            break
        groups[one] += groups[other]
        groups[other] = []
        pictures[one] += pictures[other]
        contrast[one] = _contrast(pictures[one])
        apart = (alike[one] != _NEVER) & (alike[other] != _NEVER)
        alike[other] = alike[:, other] = _NEVER
        mine = pictures @ pictures[one] / contrast / contrast[one]
        alike[one] = alike[:, one] = np.where(apart, mine, _NEVER)
    return [group for group in groups if group]


def _contrast(centred: NDArray[np.float32]) -> Any:
    """What centred pictures (…, d) are divided by to correlate; without contrast, what makes it 0."""
    spread = np.linalg.norm(centred, axis=-1)
    return np.where(spread > 0, spread, np.float32(np.inf))


_SIZE = 16  # px of the pictures that are compared
_CHANGED = 95  # percentile of these pixels
_LEAST_CHANGE = 4.5  # levels between the darkest and the brightest that such a pixel is, of a face that moves
_OF_CONTRAST = 0.12  # and as a share of the picture's contrast: of a dark one all levels are close together
_SIGHTINGS = 8
_SECONDS = 1.8  # from the first of them to the last: for a second, some people hardly move

_Grey = NDArray[np.uint8]  # (16, 16)


class _PlaceLevels(NamedTuple):
    """What the place at which a track began looked like: its least and its greatest levels."""

    box: Box
    start: float
    end: float
    sightings: int
    darkest: _Grey
    brightest: _Grey

    def is_still(self) -> bool:
        if self.sightings < _SIGHTINGS or self.end - self.start < _SECONDS:
            return False
        change = float(np.percentile(cv2.subtract(self.brightest, self.darkest), _CHANGED))
        return change < min(_LEAST_CHANGE, _OF_CONTRAST * float(self.darkest.std()))


class Stillness:
    """Give it the faces of each sampled frame, in order; a track that is too short is not called still."""

    def __init__(self) -> None:
        self._tracks: dict[int, _PlaceLevels] = {}

    def add(self, track: int, time: float, image: Image, box: Box) -> None:
        """The face of ``track`` in ``box`` of a frame (RGB)."""
        seen = self._tracks.get(track)
        now = _picture(image, box if seen is None else seen.box)
        if seen is None:
            seen = _PlaceLevels(box, time, time, 0, now, now)
        self._tracks[track] = seen._replace(
            end=time,
            sightings=seen.sightings + 1,
            darkest=np.minimum(seen.darkest, now),
            brightest=np.maximum(seen.brightest, now),
        )

    def motionless(self) -> frozenset[int]:
        """Numbers of the tracks that do not move."""
        return frozenset(track for track, seen in self._tracks.items() if seen.is_still())


def _picture(image: Image, box: Box) -> _Grey:
    grey = cv2.cvtColor(within_box(image, box), cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA)


COVER_CROP_SIZE = 64  # px, the side of what the network is shown
COVERED_THRESHOLD = 0.85
"""Probability from which a face counts as covered."""


class CoverNet:
    """The shipped network, or another ONNX file. Not to be shared between threads."""

    def __init__(self, network: Path | None = None) -> None:
        self._net = cv2.dnn.readNetFromONNX(str(network or COVERED_FACES.file()))

    def __call__(self, crop: Image) -> float:
        """The probability that mouth or eyes of the face in the scan's ``crop`` (RGB) are covered.

        The lower one of the crop and its mirror image: what is covered is so in both, and of bare faces that
        are taken for covered ones most are in one alone.
        """
        shrunk = cv2.resize(crop, (COVER_CROP_SIZE, COVER_CROP_SIZE), interpolation=cv2.INTER_AREA)
        self._net.setInput(cv2.dnn.blobFromImages([shrunk, cv2.flip(shrunk, 1)]))
        return sigmoid(float(self._net.forward().min()))


class Covers:
    """Which faces are covered; of a track every fourth one is looked at."""

    def __init__(self) -> None:
        self._net = CoverNet()
        self._last: dict[int, tuple[int, bool]] = {}  # of a track: when it was looked at, and what was seen

    def of(self, track: int, number: int, crop: Image) -> bool:
        """Whether mouth or eyes are covered of the face of ``track`` in the sampled frame ``number``."""
        at, covered = self._last.get(track, (number - _EVERY, False))
        if number - at >= _EVERY:
            covered = self._net(crop) >= COVERED_THRESHOLD
            self._last[track] = number, covered
        return covered
