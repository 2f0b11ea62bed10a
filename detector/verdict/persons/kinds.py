"""Which kind of manipulation was found: a face edited, or one generated as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Answers, ManipulationKind, Person, SecondLook, Segment, Verdict
from detector.verdict.persons.flagged import flagged_persons

# So much more probable must one answer of the second look be to name the kind of manipulation by it.
_CLEARLY = 0.15


def kind_of(told: Answers | SecondLook | None) -> ManipulationKind | None:
    """Which of the two questions is answered with yes, where one clearly outweighs the other."""
    if told is None or abs(told.altered - told.synthesised) < _CLEARLY:
        return None
    return ManipulationKind.EDITED if told.altered > told.synthesised else ManipulationKind.GENERATED


def is_near_border(told: Answers | SecondLook | None, by: float) -> bool:
    """Whether the kind would be another one if the answers lay ``by`` nearer or further apart."""
    return told is not None and abs(abs(told.altered - told.synthesised) - _CLEARLY) <= by


def manipulation_kind(
    verdict: Verdict, persons: Sequence[Person], segments: Sequence[Segment]
) -> ManipulationKind | None:
    """The kind of manipulation of all flagged persons; None where they differ, or it is not told of one."""
    if verdict is not Verdict.MANIPULATED:
        return None
    return common_kind(persons, flagged_persons(persons, segments))


def common_kind(persons: Sequence[Person], flagged: Sequence[str]) -> ManipulationKind | None:
    """The kind that the second look tells of all of ``flagged``, given by their ids; else None."""
    found = {kind_of(person.second_look) for person in persons if person.id in flagged}
    return found.pop() if len(found) == 1 else None
