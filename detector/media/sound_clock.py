"""One continuous clock for sound whose time stamps jump, go back or are repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TypeVar

import av

from detector.media.acceptance import open_exhibit
from detector.media.open import open_container
from detector.media.stream.packets import RESTARTING_FORMATS, RestartedClock

# A stretch this much earlier or later than the end of the one before begins there; smaller differences are
# roundings of containers with a coarse clock, such as Matroska's milliseconds.
_JITTER = Fraction(1, 20)
STEP_BACK = Fraction(1, 2)
"""Seconds by which a clock goes back that restarts; less is an overlap, as pictures are read."""
LONGEST_GAP = Fraction(600)
"""Seconds that a gap lasts at most. A longer one is an error of the clock, as where a recorder was set to
another time; it is closed up."""
_MOST_SILENCE = Fraction(6 * 3600)  # seconds of all gaps together: silence takes time to examine as well


class Stretch(Protocol):
    """A stretch of sound: its time in seconds on the file's own clock, None if not stated, and its length."""

    @property
    def time(self) -> Fraction | None: ...
    @property
    def seconds(self) -> Fraction: ...


_Stretch = TypeVar("_Stretch", bound=Stretch)


class SoundClock:
    """Places stretches one after the other, in order of the file.

    A clock that goes back, as where recordings were joined, is continued from the end of what was before, so
    that nothing is left out. A gap is kept, unless it is longer than :data:`LONGEST_GAP`. A single stretch
    with a wrong time changes nothing. ``joints`` returns by how many seconds the clock of the pictures is
    ahead of the file's behind each place where it restarts, so that sound stays with them.
    """

    def __init__(self, joints: Callable[[], Sequence[Fraction]] = lambda: ()) -> None:
        self._joints = joints
        self.first: Fraction | None = None
        """Time of the first stretch on the file's own clock."""
        self.end = Fraction(0)
        """Seconds from the first stretch to the end of the last."""
        self.restarts = 0
        """How often the clock restarted."""
        self.closed = 0
        """Gaps that were too long, and closed up."""
        self._zero = Fraction(0)  # the file's time at which `end` would be 0
        self._silence = Fraction(0)

    def on_clock(self, stretches: Iterable[_Stretch]) -> Iterator[tuple[Fraction, _Stretch]]:
        """Yield each stretch with the seconds of silence that precede it."""
        held: _Stretch | None = None
        for stretch in stretches:
            if held is not None:
                yield self._place(held, stretch.time), held
            held = stretch
        if held is not None:
            yield self._place(held, None), held

    def _place(self, stretch: _Stretch, following: Fraction | None) -> Fraction:
        time, seconds, gap = stretch.time, stretch.seconds, Fraction(0)
        if self.first is None:
            self.first = self._zero = Fraction(0) if time is None else time
        if time is not None:
            ahead = time - self._zero - self.end
            if ahead and (ahead > _JITTER or ahead <= -STEP_BACK):
                gap = self._gap(ahead, time, seconds, following)
        self.end += gap + seconds if gap else seconds
        return gap

    def _gap(
        self, ahead: Fraction, time: Fraction, seconds: Fraction, following: Fraction | None
    ) -> Fraction:
        if following is not None and abs(following - self._zero - self.end - seconds) <= _JITTER:
            return Fraction(0)  # a single wrong time
        if ahead < 0:
            self.restarts += 1
            joints = self._joints()
            self._zero = time - self.end
            if len(joints) >= self.restarts and self.first is not None:
                zero = self.first - joints[self.restarts - 1]
                ahead = time - zero - self.end
                if ahead > -STEP_BACK:
                    self._zero = zero
        if ahead <= _JITTER:
            return Fraction(0)
        if ahead > LONGEST_GAP or self._silence + ahead > _MOST_SILENCE:
            self.closed += 1
            self._zero = time - self.end
            return Fraction(0)
        self._silence += ahead
        return ahead


def plausible_start(start: Fraction, seconds: float) -> Fraction:
    """Return when sound begins beside pictures that last some ``seconds``.

    Sound that begins long after the last picture has a wrong clock; it is taken to begin with the pictures.
    """
    return Fraction(0) if start > max(LONGEST_GAP, Fraction(seconds)) else start


def picture_joints(path: Path) -> list[Fraction]:
    """Return by how many seconds the clock of the pictures is ahead of the file's behind each restart.

    Empty for containers whose clock is not continued for pictures. Packets are read, not decoded.
    """
    joints = [Fraction(0)]
    with open_exhibit(path) as file, open_container(file, None) as container:
        stream = next(iter(container.streams.video), None)
        if stream is None or container.format.name not in RESTARTING_FORMATS or stream.time_base is None:
            return []
        clock = RestartedClock(stream.time_base)
        try:
            for packet in container.demux(stream):
                clock.continue_times(packet)
                ahead = clock.ahead * stream.time_base
                if joints[-2:-1] == [ahead]:
                    joints.pop()  # a single wrong time
                elif ahead != joints[-1]:
                    joints.append(ahead)
        except (av.FFmpegError, ValueError, IndexError):
            pass  # the file breaks off
    return joints[1:]
