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
from detector.schema.scores import grow_box, overlap, sigmoid

_LEAST_OVERLAP = 0.25

_THUMBNAIL = 24  # side of the colour thumbnail by which tracks are compared
# Overlap of boxes and correlation of thumbnails from which a face continues over a falsely detected cut.
_SAME_PLACE, _SAME_LOOKS = 0.6, 0.9
_EVERY = 4  # only every fourth detection is measured or averaged, because neighbours hardly differ


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
    """Faces of ``track`` from ``since`` on, in seconds, belong to ``into``."""

    track: int
    into: int
    since: float


class Tracker:
    """Assigns each face of each sampled frame to a track.

    A face that is lost for ``bridge_gap`` seconds keeps its track. ``splits`` renumber faces that were
    assigned earlier; the caller empties the list.
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
        """Return the track numbers of ``faces``; ``is_cut`` ends tracks that no face continues."""
        if is_cut:
            self._live = [
                track
                for track in self._live
                if track.last >= self._previous and any(_is_same(track, image, face) for face in faces)
            ]
        else:
            # A face of the previous sampled frame is always followed, however sparse the sampling.
            oldest = min(self._previous, time - self._bridge_gap - 1e-9)
            self._live = [track for track in self._live if track.last >= oldest]
        self._previous = time
        self._memories = {track.number: self._memories[track.number] for track in self._live}
        self._scene.add(image)
        needed = self._scene.likeness_needed()
        matched = self._match(faces)
        return [
            self._continue(matched.get(index), time, image, face, needed).number
            for index, face in enumerate(faces)
        ]

    def _continue(self, track: Track | None, time: float, image: Image, face: Face, needed: float) -> Track:
        """Add ``face`` to ``track``, or to a new one if that is None or too dissimilar; return the track."""
        if track is None:
            track = self._begin(Track(next(self._numbers), face.box, time, time), TrackMemory())
        thumbnail = _thumbnail(image, face) if track.detections % _EVERY == 0 else None
        if thumbnail is not None:
            track.thumbnail += thumbnail
        track.box, track.last = face.box, time
        track.detections += 1
        memory = self._memories[track.number]
        memory.add(Sighting(time, wide_picture(image, face.box), thumbnail))
        change = memory.change(needed)
        return track if change is None else self._split(track, change, image, face)

    def _begin(self, track: Track, memory: TrackMemory) -> Track:
        self.tracks.append(track)
        self._live.append(track)
        self._memories[track.number] = memory
        return track

    def _split(self, track: Track, change: Change, image: Image, face: Face) -> Track:
        """Create the track that continues in place of ``track``, where ``face`` is now."""
        others = change.others
        new = Track(next(self._numbers), face.box, others[0].time, track.last, len(others))
        thumbnails = [sighting.thumbnail for sighting in others if sighting.thumbnail is not None]
        for thumbnail in thumbnails:
            track.thumbnail -= thumbnail
        for thumbnail in thumbnails or [_thumbnail(image, face)]:
            new.thumbnail += thumbnail
        track.last, track.detections = change.until, track.detections - len(others)
        self._live = [live for live in self._live if live is not track]
        self.splits.append(Split(track.number, new.number, others[0].time))
        return self._begin(new, TrackMemory(others))

    def _match(self, faces: Sequence[Face]) -> dict[int, Track]:
        """Return the tracks that continue in ``faces``, by the indices of these."""
        if not self._live or not faces:
            return {}
        live = [grow_box(track.box) for track in self._live]
        overlaps = np.array([[overlap(box, grow_box(face.box)) for box in live] for face in faces])
        return {
            row: self._live[column]
            for row, column in _assign(overlaps)
            if overlaps[row, column] >= _LEAST_OVERLAP
        }

    def fill_in_splits(self, tracks: NDArray[np.int32], times: NDArray[np.float64]) -> None:
        """Renumber ``tracks`` (n,) of faces at ``times`` by the recorded splits."""
        for split in self.splits:
            tracks[(tracks == split.track) & (times >= split.since)] = split.into

    def forget_ended(self) -> set[int]:
        """Keep only the tracks that may continue; return their numbers."""
        self.tracks = list(self._live)
        return {track.number for track in self.tracks}


def _assign(overlaps: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pair rows and columns of ``overlaps`` so that the sum is largest."""
    if min(overlaps.shape) == 1:
        row, column = np.unravel_index(overlaps.argmax(), overlaps.shape)
        return [(int(row), int(column))]
    # Imported on demand, because SciPy's optimizers take a third of the engine's import time.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _is_same(track: Track, image: Image, face: Face) -> bool:
    """Return whether a face is where the track was last, and looks like it at any brightness."""
    if overlap(track.box, face.box) < _SAME_PLACE:
        return False
    old, new = normalise_rows(np.array([track.thumbnail.ravel(), _thumbnail(image, face).ravel()]))
    return float(old @ new) >= _SAME_LOOKS


def _thumbnail(image: Image, face: Face) -> NDArray[np.float32]:
    square = square_for_face(face)
    # Wider than the face, because at this size hair and neck distinguish people better than features.
    wide = CropSquare(square.x, square.y, square.side * 1.5, square.angle)
    return crop_square(image, wide, _THUMBNAIL).astype(np.float32)


# Least correlation of the mean pictures of two tracks of one person; set by hand, then measured
# (docs/faces.md).
SAME_PERSON_SIMILARITY = 0.85
_NEVER = np.float32(-2)  # similarity of tracks that cannot be one person


