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

_APART = 4, 0.5  # from one scored face to the next where the network is calm: faces, and seconds, at most
_LOST = 2.0  # seconds without another face of a track, after which it begins anew


class InterpolationRule(NamedTuple):
    """Where faces are spared: both scored ones around lie below ``calm``, a logit, ``apart`` faces apart.

    ``rate`` is that of sampling, a second.
    """

    calm: float
    apart: int
    rate: float

    @classmethod
    def of(cls, scorer: Scorer, parameters: Parameters) -> Self | None:
        """Where ``scorer`` is spared faces of a video; None where it sees every one.

        Where a face's score depends on those around it, as of sequence networks, none can be left out.
        """
        faces, seconds = _APART
        apart = min(faces, int(seconds * parameters.sample_rate))
        if not parameters.interpolate_below or scorer.is_sequence or apart < 2:
            return None
        return cls(scorer.frame_logit(parameters.interpolate_below), apart, parameters.sample_rate)

    def slow(self, seconds: float, frames: int) -> bool:
        """Whether so many seconds are too long to spare a face, since the file has few of the ``frames``.

        Not where a face could not be judged in some of them: these were sampled all the same.
        """
        return seconds >= _APART[1] and round(seconds * self.rate, 6) > frames + 1


class NumberedCrop(NamedTuple):
    """A crop, and which of all that were offered it is."""

    number: int
    crop: Image


class _Gap(NamedTuple):
    """Crops of a track that wait for the logits of the faces before and after them."""

    before: int
    waiting: Sequence[NumberedCrop]
    after: int


@dataclass
class _Track:
    """A track since its last scored face, after which others may wait."""

    scored: int  # number of that face
    scored_time: float  # seconds
    scored_frame: int  # the number of its frame
    last_time: float  # of the last face, be it that one or one that waits
    last_frame: int
    waiting: list[NumberedCrop] = field(default_factory=list)


class CoarseToFine:
    """Offer it the faces of all tracks in order of time; it gives back those to be scored now."""

    def __init__(self, sparing: InterpolationRule) -> None:
        self._sparing = sparing
        self._tracks: dict[int, _Track] = {}
        self._gaps: list[_Gap] = []
        self._logits: dict[int, float] = {}  # of scored faces that others may wait for

    def offer(self, face: NumberedCrop, track: int, time: float, frame: int) -> Iterator[NumberedCrop]:
        """Take the next ``face`` of ``track``, in the sampled frame of this number."""
        yield from self._end_lost(time)
        known = self._tracks.get(track)
        if (
            known is not None
            and frame == known.last_frame + 1
            and self._sparing.slow(time - known.last_time, 1)
        ):
            yield from self._end(known)  # for so long its picture stood
        if (
            known is not None
            and len(known.waiting) < self._sparing.apart - 1
            and not self._sparing.slow(time - known.scored_time, frame - known.scored_frame)
        ):
            known.waiting.append(face)
            known.last_time, known.last_frame = time, frame
            return
        if known is not None:
            self._gaps.append(_Gap(known.scored, known.waiting, face.number))
        self._tracks[track] = _Track(face.number, time, frame, time, frame)
        yield face

    def _end_lost(self, now: float) -> Iterator[NumberedCrop]:
        """The last faces of tracks that were lost, where they wait."""
        for number in [number for number, track in self._tracks.items() if now - track.last_time > _LOST]:
            yield from self._end(self._tracks.pop(number))

    def _end(self, track: _Track) -> Iterator[NumberedCrop]:
        """The last face of ``track``, where it waits: from now on it is the last one scored."""
        if track.waiting:
            *waiting, last = track.waiting
            self._gaps.append(_Gap(track.scored, waiting, last.number))
            track.scored, track.waiting = last.number, []
            track.scored_time, track.scored_frame = track.last_time, track.last_frame
            yield last

    def scored(self, numbers: Iterable[int], logits: NDArray[np.floating]) -> Iterator[NumberedCrop]:
        """Take the ``logits`` (n,) of the faces of these ``numbers``; gives back what is not calm."""
        self._logits.update(zip(numbers, logits.tolist(), strict=True))
        known = self._logits
        still = []
        for gap in self._gaps:
            if gap.before not in known or gap.after not in known:
                still.append(gap)
            elif gap.waiting and max(known[gap.before], known[gap.after]) >= self._sparing.calm:
                middle = len(gap.waiting) // 2
                one = gap.waiting[middle]
                still.append(_Gap(gap.before, gap.waiting[:middle], one.number))
                still.append(_Gap(one.number, gap.waiting[middle + 1 :], gap.after))
                yield one
        self._gaps = still
        needed = {gap.before for gap in still} | {gap.after for gap in still}
        needed |= {track.scored for track in self._tracks.values()}
        self._logits = {number: logit for number, logit in known.items() if number in needed}

    def flush(self) -> Iterator[NumberedCrop]:
        """The last faces of all tracks, after which no other comes."""
        yield from self._end_lost(np.inf)


