"""Annotations of reviewers: opinions on segments and exhibit, marked intervals, persons renamed or merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated, Literal, assert_never

from pydantic import AwareDatetime, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from detector.schema.analysis import Analysis, Segment, Value
from detector.schema.formatting import N_, person_letters

_LONGEST_NAME = 60  # of a field that nobody knows: whoever sent it chose it
# By pydantic's kind of error
_SENTENCES = {
    "missing": N_("%(what)s is missing."),
    "string_too_short": N_("%(what)s is missing."),
    "too_short": N_("%(what)s is missing."),
    "string_too_long": N_("%(what)s is longer than %(most)s characters."),
    "literal_error": N_("%(what)s must be one of %(expected)s."),
}


def problem_sentence(error: ValidationError, names: Mapping[str, str], own: Mapping[str, str]) -> str:
    """State the first validation error as a sentence.

    ``names`` has the names of fields, and of the value itself under "". ``own`` are sentences for this value
    alone, by pydantic's error type, with the placeholders ``what``, ``most`` and ``expected``.
    """
    first = error.errors()[0]
    limits = first.get("ctx", {})
    if first["type"] == "value_error":  # of a validator of ours, which says it in a sentence
        return str(limits["error"])
    field = next((str(part) for part in reversed(first["loc"]) if isinstance(part, str)), "")
    name = names.get(field) or (
        f"“{field}”" if len(field) <= _LONGEST_NAME else f"“{field[:_LONGEST_NAME]}…”"
    )
    sentence = own.get(first["type"]) or _SENTENCES.get(first["type"])
    if sentence is None:
        return f"{name} cannot be used: {first['msg'][:1].lower()}{first['msg'][1:]}."
    most = limits.get("max_length", 0)
    return sentence % {"what": name, "most": f"{most:,}", "expected": limits.get("expected", "")}


CLOCK_SKEW = timedelta(minutes=5)  # by which the clock of the machine that annotations come from may differ
LONGEST_NOTE = 4000
LONGEST_NAME = 80

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Letters = Annotated[str, Field(pattern=r"^[A-Z]{1,4}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_NOTE)]
Opinion = Literal["agree", "disagree", "unsure"]
# Strict: a JSON true or "1" is no number, as the schema says.
Seconds = Annotated[float, Field(ge=0, strict=True)]
TrackNumber = Annotated[int, Field(ge=0, strict=True)]


class _Authored(Value):
    """Author and time (UTC) of an annotation; ``imported_by`` is set if the author is not verified."""

    id: Id
    author: Name
    made: AwareDatetime
    imported_by: Name | None = None


class SegmentAnnotation(_Authored):
    """Opinion on whether a segment, of a face or of the voice, flagged or not, shows manipulation."""

    kind: Literal["segment"]
    segment: Annotated[str, Field(pattern=r"^([A-Z]{1,4}|voice-)[0-9]{1,6}$")]
    verdict: Opinion
    note: Note = ""


class ExhibitAnnotation(_Authored):
    """Opinion on the verdict for the whole exhibit."""

    kind: Literal["exhibit"]
    verdict: Opinion
    note: Note = ""


class SpanAnnotation(_Authored):
    """An interval that a person marked, usually one that the machine missed; seconds from the first frame."""

    kind: Literal["span"]
    person: Letters | None = None
    start: Seconds
    end: Seconds
    verdict: Literal["manipulated", "unsure"]
    note: Note = ""

    @model_validator(mode="after")
    def _in_order(self) -> SpanAnnotation:
        if self.end < self.start:
            raise ValueError(N_("A span ends before it starts."))
        return self


class PersonRename(_Authored):
    """A name for one of the machine's persons."""

    kind: Literal["rename"]
    person: Letters
    name: Name


class PersonMerge(_Authored):
    """Two of the machine's persons are the same face."""

    kind: Literal["merge"]
    person: Letters
    into: Letters

    @model_validator(mode="after")
    def _two(self) -> PersonMerge:
        if self.person == self.into:
            raise ValueError(N_("A person cannot be merged with itself."))
        return self


class PersonSplit(_Authored):
    """Some tracks of a person are another face."""

    kind: Literal["split"]
    person: Letters
    tracks: Annotated[tuple[TrackNumber, ...], Field(min_length=1, max_length=10_000)]


class Withdrawal(_Authored):
    """Withdrawal of an annotation by its author."""

    kind: Literal["withdrawal"]
    about: Id


