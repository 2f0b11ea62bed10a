"""Persons on whom alone a finding may rest: their scores hold in other views, their faces have colour."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Parameters, Person, Segment, Verdict

# Below this share of views that agree, nobody should rely on either side.
_LEAST_STABILITY = 0.7
# Above this share of faces without colour, a person's scores say what they say of footage without colour.
MOST_GREY = 0.5


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


def is_colourless(person: Person) -> bool:
    """Whether most faces of a video by which a person was judged are without colour, or toned in one.

    Networks score such faces higher, manipulated or not (docs/engine.md).
    """
    return person.grey is not None and person.grey > MOST_GREY


def bears_no_finding(person: Person) -> bool:
    """Whether what is found of a person is looked at, and not flagged."""
    return is_unstable(person) or is_colourless(person)


def stable_persons(persons: Sequence[Person]) -> list[Person]:
    """Who is not unstable."""
    return [person for person in persons if not is_unstable(person)]


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
