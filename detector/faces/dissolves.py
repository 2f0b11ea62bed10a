"""Where a track goes over to another face although there is no cut, as in a dissolve.

A face is followed by its place, and in a dissolve the next person's often is where the last one's was. In
between, the whole picture is a mixture of what it was before and what it is after, which nothing that moves
looks like: a head that turns, a camera that pans. Where the scene changes so, or altogether in some other
way, what is seen of a track after that is compared with what was seen of it before. How much of this is
found is in docs/faces.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.faces.search.matching import picture
from detector.media.frame import Image
from detector.schema.analysis import Box
from detector.schema.boxes import grown

_SPANS = 8, 16  # samples from one scene to the other, in which a dissolve lies
_ANOTHER_SCENE = 0.7  # correlation of whole pictures, below it
_MIXED = 0.06  # of what lies between, what is no mixture of both, at most
_ALIKE = 0.75  # correlation of a face after a dissolve with before, at least; what is behind it changes too
_ALTOGETHER = 0.4  # correlation of whole pictures, below which the scene is another however it came to be
_ALIKE_THEN = 0.55  # correlation of a face after that with before, at least: it may have turned
_LATELY = 4  # samples whose mean is what is seen now; as many there are before them, at least

_Picture = NDArray[np.float32]  # (d,), of :func:`picture`: the product of two is their correlation


class SceneMemory:
    """What the last sampled frames looked like as a whole."""

    def __init__(self) -> None:
        self._frames: deque[_Picture] = deque(maxlen=max(_SPANS) + 1)

    def add(self, image: Image) -> None:
        """The next frame."""
        height, width = image.shape[:2]
        self._frames.append(picture(image, (0.0, 0.0, float(width), float(height))))

    def likeness_needed(self) -> float:
        """How much a face must look as it did to be the same; without a change of scene no face must."""
        frames = np.array(self._frames)
        if any(_is_dissolve(frames[-span - 1 :]) for span in _SPANS if len(frames) > span):
            return _ALIKE
        return _ALIKE_THEN if float((frames @ frames[-1]).min()) < _ALTOGETHER else -1.0


def _is_dissolve(frames: NDArray[np.float32]) -> bool:
    """Whether the first of ``frames`` (n, d) goes over to the last, of another scene, by mixtures of both."""
    first, last = frames[0], frames[-1]
    likeness = max(float(first @ last), -0.99)  # of a picture and its negative mixtures would be no plane
    if likeness >= _ANOTHER_SCENE:
        return False
    between = frames[1:-1]
    on_first, on_last = between @ first, between @ last
    mixed = (on_first**2 + on_last**2 - 2 * likeness * on_first * on_last) / (1 - likeness**2)
    return float(((between**2).sum(axis=1) - mixed).mean()) <= _MIXED * (1 - likeness)


class Sighting(NamedTuple):
    """A face of a track in one sampled frame."""

    time: float
    picture: _Picture
    thumbnail: NDArray[np.float32] | None
    """What of it went into the track's mean picture."""


class Change(NamedTuple):
    """A track was one face up to ``until``, in seconds, and is another in ``others``, all after that."""

    until: float
    others: list[Sighting]


def wide_picture(image: Image, box: Box) -> _Picture:
    """The picture of a face with hair and neck, which tell people apart as well."""
    return picture(image, grown(box))


class TrackMemory:
    """What a track looked like."""

    def __init__(self, seen: Sequence[Sighting] = ()) -> None:
        """``seen`` are the first sightings, which are not told apart any more."""
        self._before: _Picture = np.array([one.picture for one in seen], np.float32).sum(axis=0)
        self._count = len(seen)  # of what is added up there
        self._kept: deque[Sighting] = deque()
        self._likeness = 1.0  # of what is seen lately with what was seen before

    def add(self, sighting: Sighting) -> None:
        """The next one."""
        if len(self._kept) == max(_SPANS):
            self._before = self._before + self._kept.popleft().picture
            self._count += 1
        self._kept.append(sighting)

    def change(self, needed: float) -> Change | None:
        """Where the latest sightings are another face than those before, less alike than ``needed``.

        Said when it does not become less alike any more: then nothing of the first is mixed into the second.
        """
        kept = list(self._kept)
        if self._count + len(kept) < 2 * _LATELY or len(kept) <= _LATELY:
            return None
        pictures = np.array([one.picture for one in kept])
        before = _unit(self._before + pictures[:-_LATELY].sum(axis=0))
        now = _unit(pictures[-_LATELY:].sum(axis=0))
        falling, self._likeness = self._likeness, float(before @ now)
        if self._likeness >= needed or self._likeness < falling:
            return None
        older = np.flatnonzero(pictures @ before >= pictures @ now)
        first = int(older[-1]) + 1 if len(older) else 1
        return Change(kept[first - 1].time, kept[first:]) if first < len(kept) else None


def _unit(total: _Picture) -> _Picture:
    length = np.linalg.norm(total)
    return total / length if length else total
