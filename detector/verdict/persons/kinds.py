"""Which kind of manipulation was found: a face edited, or one generated as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from detector.schema.analysis import ManipulationKind, Person, SecondLook, Segment, Verdict
from detector.schema.logistic import finite_logit
from detector.verdict.persons.flagged import flagged_persons

# So much must one answer of the second look exceed the other to name the kind of manipulation by it: of the
# logit, since probabilities near 1 hardly differ. Before schema 1.23 it was 0.15 of the probability, which in
# the middle of the scale is the same.
_CLEARLY = 0.6
_CLEARLY_BEFORE = 0.15


def kind_of(look: SecondLook | None) -> ManipulationKind | None:
    """Which of the two questions is answered with yes, where one clearly outweighs the other.

    It is told where the threshold for a finding is reached: the rest of a video may be as it was. Analyses
    before schema 1.23 hold the answers over all moments alone, and have told it by these.
    """
    if look is None:
        return None
    if look.in_segments is not None:
        return _kind(look.in_segments.altered, look.in_segments.synthesised)
    clearly = abs(look.altered - look.synthesised) >= _CLEARLY_BEFORE
    return _larger(look.altered, look.synthesised) if clearly else None


def is_near_border(look: SecondLook | None, by: float) -> bool:
    """Whether the kind could be another one, or none, with both answers off by ``by``."""
    if look is None or look.in_segments is None:
        return False
    told = look.in_segments
    return len({_kind(told.altered + a, told.synthesised + b) for a, b in product((-by, by), repeat=2)}) > 1


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


def _kind(altered: float, synthesised: float) -> ManipulationKind | None:
    clearly = abs(finite_logit(altered) - finite_logit(synthesised)) >= _CLEARLY
    return _larger(altered, synthesised) if clearly and max(altered, synthesised) >= 0.5 else None


def _larger(altered: float, synthesised: float) -> ManipulationKind:
    return ManipulationKind.EDITED if altered > synthesised else ManipulationKind.GENERATED
