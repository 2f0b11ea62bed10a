"""Who is flagged and who is not, among those who reached the threshold for a finding."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Parameters, Person, Segment
from detector.verdict.persons.finding_basis import bears_no_finding, is_covered


def is_flagged(persons: Sequence[Person], segment: Segment) -> bool:
    """Whether a finding rests on ``segment``: of somebody who bears one, and of faces not covered."""
    return bool(flagged_segments([each for each in persons if each.id == segment.person], (segment,)))


def flagged_segments(persons: Sequence[Person], segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Those on which a finding rests."""
    barred = {person.id for person in persons if bears_no_finding(person)}
    return tuple(one for one in segments if one.person not in barred and not is_covered(one))


def unflagged_segments(persons: Sequence[Person], segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The others: looked at, and not flagged."""
    barred = {person.id for person in persons if bears_no_finding(person)}
    return tuple(one for one in segments if one.person in barred or is_covered(one))


def flagged_persons(persons: Sequence[Person], segments: Sequence[Segment]) -> list[str]:
    """On whom a finding rests."""
    return sorted({segment.person for segment in flagged_segments(persons, segments)})


def covered_alone(persons: Sequence[Person], segments: Sequence[Segment]) -> list[str]:
    """Of whom something was found, but by covered faces alone."""
    covered = {one.person for one in segments if is_covered(one)}
    return sorted(covered - set(flagged_persons(persons, segments)))


def who_reaches(persons: Sequence[Person], parameters: Parameters) -> list[str]:
    """Names of those who reached the threshold for a finding at some moment, flagged or not."""
    return [person.id for person in persons if (person.scores.smoothed >= parameters.enter_threshold).any()]
