"""Queue crops for the scan, and skip crops in calm stretches of a track."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image
from detector.schema.analysis import Parameters
from detector.scoring.scorer import Scorer

_APART = 4, 0.5  # maximum distance of scored faces in calm stretches: faces, and seconds
_LOST = 2.0  # seconds without a face after which a track starts anew


class InterpolationRule(NamedTuple):
    """When faces are skipped: both scored neighbours are below the logit ``calm``, ``apart`` faces apart.

    ``rate`` is the sampling rate.
    """

    calm: float
    apart: int
    rate: float

    @classmethod
    def of(cls, scorer: Scorer, parameters: Parameters) -> Self | None:
        """Return the rule for ``scorer`` in videos; None if every face is scored.

        With sequence networks a face's score depends on its neighbours, so none can be skipped.
        """
        faces, seconds = _APART
        apart = min(faces, int(seconds * parameters.sample_rate))
        if not parameters.interpolate_below or scorer.is_sequence or apart < 2:
            return None
        return cls(scorer.frame_logit(parameters.interpolate_below), apart, parameters.sample_rate)

    def slow(self, seconds: float, frames: int) -> bool:
        """Check whether a gap of so many seconds is too long to skip faces, because the file has few
        ``frames``.

        Not if faces in some of the frames were unusable: these frames were sampled nevertheless.
        """
        return seconds >= _APART[1] and round(seconds * self.rate, 6) > frames + 1


class NumberedCrop(NamedTuple):
    """A crop and its number among all offered crops."""

    number: int
    crop: Image


class _Gap(NamedTuple):
    """Crops of a track that wait for the logits of the faces before and after them."""

    before: int
    waiting: Sequence[NumberedCrop]
    after: int


@dataclass
class _Track:
    """A track since its last scored face."""

    scored: int  # number of the last scored face
    scored_time: float  # seconds
    scored_frame: int  # number of its frame
    last_time: float  # time of the last face, scored or waiting
    last_frame: int
    waiting: list[NumberedCrop] = field(default_factory=list)


class CoarseToFine:
    """Takes the faces of all tracks in order of time and returns those to be scored now."""

    def __init__(self, sparing: InterpolationRule) -> None:
        self._sparing = sparing
        self._tracks: dict[int, _Track] = {}
        self._gaps: list[_Gap] = []
        self._logits: dict[int, float] = {}  # logits of scored faces for which others may wait

    def offer(self, face: NumberedCrop, track: int, time: float, frame: int) -> Iterator[NumberedCrop]:
        """Take the next ``face`` of ``track`` in the sampled frame of this number."""
        yield from self._end_lost(time)
        state = self._tracks.get(track)
        if (
            state is not None
            and frame == state.last_frame + 1
            and self._sparing.slow(time - state.last_time, 1)
        ):
            yield from self._end(state)  # its picture was shown for this long
        if (
            state is not None
            and len(state.waiting) < self._sparing.apart - 1
            and not self._sparing.slow(time - state.scored_time, frame - state.scored_frame)
        ):
            state.waiting.append(face)
            state.last_time, state.last_frame = time, frame
            return
        if state is not None:
            self._gaps.append(_Gap(state.scored, state.waiting, face.number))
        self._tracks[track] = _Track(face.number, time, frame, time, frame)
        yield face

    def _end_lost(self, now: float) -> Iterator[NumberedCrop]:
        """Return the waiting last faces of tracks that were lost."""
        for number in [number for number, track in self._tracks.items() if now - track.last_time > _LOST]:
            yield from self._end(self._tracks.pop(number))

    def _end(self, track: _Track) -> Iterator[NumberedCrop]:
        """Return the waiting last face of ``track``, which becomes its last scored face."""
        if track.waiting:
            *waiting, last = track.waiting
            self._gaps.append(_Gap(track.scored, waiting, last.number))
            track.scored, track.waiting = last.number, []
            track.scored_time, track.scored_frame = track.last_time, track.last_frame
            yield last

    def scored(self, numbers: Iterable[int], logits: NDArray[np.floating]) -> Iterator[NumberedCrop]:
        """Take the ``logits`` (n,) of the faces ``numbers``; return waiting faces in stretches that are not
        calm.
        """
        self._logits.update(zip(numbers, logits.tolist(), strict=True))
        logits_by_number = self._logits
        still = []
        for gap in self._gaps:
            if gap.before not in logits_by_number or gap.after not in logits_by_number:
                still.append(gap)
            elif (
                gap.waiting
                and max(logits_by_number[gap.before], logits_by_number[gap.after]) >= self._sparing.calm
            ):
                middle = len(gap.waiting) // 2
                crop = gap.waiting[middle]
                still.append(_Gap(gap.before, gap.waiting[:middle], crop.number))
                still.append(_Gap(crop.number, gap.waiting[middle + 1 :], gap.after))
                yield crop
        self._gaps = still
        needed = {gap.before for gap in still} | {gap.after for gap in still}
        needed |= {track.scored for track in self._tracks.values()}
        self._logits = {number: logit for number, logit in logits_by_number.items() if number in needed}

    def flush(self) -> Iterator[NumberedCrop]:
        """Return the last faces of all tracks at the end of the video."""
        yield from self._end_lost(np.inf)


def skipped_faces(
    times: NDArray[np.float64],
    frames: NDArray[np.intp],
    logits: NDArray[np.float64],
    sparing: InterpolationRule,
) -> NDArray[np.bool_]:
    """Return which faces (n,) of a completely scored track :class:`CoarseToFine` would have skipped.

    ``frames`` are the numbers of their sampled frames.
    """
    skipped, coarse = np.ones(len(times), np.bool_), CoarseToFine(sparing)
    no_crop = np.empty((0, 0, 3), np.uint8)
    waiting: list[NumberedCrop] = []
    for number, (time, frame) in enumerate(zip(times.tolist(), frames.tolist(), strict=True)):
        waiting += coarse.offer(NumberedCrop(number, no_crop), 0, time, frame)
    waiting += coarse.flush()
    while waiting:
        numbers = [face.number for face in waiting]
        skipped[numbers] = False
        waiting = list(coarse.scored(numbers, logits[numbers]))
    return skipped


def interpolate_missing(logits: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Interpolate missing ``logits`` (n,) of a track linearly, in place; return which were missing.

    Faces count as evenly spaced. First and last are known unless the track was split since; beyond known
    logits the nearest one is used.
    """
    missing = np.isnan(logits)
    places, known = np.flatnonzero(missing), np.flatnonzero(~missing)
    if len(places):
        logits[places] = np.interp(places, known, logits[known])
    return missing


