"""Which tracks are one person: those that never share a frame and look alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.faces.tracks import Track

ALIKE = 0.85
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
        if alike[one, other] < ALIKE:
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
