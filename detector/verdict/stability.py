"""Persons whose scores hold in other views of the same pictures, on whom alone a finding may rest."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Parameters, Person, Segment, Verdict

# Below this share of views that agree, nobody should rely on either side.
_LEAST_STABILITY = 0.7


def stability(verdict: Verdict, persons: Sequence[Person], segments: Sequence[Segment]) -> float | None:
    """The least stability of the persons on whom ``verdict`` rests; None where none was measured."""
    rests_on = list(persons)
    if verdict is Verdict.MANIPULATED:
        flagged = flagged_persons(persons, segments)
        rests_on = [person for person in persons if person.id in flagged]
    looks = (person.second_look for person in rests_on)
    return min((look.stability for look in looks if look and look.stability is not None), default=None)


def is_unstable(person: Person) -> bool:
    """Whether too many views of the same pictures say otherwise; no where the second look was not asked."""
    look = person.second_look
    return look is not None and look.stability is not None and look.stability < _LEAST_STABILITY


def stable_persons(persons: Sequence[Person]) -> list[Person]:
    """Who is not unstable."""
    return [person for person in persons if not is_unstable(person)]


def flagged_persons(persons: Sequence[Person], segments: Sequence[Segment]) -> list[str]:
    """Who is flagged and stays so in other views."""
    unstable = {person.id for person in persons if is_unstable(person)}
    return sorted({segment.person for segment in segments} - unstable)


def flagged_segments(persons: Sequence[Person], segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The segments of those who are flagged and stay so, on which alone a finding rests."""
    flagged = flagged_persons(persons, segments)
    return tuple(segment for segment in segments if segment.person in flagged)


def unflagged_segments(persons: Sequence[Person], segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The others: looked at, and not flagged, since views disagree on whose they are."""
    flagged = flagged_segments(persons, segments)
    return tuple(segment for segment in segments if segment not in flagged)


def who_reaches(persons: Sequence[Person], parameters: Parameters) -> list[str]:
    """Names of those who reached the threshold for a finding at some moment, flagged or not."""
    return [person.id for person in persons if (person.scores.smoothed >= parameters.enter_threshold).any()]