Annotation = Annotated[
    SegmentAnnotation
    | ExhibitAnnotation
    | SpanAnnotation
    | PersonRename
    | PersonMerge
    | PersonSplit
    | Withdrawal,
    Field(discriminator="kind"),
]
ANNOTATION: TypeAdapter[Annotation] = TypeAdapter(Annotation)
WithVerdict = SegmentAnnotation | ExhibitAnnotation | SpanAnnotation
"""Annotations that judge; the others name, merge or split persons, or withdraw an annotation."""


def sort_key(annotation: Annotation) -> tuple[datetime, str]:
    """Sort annotations by time, then by id."""
    return annotation.made, annotation.id


def verified(annotation: Annotation) -> bool:
    """Return whether the author recorded it, rather than somebody who imported it."""
    return annotation.imported_by is None


def may_withdraw(withdrawal: Withdrawal, other: Annotation) -> bool:
    """Return whether a withdrawal may withdraw ``other``.

    Both must have the same author. An annotation imported for an author may be withdrawn by that author and
    by the importer; an imported withdrawal affects only annotations imported by the same person.
    """
    if not verified(withdrawal):
        return (withdrawal.author, withdrawal.imported_by) == (other.author, other.imported_by)
    return withdrawal.author in (other.author, other.imported_by)


def withdrawals(annotations: Iterable[Annotation]) -> dict[str, Withdrawal]:
    """Map the id of each withdrawn annotation to its first effective withdrawal."""
    ordered = sorted(annotations, key=sort_key)
    by_id = {a.id: a for a in ordered}
    withdrawn: dict[str, Withdrawal] = {}
    for a in ordered:
        if isinstance(a, Withdrawal) and a.about in by_id and may_withdraw(a, by_id[a.about]):
            withdrawn.setdefault(a.about, a)
    return withdrawn


def current(annotations: Iterable[Annotation]) -> tuple[Annotation, ...]:
    """Return current annotations by time: not withdrawn, and the newest of each author on each subject."""
    ordered = sorted(annotations, key=sort_key)
    gone = withdrawals(ordered)
    newest: dict[tuple[str, ...], Annotation] = {}
    for a in ordered:
        if a.id not in gone and not isinstance(a, Withdrawal):
            newest.pop(subject(a), None)
            newest[subject(a)] = a
    return tuple(newest.values())


def subject(annotation: Annotation) -> tuple[str, ...]:
    """Return the subject and author of an annotation, of which only the newest is current.

    A person's name is one subject for all authors, unless the author is not verified.
    """
    imported = () if annotation.imported_by is None else (annotation.author, annotation.imported_by)
    match annotation:
        case SegmentAnnotation():
            return ("segment", annotation.segment, annotation.author, *imported)
        case ExhibitAnnotation():
            return ("exhibit", annotation.author, *imported)
        case PersonRename():
            return ("rename", annotation.person, *imported)
        case PersonMerge():
            return ("merge", annotation.person, *imported)
        case SpanAnnotation() | PersonSplit() | Withdrawal():
            return (annotation.kind, annotation.id)
        case _:
            assert_never(annotation)


def _tracks(analysis: Analysis, annotations: Sequence[Annotation]) -> dict[str, set[int]]:
    """Return the tracks of each person after merges and splits, applied in order of time."""
    tracks = {person.id: set(person.tracks) for person in analysis.persons}
    # Each split has a letter of its own, withdrawn or not: a name given to one must not pass to another.
    splits = (a.id for a in annotations if isinstance(a, PersonSplit))
    letters = {split: person_letters(number) for number, split in enumerate(splits, len(analysis.persons))}
    for act in current(annotations):
        _apply(tracks, act, letters.get(act.id, ""))
    return tracks


def _apply(tracks: dict[str, set[int]], act: Annotation, letter: str) -> None:
    """Merge or split persons; ``letter`` names the face that is split off."""
    if isinstance(act, PersonSplit) and act.person in tracks:
        off = tracks[act.person] & set(act.tracks)
        if off and off != tracks[act.person]:
            tracks[act.person] -= off
            tracks[letter] = off
    elif isinstance(act, PersonMerge) and act.person in tracks and act.into in tracks:
        tracks[act.into] |= tracks.pop(act.person)


def rejection_reason(
    analysis: Analysis, annotation: Annotation, known: Iterable[Annotation] = ()
) -> str | None:
    """State why an annotation does not refer to anything in this analysis; None if it does.

    ``known`` are the annotations it may refer to.
    """
    return References(analysis, known).rejection_reason(annotation)


