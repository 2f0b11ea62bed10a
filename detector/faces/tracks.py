"""Follow faces from frame to frame.

Faces of neighbouring sampled frames are matched by overlap, all at once (Hungarian
assignment, Kuhn 1955, in SciPy). A cut breaks every track but that of a face which looks as
it did, where it was: flashes and strobe lights read as cuts. A face lost for a moment keeps its
track. Where one goes over to another face without a cut it is split, a few samples later
(:mod:`detector.faces.dissolves`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import CropSquare, Face, crop_square, square_for_face
from detector.faces.dissolves import Change, SceneMemory, Sighting, TrackMemory, wide_picture
from detector.faces.search.matching import correlating
from detector.media.frame import Image
from detector.schema.analysis import Box
from detector.schema.boxes import grown, overlap

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
        live = [grown(track.box) for track in self._live]
        overlaps = np.array([[overlap(box, grown(face.box)) for box in live] for face in faces])
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
    one, other = correlating(np.array([track.thumbnail.ravel(), _thumbnail(image, face).ravel()]))
    return float(one @ other) >= _SAME_LOOKS


def _thumbnail(image: Image, face: Face) -> NDArray[np.float32]:
    square = square_for_face(face)
    # Wider than the face: hair and neck tell people apart better than features at this size.
    wide = CropSquare(square.x, square.y, square.side * 1.5, square.angle)
    return crop_square(image, wide, _THUMBNAIL).astype(np.float32)