def group_tracks(tracks: Sequence[Track]) -> list[list[int]]:
    """Group track numbers by person.

    Two groups are merged if their tracks never overlap in time and their mean pictures correlate by at least
    :data:`SAME_PERSON_SIMILARITY`, the most similar first. This is deliberately cautious: merging two persons
    would attribute findings to the wrong one, while splitting one person does little harm.
    """
    if not tracks:
        return []
    groups = [[track.number] for track in tracks]
    # Two hours have thousands of tracks, so there is one table of all pairs and none besides.
    pictures = np.stack([track.thumbnail.ravel() for track in tracks])
    pictures -= pictures.mean(axis=1, keepdims=True)  # sums of centred pictures are centred
    contrast = _contrast(pictures)
    first, last = (np.array([getattr(t, end) for t in tracks]) for end in ("first", "last"))
    similarity = pictures @ pictures.T
    similarity /= contrast
    similarity /= contrast[:, None]
    for row, begins, ends in zip(similarity, first, last, strict=True):
        row[(first <= ends) & (begins <= last)] = _NEVER  # they overlap in time
    while True:
        a, b = sorted(map(int, np.unravel_index(int(similarity.argmax()), similarity.shape)))
        if similarity[a, b] < SAME_PERSON_SIMILARITY:
            break
        groups[a] += groups[b]
        groups[b] = []
        pictures[a] += pictures[b]
        contrast[a] = _contrast(pictures[a])
        may_join = (similarity[a] != _NEVER) & (similarity[b] != _NEVER)
        similarity[b] = similarity[:, b] = _NEVER
        joined = pictures @ pictures[a] / contrast / contrast[a]
        similarity[a] = similarity[:, a] = np.where(may_join, joined, _NEVER)
    return [group for group in groups if group]


def _contrast(centred: NDArray[np.float32]) -> Any:
    """Return the norm of centred pictures (…, d); infinite without contrast, so that correlations are 0."""
    spread = np.linalg.norm(centred, axis=-1)
    return np.where(spread > 0, spread, np.float32(np.inf))


# Motionless faces. Stills in H.264, HEVC and AV1 vary by at most 4.3 levels, the calmest person in the
# develop clips by 11 over three seconds.
_SIZE = 16  # px of the compared pictures
_CHANGED = 95  # percentile of their pixels
_LEAST_CHANGE = 4.5  # least range of levels of such a pixel of a moving face
_OF_CONTRAST = 0.12  # the same as a share of contrast, because levels are close together in dark pictures
_SIGHTINGS = 8
_SECONDS = 1.8  # from the first to the last, because some people hardly move for a second

_Grey = NDArray[np.uint8]  # (16, 16)


class _PlaceLevels(NamedTuple):
    """The lowest and highest levels seen at the place where a track began."""

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
    """Recognises tracks that show one motionless picture, such as a photograph made into a video.

    Takes the faces of each sampled frame in order. A track that is too short is not called motionless.
    """

    def __init__(self) -> None:
        self._tracks: dict[int, _PlaceLevels] = {}

    def add(self, track: int, time: float, image: Image, box: Box) -> None:
        """Add the face of ``track`` in ``box`` of a frame (RGB)."""
        levels = self._tracks.get(track)
        grey = cv2.cvtColor(within_box(image, box if levels is None else levels.box), cv2.COLOR_RGB2GRAY)
        picture = cv2.resize(grey, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA)
        if levels is None:
            levels = _PlaceLevels(box, time, time, 0, picture, picture)
        self._tracks[track] = levels._replace(
            end=time,
            sightings=levels.sightings + 1,
            darkest=np.minimum(levels.darkest, picture),
            brightest=np.maximum(levels.brightest, picture),
        )

    def motionless(self) -> frozenset[int]:
        """Return the numbers of the motionless tracks."""
        return frozenset(track for track, levels in self._tracks.items() if levels.is_still())


# Covered faces. Scores of such faces mean little: covers raise those of unmanipulated faces and lower those
# of manipulated ones (docs/models.md).
COVER_CROP_SIZE = 64  # px, the side of the network's input
COVERED_THRESHOLD = 0.85  # probability from which a face counts as covered


class CoverNet:
    """The shipped network for covered faces, or another ONNX file. Not to be shared between threads."""

    def __init__(self, network: Path | None = None) -> None:
        self._net = cv2.dnn.readNetFromONNX(str(network or COVERED_FACES.file()))

    def __call__(self, crop: Image) -> float:
        """Return the probability that mouth or eyes in the scan's ``crop`` (RGB) are covered.

        The lower one of the crop and its mirror image counts, because false alarms mostly occur in only one.
        """
        shrunk = cv2.resize(crop, (COVER_CROP_SIZE, COVER_CROP_SIZE), interpolation=cv2.INTER_AREA)
        self._net.setInput(cv2.dnn.blobFromImages([shrunk, cv2.flip(shrunk, 1)]))
        return sigmoid(float(self._net.forward().min()))


class Covers:
    """Recognises covered faces (mask, hand, caption, sticker), measuring every fourth face of a track."""

    def __init__(self) -> None:
        self._net = CoverNet()
        self._last: dict[int, tuple[int, bool]] = {}  # track -> number of the measured frame, and result

    def is_covered(self, track: int, number: int, crop: Image) -> bool:
        """Return whether the face of ``track`` in the sampled frame ``number`` is covered."""
        at, covered = self._last.get(track, (number - _EVERY, False))
        if number - at >= _EVERY:
            covered = self._net(crop) >= COVERED_THRESHOLD
            self._last[track] = number, covered
        return covered
