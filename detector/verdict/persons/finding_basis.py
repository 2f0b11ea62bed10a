"""What a finding may rest on: scores that hold in other views, of faces in colour and not covered."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Person, Segment, is_mostly_covered

# Below this share of views that agree, nobody should rely on either side.
_LEAST_STABILITY = 0.7
# Above this share of faces without colour, a person's scores say what they say of footage without colour.
MOST_GREY = 0.5


def is_unstable(person: Person) -> bool:
    """Whether too many views of the same pictures say otherwise; no where the second look was not asked."""
    look = person.second_look
    return look is not None and look.stability is not None and look.stability < _LEAST_STABILITY


def is_colourless(person: Person) -> bool:
    """Whether most faces of a video by which a person was judged are without colour, or toned in one.

    Networks score such faces higher, manipulated or not (docs/faces.md).
    """
    return person.grey is not None and person.grey > MOST_GREY


def is_covered(one: Person | Segment) -> bool:
    """Whether mouth or eyes were covered in most of the faces by which a person, or a segment, was judged.

    What lies there raises scores of unmanipulated faces and lowers those of manipulated ones
    (docs/models.md). Unknown, and so not said, before schema 1.21.
    """
    return is_mostly_covered(one.covered)


def bears_no_finding(person: Person) -> bool:
    """Whether whatever is found of a person is looked at, and not flagged."""
    return is_unstable(person) or is_colourless(person)


def weighed_faces(faces: Sequence[Person]) -> list[Person]:
    """Those of a photograph that are asked for a finding: views agree on them, and they are not covered."""
    return [face for face in faces if not is_unstable(face) and not is_covered(face)]