class References:
    """Subjects of annotations: an analysis, and the annotations so far.

    A file may hold thousands of annotations, so persons are computed again only if a merge or split was
    withdrawn or replaced.
    """

    def __init__(self, analysis: Analysis, known: Iterable[Annotation] = ()) -> None:
        self._analysis = analysis
        self._segments = {segment.id for segment in analysis.segments}
        if analysis.voice:
            self._segments |= {segment.id for segment in analysis.voice.segments}
        self._known: dict[str, Annotation] = {}
        self._acts: list[Annotation] = []  # what decides who is who
        self._splits = 0
        self._merged: set[str] = set()  # persons
        self._taken_back: set[str] = set()  # ids
        self._tracks: dict[str, set[int]] | None = None
        for annotation in sorted(known, key=sort_key):
            self.add(annotation)

    def add(self, annotation: Annotation) -> None:
        """Add an annotation that is newer than all others."""
        self._known[annotation.id] = annotation
        if not verified(annotation):
            return
        match annotation:
            case PersonSplit() | PersonMerge():
                self._do(annotation)
            case Withdrawal():
                about = self._known.get(annotation.about)
                if about is None or isinstance(about, PersonSplit | PersonMerge):
                    self._acts.append(annotation)
                    self._taken_back.add(annotation.about)
                    self._tracks = None
            case SegmentAnnotation() | ExhibitAnnotation() | SpanAnnotation() | PersonRename():
                pass  # who is who stays
            case _:
                assert_never(annotation)

    def _do(self, act: PersonSplit | PersonMerge) -> None:
        self._acts.append(act)
        if act.id in self._taken_back or isinstance(act, PersonMerge) and act.person in self._merged:
            self._tracks = None
        elif self._tracks is not None:
            _apply(self._tracks, act, person_letters(len(self._analysis.persons) + self._splits))
        if isinstance(act, PersonSplit):
            self._splits += 1
        else:
            self._merged.add(act.person)

    def _persons(self) -> dict[str, set[int]]:
        """Return the current tracks of each person."""
        if self._tracks is None:
            self._tracks = _tracks(self._analysis, self._acts)
        return self._tracks

    def rejection_reason(self, annotation: Annotation) -> str | None:
        """State why an annotation does not refer to anything in this analysis; None if it does."""
        match annotation:
            case SegmentAnnotation(segment=segment) if segment not in self._segments:
                return N_("There is no segment %(segment)s in this analysis.") % {"segment": segment}
            case SpanAnnotation() if annotation.end > self._analysis.end + 1:
                return N_("The span ends after the end of the exhibit.")
            case SpanAnnotation(person=str(person)) if person not in self._persons():
                return N_("There is no person %(person)s in this analysis.") % {"person": person}
            case PersonRename(person=person) if person not in self._persons():
                return N_("There is no person %(person)s in this analysis.") % {"person": person}
            case PersonMerge(person=person, into=into) if not {person, into} <= set(self._persons()):
                return N_("This analysis does not contain both person %(person)s and person %(into)s.") % {
                    "person": person,
                    "into": into,
                }
            case PersonSplit(person=person) if not set(annotation.tracks) < self._persons().get(
                person, set()
            ):
                return N_("Person %(person)s has no such tracks, or would have no tracks left.") % {
                    "person": person
                }
            case Withdrawal():
                about = self._known.get(annotation.about)
                if about is None:
                    return N_("The annotation to be withdrawn does not exist.")
                if not may_withdraw(annotation, about):
                    return N_("Only its own author can withdraw an annotation.")
        return None


class Flagged(Enum):
    """How much of an interval lies within flagged segments."""

    NOTHING = "nothing"
    PART = "part"
    ALL = "all"


def flagged_of(span: SpanAnnotation, flagged: Sequence[Segment]) -> Flagged:
    """Return how much of an interval lies within the ``flagged`` segments of its person, or of anyone."""
    own = [candidate for candidate in flagged if span.person in (None, candidate.person)]
    inside = [candidate for candidate in own if candidate.start <= span.end and candidate.end >= span.start]
    if not inside:
        return Flagged.NOTHING
    reached = span.start
    for segment in sorted(inside, key=lambda candidate: candidate.start):
        if segment.start > reached:
            return Flagged.PART
        reached = max(reached, segment.end)
    return Flagged.ALL if reached >= span.end else Flagged.PART
