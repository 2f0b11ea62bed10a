"""Where each person's face is at any time, and what was found of it.

The rules are those of the review desk (``static/js/desk/data.js``, ``boxAt``); a test holds
the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from detector.schema.analysis import Analysis, Box, Person, Segment
from detector.schema.formatting import probability
from detector.verdict.persons.flagged import flagged_segments

STALE = 0.3  # seconds; a box is not carried over a longer gap
_EXACT = 1e-3  # seconds; nearer than this to a judged frame its own box is taken
_ROUNDING = 1e-6


class FaceState(Enum):
    """What is said of a face at one moment; each is drawn with a line of its own kind."""

    FLAGGED = "flagged"
    RAISED = "raised"  # at or above the score that closes a segment, and in none
    LOW = "low"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class DrawnFace:
    """One person's face at one moment."""

    person: str
    box: Box
    score: float | None  # smoothed, of the nearest frame looked at; None where it could not be judged
    segment: str | None
    state: FaceState

    @property
    def words(self) -> str:
        """The label beside the box, which says all that its colour does."""
        flagged = "" if self.segment is None else f", flagged {self.segment}"
        return f"Person {self.person}: {probability(self.score)}{flagged}"


class DrawnLane:
    """One person through time, as arrays over that person's scores."""

    def __init__(self, person: Person, segments: tuple[Segment, ...], exit_threshold: float) -> None:
        self.person = person.id
        self.segments = tuple(segment for segment in segments if segment.person == person.id)
        self.times = person.scores.time
        self.tracks = person.scores.track
        self.boxes = person.scores.box
        self.smoothed = person.scores.smoothed
        self._exit = exit_threshold

    def at(self, time: float) -> DrawnFace | None:
        """The face at ``time``, in seconds from the first frame; None where it is not seen."""
        found = self.box_at(time)
        if found is None:
            return None
        index, box = found
        score = None if np.isnan(self.smoothed[index]) else float(self.smoothed[index])
        segment = next((s.id for s in self.segments if s.start <= time <= s.end), None)
        if segment is not None:
            state = FaceState.FLAGGED
        elif score is None:
            state = FaceState.NOT_JUDGED
        else:
            state = FaceState.RAISED if score >= self._exit else FaceState.LOW
        return DrawnFace(self.person, box, score, segment, state)

    def box_at(self, time: float) -> tuple[int, Box] | None:
        """The nearest score and the box, between two scores in a straight line."""
        times, count = self.times, len(self.times)
        after = int(np.searchsorted(times, time - _ROUNDING, side="left"))
        if after < count and times[after] - time < _EXACT:
            return after, self._box(after)
        before = after - 1
        if before < 0:
            return None
        if (
            after >= count
            or self.tracks[before] != self.tracks[after]
            or times[after] - times[before] > STALE
        ):
            return (before, self._box(before)) if time - times[before] < STALE / 2 else None
        share = (time - times[before]) / (times[after] - times[before])
        left, top, right, bottom = self.boxes[before] + share * (self.boxes[after] - self.boxes[before])
        return before if share < 0.5 else after, (float(left), float(top), float(right), float(bottom))

    def _box(self, index: int) -> Box:
        left, top, right, bottom = map(float, self.boxes[index])
        return left, top, right, bottom


def lanes(analysis: Analysis) -> tuple[DrawnLane, ...]:
    """A lane for each person, in the analysis's order."""
    leave = analysis.parameters.exit_threshold
    segments = flagged_segments(analysis.persons, analysis.segments)
    return tuple(DrawnLane(person, segments, leave) for person in analysis.persons)
