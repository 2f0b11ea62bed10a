"""Scores for the review desk. Those of a long analysis go in two levels: an outline, then stretches.

One list a person and a field is a quarter of the size of a list of objects. An outline has the extremes of
each bucket of time, so that everything can be drawn at once. Times are seconds from the first frame to a
ten-thousandth, boxes whole pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.schema.analysis import Analysis, Person

WHOLE = 10_000
"""An analysis of no more scores than this is sent whole."""
BUCKETS = 400
"""Of an outline: about one for two or three pixels of a timeline."""
STRETCH = 12_000
"""Scores of a stretch, about: some 60 kB compressed, and a moment's work for a browser."""


@dataclass(frozen=True)
class Columns:
    """The n scores of one person, in order of time; NaN where a face could not be judged."""

    time: NDArray[np.float64]  # (n,), seconds from the first frame
    track: NDArray[np.int64]  # (n,)
    box: NDArray[np.int64]  # (n, 4), pixels
    score: NDArray[np.float64]  # (n,), probability of the single frame
    smooth: NDArray[np.float64]  # (n,), smoothed
    interpolated: NDArray[np.bool_]  # (n,): the scan did not see this face

    def listed(self, chosen: NDArray[np.intp] | slice) -> dict[str, Any]:
        """Some of them as JSON has them: a list a field, times to a ten-thousandth."""
        return {
            "time": self.time[chosen].round(4).tolist(),
            "track": self.track[chosen].tolist(),
            "box": self.box[chosen].ravel().tolist(),
            "score": _listed(self.score[chosen]),
            "smooth": _listed(self.smooth[chosen]),
            "interpolated": self.interpolated[chosen].astype(int).tolist(),
        }


def columns_of(person: Person) -> Columns:
    """The scores of a person as columns."""
    scores = person.scores
    return Columns(
        scores.time,
        scores.track.astype(np.int64),
        scores.box.round().astype(np.int64),
        scores.probability,
        scores.smoothed,
        scores.interpolated,
    )


def outline(person: Columns, width: float) -> dict[str, Any]:
    """The outline of a person's scores in buckets of ``width`` seconds, with fields ``low`` and ``high``."""
    buckets = (person.time / width).astype(np.int64)
    judged = np.flatnonzero(~np.isnan(person.smooth))
    low, high = np.full(len(buckets), np.nan), np.full(len(buckets), np.nan)
    kept = [_firsts(person.track)]  # of each track something stays: persons can be split along them
    if len(judged):
        order = judged[np.lexsort((person.smooth[judged], buckets[judged]))]
        start = _firsts(buckets[order])
        end = np.append(start[1:], len(order)) - 1
        kept += [order[start], order[end]]
        # The same buckets in the same order, each now sorted by single scores.
        by_score = judged[np.lexsort((person.score[judged], buckets[judged]))]
        lower, upper = start + (end - start) // 4, start + -(-3 * (end - start) // 4)
        of_bucket = np.repeat(np.arange(len(start)), end - start + 1)
        low[order] = person.score[by_score[lower]][of_bucket]
        high[order] = person.score[by_score[upper]][of_bucket]
    judged_buckets = np.isin(buckets, buckets[judged])
    unjudged = np.flatnonzero(~judged_buckets)
    kept.append(unjudged[_firsts(buckets[unjudged])])
    chosen = np.unique(np.concatenate(kept))
    return person.listed(chosen) | {"low": _listed(low[chosen]), "high": _listed(high[chosen])}


def stretch(person: Columns, start: float, end: float) -> dict[str, Any]:
    """All scores from ``start`` to ``end``, in seconds; what lies at the end is left out."""
    first, last = np.searchsorted(person.time.round(4), [start, end])
    return person.listed(slice(first, last))


def stretch_length(analysis: Analysis) -> float | None:
    """Seconds of one stretch of an analysis; None for one that is sent whole."""
    count = sum(len(person.scores) for person in analysis.persons)
    if count <= WHOLE:
        return None
    return max(1.0, round(analysis.media.duration * STRETCH / count))


def _firsts(values: NDArray[Any]) -> NDArray[np.intp]:
    """Where each run of equal values starts."""
    if not len(values):
        return np.empty(0, np.intp)
    return np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))


def _listed(values: NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.round(6).tolist()]