class CropQueue:
    """Crops waiting for ``scorer``, which skips some of them in calm stretches (``coarse``).

    Crops are numbered in order, from 0 after each :meth:`take_features`.
    """

    def __init__(self, scorer: Scorer, coarse: CoarseToFine | None = None) -> None:
        self.scorer = scorer
        self._coarse = coarse
        self._waiting: list[NumberedCrop] = []
        self._scored: list[tuple[list[int], NDArray[np.float32]]] = []  # numbers and features by batch

    @property
    def is_coarse(self) -> bool:
        """Whether some crops are skipped, whose features are then NaN."""
        return self._coarse is not None

    def __len__(self) -> int:
        """Return how many crops wait."""
        return len(self._waiting)

    def offer(self, crop: NumberedCrop, track: int, time: float, frame: int) -> None:
        """Take the next crop, of a usable face of ``track`` in the sampled frame of this number."""
        self._waiting += [crop] if self._coarse is None else self._coarse.offer(crop, track, time, frame)

    def take_batch(self) -> list[NumberedCrop]:
        """Remove and return all waiting crops."""
        batch, self._waiting = self._waiting, []
        return batch

    def put_features(self, batch: Sequence[NumberedCrop], features: Sequence[NDArray[np.float32]]) -> None:
        """Store the ``features`` (d,) of each crop of a ``batch``."""
        if not batch:
            return
        numbers, stacked = [crop.number for crop in batch], np.stack(features)
        self._scored.append((numbers, stacked))
        if self._coarse is not None:
            self._waiting += self._coarse.scored(numbers, stacked[:, 0])

    def flush(self) -> None:
        """Release crops that wait for later ones: no more will come."""
        if self._coarse is not None:
            self._waiting += self._coarse.flush()

    def take_features(self, count: int) -> NDArray[np.float32]:
        """Return the features (count, d) since the last call; NaN for crops that were skipped."""
        width = self._scored[0][1].shape[1] if self._scored else 1
        result = np.full((count, width), np.nan, np.float32)
        for numbers, features in self._scored:
            result[numbers] = features
        self._scored = []
        return result
