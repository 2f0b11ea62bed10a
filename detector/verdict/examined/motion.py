"""Whether what is judged of a video moves at all: a still made into one is no footage to the networks."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Analysis, Parameters, Person
from detector.verdict.examined.judged_share import is_judged_enough


def motionless_persons(parameters: Parameters, persons: Sequence[Person]) -> list[str]:
    """Names of those judged in enough frames of a video whose face is one picture that does not move."""
    return [each.id for each in persons if each.motionless and is_judged_enough(parameters, each)]


def nobody_moves(parameters: Parameters, persons: Sequence[Person]) -> bool:
    """Whether that is so of everybody who was judged in enough frames."""
    judged = sum(is_judged_enough(parameters, each) for each in persons)
    return judged > 0 and len(motionless_persons(parameters, persons)) == judged


def nobody_moves_in(analysis: Analysis) -> bool:
    """The same of a finished analysis; unknown, and so not said, of those before schema 1.20."""
    return nobody_moves(analysis.parameters, analysis.persons)
