"""On whom a finding may rest: whose scores hold in other views, whose face is in colour and not covered."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Person

# Below this share of views that agree, nobody should rely on either side.
_LEAST_STABILITY = 0.7
# Above this share of faces without colour, a person's scores say what they say of footage without colour.
MOST_GREY = 0.5
_MOST_COVERED = 0.5  # likewise of faces with something before mouth or eyes


def is_unstable(person: Person) -> bool:
    """Whether too many views of the same pictures say otherwise; no where the second look was not asked."""
    look = person.second_look
    return look is not None and look.stability is not None and look.stability < _LEAST_STABILITY


def is_colourless(person: Person) -> bool:
    """Whether most faces of a video by which a person was judged are without colour, or toned in one.

    Networks score such faces higher, manipulated or not (docs/engine.md).
    """
    return person.grey is not None and person.grey > MOST_GREY


def is_covered(person: Person) -> bool:
    """Whether mouth or eyes were covered in most of the faces by which a person was judged.

    What lies there raises scores of unmanipulated faces and lowers those of manipulated ones
    (docs/models.md). Unknown, and so not said, before schema 1.21.
    """
    return person.covered is not None and person.covered > _MOST_COVERED


def bears_no_finding(person: Person) -> bool:
    """Whether what is found of a person is looked at, and not flagged."""
    return is_unstable(person) or is_colourless(person) or is_covered(person)


def stable_persons(persons: Sequence[Person]) -> list[Person]:
    """Who is not unstable."""
    return [person for person in persons if not is_unstable(person)]