def spared(
    times: NDArray[np.float64],
    frames: NDArray[np.intp],
    logits: NDArray[np.float64],
    sparing: InterpolationRule,
) -> NDArray[np.bool_]:
    """Which faces (n,) of a track :class:`CoarseToFine` would not have scored, where all of them are.

    ``frames`` are the numbers of the sampled frames that they are in.
    """
    found, coarse = np.ones(len(times), np.bool_), CoarseToFine(sparing)
    no_crop = np.empty((0, 0, 3), np.uint8)
    waiting: list[NumberedCrop] = []
    for number, (time, frame) in enumerate(zip(times.tolist(), frames.tolist(), strict=True)):
        waiting += coarse.offer(NumberedCrop(number, no_crop), 0, time, frame)
    waiting += coarse.flush()
    while waiting:
        numbers = [face.number for face in waiting]
        found[numbers] = False
        waiting = list(coarse.scored(numbers, logits[numbers]))
    return found


def fill_between(logits: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Put each of a track's ``logits`` (n,) that is no number on the line between those known; returns which.

    The faces count as evenly spaced. The first and the last one are known, but where a track was split since:
    there those beyond what is known are as the nearest that is.
    """
    missing = np.isnan(logits)
    places, known = np.flatnonzero(missing), np.flatnonzero(~missing)
    if len(places):
        logits[places] = np.interp(places, known, logits[known])
    return missing


class CropQueue:
    """Crops that wait for ``scorer``. Where it is calm about a track it is not given every one (``coarse``).

    Crops are numbered in order, from 0 after each :meth:`take_features`.
    """

    def __init__(self, scorer: Scorer, coarse: CoarseToFine | None = None) -> None:
        self.scorer = scorer
        self._coarse = coarse
        self._waiting: list[NumberedCrop] = []
        self._scored: list[tuple[list[int], NDArray[np.float32]]] = []  # numbers and features, by batch

    @property
    def is_coarse(self) -> bool:
        """Whether some crops are not scored, whose features are then no numbers."""
        return self._coarse is not None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def offer(self, crop: NumberedCrop, track: int, time: float, frame: int) -> None:
        """Take the next crop, of a usable face of ``track`` in the sampled frame of this number."""
        self._waiting += [crop] if self._coarse is None else self._coarse.offer(crop, track, time, frame)

    def take_batch(self) -> list[NumberedCrop]:
        """All that wait."""
        batch, self._waiting = self._waiting, []
        return batch

    def put_features(self, batch: Sequence[NumberedCrop], features: Sequence[NDArray[np.float32]]) -> None:
        """Take the ``features``, (d,) each, of a ``batch``."""
        if not batch:
            return
        numbers, stacked = [crop.number for crop in batch], np.stack(features)
        self._scored.append((numbers, stacked))
        if self._coarse is not None:
            self._waiting += self._coarse.scored(numbers, stacked[:, 0])

    def flush(self) -> None:
        """No other crop will come: none waits for a later one any more."""
        if self._coarse is not None:
            self._waiting += self._coarse.flush()

    def take_features(self, count: int) -> NDArray[np.float32]:
        """The features (count, d) made since the last time; no numbers of crops that were not scored."""
        width = self._scored[0][1].shape[1] if self._scored else 1
        taken = np.full((count, width), np.nan, np.float32)
        for numbers, features in self._scored:
            taken[numbers] = features
        self._scored = []
        return taken
