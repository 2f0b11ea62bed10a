"""Which tracks show one picture that does not move: a photograph made into a video, or shown in one.

Where a face was seen first, its grey picture is compared in all frames of the track. However calm somebody
sits, eyes, mouth and head move; of a still only what compression changes: stills in H.264, HEVC and AV1 vary
by at most 4.3 levels, the calmest track of a person in the develop clips by 11 over three seconds or more.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import within_box
from detector.media.frame import Image
from detector.schema.analysis import Box

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
