"""What reviewers say of an analysis, in words: for the report, apart from what the machine found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, assert_never

from detector import timestamps
from detector.schema.analysis import Analysis
from detector.verdict.persons.flagged import flagged_segments, unflagged_segments
from reports.review.annotation_file import checksum, to_json
from reports.review.annotations import (
    Annotation,
    ExhibitAnnotation,
    PersonMerge,
    PersonRename,
    PersonSplit,
    SegmentAnnotation,
    SpanAnnotation,
    Withdrawal,
    WithVerdict,
    current,
    sort_key,
    subject,
    verified,
    withdrawals,
)
from reports.review.marked_stretches import Flagged, flagged_of
from reports.text import dates
from reports.text.free_text import direction, one_line, readable
from reports.text.numbers import plural, time_span
from reports.text.translation.language import N_, UNTRANSLATED, gettext
from reports.text.verdict_sentence import segment_name
from reports.view.review.counts import counts_in_words

_OPINION = {
    "agree": N_("Agrees with the machine"),
    "disagree": N_("Disagrees with the machine"),
    "unsure": N_("Unsure"),
}
# Of a segment that was looked at and not flagged there is nothing of the machine's to agree with.
_OF_UNFLAGGED = {
    "agree": N_("Shows manipulation; the machine did not flag it"),
    "disagree": N_("Shows no manipulation"),
    "unsure": N_("Unsure"),
}
_MARKED = {
    Flagged.NOTHING: N_("Manipulated; the machine did not flag it"),
    Flagged.PART: N_("Manipulated; the machine flagged a part of it"),
    Flagged.ALL: N_("Manipulated; the machine flagged it as well"),
}


@dataclass(frozen=True)
class AnnotationView:
    """One annotation in words.

    ``mark`` is ``agree``, ``disagree``, ``unsure`` or ``none``; ``direction`` is that of the note;
    ``fate`` says what became of one that no longer stands; ``imported_by`` is empty where the author
    is verified.
    """

    about: str
    when: str
    verdict: str
    mark: str = field(metadata=UNTRANSLATED)
    note: str = field(metadata=UNTRANSLATED)
    direction: str = field(metadata=UNTRANSLATED)
    author: str = field(metadata=UNTRANSLATED)
    made: str
    imported_by: str = field(metadata=UNTRANSLATED)
    fate: str = ""


@dataclass(frozen=True)
class ReviewerView:
    """All annotations of an analysis: what stands of them, who is who after them, and what stood before.

    ``unverified`` is what stands of those imported for authors who did not hand them in themselves.
    ``until`` is when the newest was made, ``sha256`` that of their canonical text; both are empty
    where there are none.
    """

    summary: tuple[str, ...]
    annotations: tuple[AnnotationView, ...]
    persons: tuple[AnnotationView, ...]
    unverified: tuple[AnnotationView, ...]
    history: tuple[AnnotationView, ...]
    until: str
    until_iso: str
    sha256: str


def reviewer_view(analysis: Analysis, annotations: Iterable[Annotation]) -> ReviewerView:
    """Put annotations of an analysis into words."""
    said = sorted(annotations, key=sort_key)
    stands = [each for each in current(said) if verified(each)]
    opinions = [each for each in stands if isinstance(each, WithVerdict)]
    acts = [each for each in stands if isinstance(each, PersonRename | PersonMerge | PersonSplit)]
    starts = {segment.id: segment.start for segment in analysis.segments}

    def place(each: Annotation) -> tuple[bool, float]:
        """The exhibit first, then in order of the video; the order of time for each thing is kept."""
        start = (
            starts.get(each.segment, 0.0)
            if isinstance(each, SegmentAnnotation)
            else getattr(each, "start", 0.0)
        )
        return not isinstance(each, ExhibitAnnotation), start

    fates = _fates(said)
    unverified = _unverified(analysis, said)
    return ReviewerView(
        summary=counts_in_words(analysis, opinions, len(unverified)),
        annotations=tuple(_in_words(analysis, each) for each in sorted(opinions, key=place)),
        persons=tuple(_in_words(analysis, each) for each in acts),
        unverified=unverified,
        history=tuple(_in_words(analysis, each, fates[each.id]) for each in said if each.id in fates),
        until=dates.moment(said[-1].made) if said else "",
        until_iso=timestamps.iso_seconds(said[-1].made) if said else "",
        sha256=checksum([to_json(each) for each in said]) if said else "",
    )


def _in_words(analysis: Analysis, said: Annotation, fate: str = "") -> AnnotationView:
    content = _content(analysis, said)
    note = readable(getattr(said, "note", ""))
    return AnnotationView(
        about=content.about,
        when=content.when,
        verdict=content.verdict,
        mark=content.mark,
        note=note,
        direction=direction(note),
        author=one_line(said.author),
        made=dates.moment(said.made),
        imported_by=one_line(said.imported_by or ""),
        fate=fate,
    )


def _unverified(analysis: Analysis, said: Sequence[Annotation]) -> tuple[AnnotationView, ...]:
    """What was imported for others and stands, and what of it was to withdraw something and did not."""
    stands = {each.id for each in current(said)}
    effective = {each.id for each in withdrawals(said).values()}
    by_id = {each.id: each for each in said}
    found = []
    for each in said:
        if verified(each):
            continue
        if each.id in stands:
            found.append(_in_words(analysis, each))
        elif isinstance(each, Withdrawal) and each.id not in effective:
            view = _in_words(analysis, each)
            if (other := by_id.get(each.about)) is not None:
                view = replace(view, about=_about_and_author(analysis, other))
            found.append(
                replace(view, verdict=gettext("To be withdrawn; without effect, since not verified"))
            )
    return tuple(found)


class _Content(NamedTuple):
    """What an annotation is about, what it says, and its mark; ``when`` is its place in time, if any."""

    about: str
    verdict: str
    mark: str = "none"
    when: str = ""


def _of_span(analysis: Analysis, said: SpanAnnotation) -> _Content:
    who = gettext(", person %(person)s", person=said.person) if said.person else ""
    about, when = gettext("Marked stretch%(who)s", who=who), time_span(said.start, said.end)
    if said.verdict != "manipulated":
        return _Content(about, gettext("Unsure"), "unsure", when)
    how_much = flagged_of(said, flagged_segments(analysis.persons, analysis.segments))
    mark = "agree" if how_much is Flagged.ALL else "disagree"
    return _Content(about, gettext(_MARKED[how_much]), mark, when)


def _content(analysis: Analysis, said: Annotation) -> _Content:
    match said:
        case SegmentAnnotation():
            return _of_segment(analysis, said)
        case ExhibitAnnotation():
            return _Content(gettext("The whole exhibit"), _OPINION[said.verdict], said.verdict)
        case SpanAnnotation():
            return _of_span(analysis, said)
        case PersonRename():
            return _Content(
                gettext("Person %(person)s", person=said.person),
                gettext("Is called “%(one_line)s”", one_line=one_line(said.name)),
            )
        case PersonMerge():
            return _Content(
                gettext("Persons %(person)s and %(into)s", person=said.person, into=said.into),
                gettext("Are the same face, counted as %(into)s", into=said.into),
            )
        case PersonSplit():
            tracks = plural(len(said.tracks), "track", "tracks")
            return _Content(
                gettext("Person %(person)s", person=said.person),
                gettext("Is more than one: %(tracks)s of another face split off", tracks=tracks),
            )
        case Withdrawal():
            return _Content(gettext("An earlier annotation"), gettext("Withdrawn"))
        case _:
            assert_never(said)


def _about_and_author(analysis: Analysis, said: Annotation) -> str:
    return gettext(
        "%(about)s, by %(author)s", about=_content(analysis, said).about, author=one_line(said.author)
    )


def _of_segment(analysis: Analysis, said: SegmentAnnotation) -> _Content:
    still = analysis.media.still
    segment = next((each for each in analysis.segments if each.id == said.segment), None)
    flagged = segment not in unflagged_segments(analysis.persons, analysis.segments)
    about, when = segment_name(said.segment, still=still, flagged=flagged), ""
    if segment is not None:
        about = gettext("%(name)s, person %(person)s", name=about, person=segment.person)
        when = "" if still else time_span(segment.start, segment.end)
    words = _OPINION if flagged else _OF_UNFLAGGED
    return _Content(about, words[said.verdict], said.verdict, when)


def _fates(said: Sequence[Annotation]) -> dict[str, str]:
    """By id, why annotations do not stand any more."""
    withdrawn = withdrawals(said)
    fates = {}
    newer: dict[tuple[str, ...], Annotation] = {}
    for each in reversed(said):
        if (back := withdrawn.get(each.id)) is not None:
            fates[each.id] = gettext("Withdrawn %(made)s", made=dates.moment(back.made))
        elif not isinstance(each, Withdrawal):
            if (next_one := newer.get(subject(each))) is not None:
                who = (
                    ""
                    if next_one.author == each.author
                    else gettext(" by %(one_line)s", one_line=one_line(next_one.author))
                )
                fates[each.id] = gettext(
                    "Replaced%(who)s %(made)s", who=who, made=dates.moment(next_one.made)
                )
            newer[subject(each)] = each
    return fates
