"""Who is flagged and who is not, among those who reached the threshold for a finding."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Parameters, Person, Segment
from detector.verdict.stability import bears_no_finding


def flagged_persons(persons: Sequence[Person], segments: Sequence[Segment]) -> list[str]:
    """Who is flagged, stays so in other views, and is seen in colour."""
    barred = {person.id for person in persons if bears_no_finding(person)}
    return sorted({segment.person for segment in segments} - barred)


def flagged_segments(persons: Sequence[Person], segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The segments of :func:`flagged_persons`, on which alone a finding rests."""
    flagged = flagged_persons(persons, segments)
    return tuple(segment for segment in segments if segment.person in flagged)


def unflagged_segments(persons: Sequence[Person], segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The others: looked at, and not flagged, since those whose they are bear no finding."""
    flagged = flagged_segments(persons, segments)
    return tuple(segment for segment in segments if segment not in flagged)


def who_reaches(persons: Sequence[Person], parameters: Parameters) -> list[str]:
    """Names of those who reached the threshold for a finding at some moment, flagged or not."""
    return [person.id for person in persons if (person.scores.smoothed >= parameters.enter_threshold).any()]
