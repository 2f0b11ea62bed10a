"""Why an exhibit counts as manipulated."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import ManipulationKind, Person, Segment
from detector.schema.translatable import N_
from detector.verdict.persons.kinds import common_kind, kind_of
from detector.verdict.reasons.words import counted, who

_TRACES = {
    ManipulationKind.EDITED: N_("face that was replaced or altered"),
    ManipulationKind.GENERATED: N_("face generated as a whole"),
}


def manipulated(image: bool, persons: Sequence[Person], segments: Sequence[Segment]) -> str:
    """A finding rests on ``segments``, all of persons who are flagged."""
    flagged = sorted({segment.person for segment in segments})
    found = N_("%(who)s: %(count)s flagged as manipulated%(kind)s%(contrast)s.")
    if image:
        found = N_("%(who)s: the face carries traces of manipulation%(kind)s%(contrast)s.")
    return found % {
        "who": who(flagged),
        "count": counted(len(segments), "segment"),
        "kind": _kind_words(persons, flagged, image),
        "contrast": _contrast_words(persons, segments),
    }


def _kind_words(persons: Sequence[Person], flagged: Sequence[str], image: bool) -> str:
    """The kind as it follows what was found."""
    told = common_kind(persons, flagged)
    if told is not None:
        return N_("; the traces are those of a %(traces)s") % {"traces": _TRACES[told]}
    looks = [person for person in persons if person.id in flagged and person.second_look]
    if not image or not looks:
        return ""
    each = [(person.id, kind_of(person.second_look)) for person in looks]
    if all(kind is None for _, kind in each):
        return N_("; whether it was swapped or edited, or generated as a whole, the traces do not tell")
    untold = N_("kind not told")
    return "; " + ", ".join(f"{name}: {kind or untold}" for name, kind in each)


def _contrast_words(persons: Sequence[Person], segments: Sequence[Segment]) -> str:
    """Said where a segment was raised because it stands out from the rest of its track."""
    looks = {person.id: person.second_look for person in persons}
    for segment in segments:
        look = looks.get(segment.person)
        if look and any(one.start <= segment.end and one.end >= segment.start for one in look.contrasts):
            return N_("; it counted that the face there differs from the rest of its track")
    return ""
