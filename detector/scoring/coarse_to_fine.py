"""Coarse to fine: of a calm stretch of a track the network is given every other face only.

The first face of a track is scored, the third, the fifth; each in between waits until both its neighbours are
scored. Where the network is calm about both, it is never scored: its logit lies halfway between theirs.
Otherwise it is scored after all, so that wherever something may be found every sampled frame is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image
from detector.schema.analysis import Parameters
from detector.scoring.scorer import Scorer

_LOST = 2.0  # seconds without another face of a track, after which it begins anew


class Numbered(NamedTuple):
    """A crop, and which of all that were offered it is."""

    number: int
    crop: Image


class _Between(NamedTuple):
    """A crop that waits for the logits of its neighbours."""

    before: int
    waiting: Numbered
    after: int


@dataclass
class _Track:
    scored: int  # number of the last face that is scored
    time: float
    waiting: Numbered | None = None


class CoarseToFine:
    """Offer it the faces of all tracks in order of time; it gives back those to be scored now.

    ``calm`` is the logit below which the network is calm about a face.
    """

    def __init__(self, calm: float) -> None:
        self._calm = calm
        self._tracks: dict[int, _Track] = {}
        self._between: list[_Between] = []
        self._logits: dict[int, float] = {}  # of scored faces that others may wait for

    def offer(self, face: Numbered, track: int, time: float) -> Iterator[Numbered]:
        """Take the next ``face`` of ``track``."""
        yield from self._lost(time)
        last = self._tracks.get(track)
        if last is not None and last.waiting is None:
            last.waiting, last.time = face, time
            return
        if last is not None and last.waiting is not None:
            self._between.append(_Between(last.scored, last.waiting, face.number))
        self._tracks[track] = _Track(face.number, time)
        yield face

    def _lost(self, now: float) -> Iterator[Numbered]:
        """The last faces of tracks that were lost, where they wait."""
        for number in [number for number, track in self._tracks.items() if now - track.time > _LOST]:
            lost = self._tracks.pop(number)
            if lost.waiting is not None:
                yield lost.waiting

    def scored(self, numbers: Iterable[int], logits: NDArray[np.float32]) -> Iterator[Numbered]:
        """Take the ``logits`` (n,) of the faces of these ``numbers``; gives back what is not calm."""
        self._logits.update(zip(numbers, logits.tolist(), strict=True))
        known = self._logits
        still = []
        for one in self._between:
            if one.before not in known or one.after not in known:
                still.append(one)
            elif max(known[one.before], known[one.after]) >= self._calm:
                yield one.waiting
        self._between = still
        needed = {one.before for one in still} | {one.after for one in still}
        needed |= {track.scored for track in self._tracks.values()}
        self._logits = {number: logit for number, logit in known.items() if number in needed}

    def flush(self) -> Iterator[Numbered]:
        """The last faces of all tracks, after which no other comes."""
        yield from self._lost(np.inf)


def calm_logit(scorer: Scorer, parameters: Parameters) -> float | None:
    """The logit below which ``scorer`` is calm about a face of a video; None where it sees every face.

    Where a face's score depends on those around it, as of sequence networks, none can be left out.
    """
    if not parameters.interpolate_below or scorer.is_sequence:
        return None
    return scorer.logit(parameters.interpolate_below)


def spared(times: NDArray[np.float64], logits: NDArray[np.float64], calm: float) -> NDArray[np.bool_]:
    """Which faces (n,) of a track :class:`CoarseToFine` would not have scored, where all of them are."""
    found = np.zeros(len(times), np.bool_)
    for run in np.split(np.arange(len(times)), np.flatnonzero(np.diff(times) > _LOST) + 1):
        for place in run[1:-1:2].tolist():
            found[place] = max(logits[place - 1], logits[place + 1]) < calm
    return found


def fill_between(logits: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Give each of a track's ``logits`` (n,) that is no number the mean of its neighbours; returns which."""
    missing = np.isnan(logits)
    places = np.flatnonzero(missing)
    logits[places] = (logits[places - 1] + logits[places + 1]) / 2
    return missing
