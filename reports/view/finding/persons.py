"""The person table: one row for each person of an analysis."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis, Person
from detector.verdict.persons.flagged import flagged_segments
from detector.verdict.persons.kinds import kind_of
from reports.text import numbers
from reports.text.certainty import verbal_scale
from reports.text.numbers import timecode
from reports.text.translation.language import gettext
from reports.text.verdict_sentence import second_look


@dataclass(frozen=True)
class PersonView:
    """One row of the person table.

    ``altered`` and ``synthesised`` are a photo's two figures, where the two questions were ``answered``.
    ``segments`` are those flagged.
    """

    name: str
    screen_time: str
    usable_frames: str
    figure: str
    strength: str
    position: str
    segments: tuple[str, ...]
    second_look: str
    answered: bool
    altered: str
    synthesised: str
    kind: str


def person_view(analysis: Analysis, person: Person) -> PersonView:
    """Put one person of ``analysis`` into words."""
    still = analysis.media.still
    own = [segment for segment in analysis.segments if segment.person == person.id]
    segments = tuple(segment.id for segment in flagged_segments((person,), own))
    flagged = bool(segments)
    if person.probability is None:
        strength = gettext("not judged")
    else:
        strength = (
            verbal_scale.strength(analysis, person.probability).phrase if flagged else gettext("not flagged")
        )
    return PersonView(
        name=gettext("Person %(id)s", id=person.id),
        screen_time=timecode(person.screen_time),
        usable_frames=numbers.grouped(person.usable_frames),
        figure=numbers.probability(person.probability),
        strength=strength,
        position=numbers.box(person.median_box),
        segments=segments,
        second_look="" if still else second_look(person),
        answered=person.second_look is not None,
        altered=_answer(person, "altered"),
        synthesised=_answer(person, "synthesised"),
        kind=str(kind_of(person.second_look) or "") if flagged else "",
    )


def _answer(person: Person, question: str) -> str:
    """The figure for one of the second look's two questions; blank without a second look."""
    return numbers.probability(getattr(person.second_look, question) if person.second_look else None)
