"""Out of whose figures those of the exhibit are made, so that they say the same as its verdict."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import MediaKind, Parameters, Person, Segment, Verdict
from detector.verdict.examined.judged_share import is_judged_enough
from detector.verdict.persons.finding_basis import weighed_faces
from detector.verdict.persons.flagged import flagged_persons


def who_counts(
    kind: MediaKind,
    parameters: Parameters,
    verdict: Verdict,
    persons: Sequence[Person],
    segments: Sequence[Segment],
) -> list[Person]:
    """The persons who count in probability and answers of an exhibit.

    Of a video beside a finding those on whom it rests; else who could be judged in enough frames or has a
    segment, which other views do not confirm, and all only where there is nobody else: who is seen too
    briefly raises no doubt either. Of a photo all faces, beside a finding all that were asked for one.
    """
    finding = verdict is Verdict.MANIPULATED
    if kind is MediaKind.IMAGE:
        return weighed_faces(persons) if finding else list(persons)
    if finding:
        flagged = flagged_persons(persons, segments)
        return [person for person in persons if person.id in flagged]
    found = {segment.person for segment in segments}
    known = [person for person in persons if is_judged_enough(parameters, person) or person.id in found]
    return known or list(persons)
