"""Follow faces from frame to frame.

Faces of neighbouring sampled frames are matched by overlap, all at once (Hungarian
assignment, Kuhn 1955, in SciPy). A cut breaks every track but that of a face which looks as
it did, where it was: flashes and strobe lights read as cuts. A face lost for a moment keeps its
track.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import CropSquare, Face, crop_square, square_for_face
from detector.faces.finding.matching import correlating
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
    """One face between two cuts; ``thumbnail`` is its mean picture, up to a factor."""

    number: int
    box: Box
    first: float
    last: float
    detections: int = 0
    thumbnail: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((_THUMBNAIL, _THUMBNAIL, 3), np.float32)
    )


class Tracker:
    """Gives each face of each sampled frame the number of its track.

    ``bridge_gap`` is for how many seconds a face may be lost and still keep its track.
    """

    def __init__(self, bridge_gap: float) -> None:
        self._bridge_gap = bridge_gap
        self._live: list[Track] = []
        self._previous = 0.0
        self._numbers = count()
        self.tracks: list[Track] = []

    def process_frame(self, time: float, image: Image, faces: Sequence[Face], is_cut: bool) -> list[int]:
        """Track numbers of ``faces``, in their order. ``is_cut`` ends tracks that none of them goes on."""
        if is_cut:
            self._end_at_cut(image, faces)
        else:
            # A face of the very last sampled frame is always followed, however sparse the sampling.
            oldest = min(self._previous, time - self._bridge_gap - 1e-9)
            self._live = [track for track in self._live if track.last >= oldest]
        self._previous = time
        matched = self._matched(faces)
        numbers = []
        for index, face in enumerate(faces):
            track = matched.get(index)
            if track is None:
                track = Track(next(self._numbers), face.box, time, time)
                self.tracks.append(track)
                self._live.append(track)
            track.box, track.last = face.box, time
            if track.detections % _EVERY == 0:
                track.thumbnail += _thumbnail(image, face)
            track.detections += 1
            numbers.append(track.number)
        return numbers

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
