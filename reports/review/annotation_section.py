"""The section on reviewers' annotations, with counts of their opinions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, assert_never

from detector import timestamps
from detector.schema.analysis import Analysis
from detector.verdict.judged_persons import flagged_segments, unflagged_segments
from reports.language import formatting
from reports.language.formatting import plural, time_span
from reports.language.names import direction, one_line, readable
from reports.language.translation import N_, UNTRANSLATED, gettext, ngettext
from reports.review.annotation_file import checksum, to_json
from reports.review.annotations import (
    Annotation,
    ExhibitAnnotation,
    Flagged,
    PersonMerge,
    PersonRename,
    PersonSplit,
    SegmentAnnotation,
    SpanAnnotation,
    Withdrawal,
    WithVerdict,
    current,
    flagged_of,
    sort_key,
    subject,
    verified,
    withdrawals,
)
from reports.wording.verdict_sentence import segment_name


def counts_in_words(analysis: Analysis, opinions: Sequence[Annotation], unverified: int) -> tuple[str, ...]:
    """A sentence for each; ``unverified`` annotations are not among ``opinions``."""
    lines = [_of_reviewers(opinions)]
    if exhibit := [each.verdict for each in opinions if isinstance(each, ExhibitAnnotation)]:
        verdict = gettext(analysis.verdict.value)
        lines.append(
            gettext("The verdict “%(verdict)s”: %(counts)s.", verdict=verdict, counts=_counts(exhibit))
        )
    if segments := [each for each in opinions if isinstance(each, SegmentAnnotation)]:
        lines += _of_segments(analysis, segments)
    lines += _of_stretches(analysis, [each for each in opinions if isinstance(each, SpanAnnotation)])
    if unverified:
        words = plural(unverified, "annotation", "annotations")
        lines.append(
            gettext("Not counted: %(words)s imported for authors who are not verified.", words=words)
        )
    return tuple(lines)


def _of_stretches(analysis: Analysis, spans: Sequence[SpanAnnotation]) -> Iterator[str]:
    """How many stretches were marked as manipulated, by how much of them the machine flagged."""
    flagged = flagged_segments(analysis.persons, analysis.segments)
    counted = Counter(flagged_of(each, flagged) for each in spans if each.verdict == "manipulated")
    if missed := counted[Flagged.NOTHING]:
        yield gettext(
            "Marked as manipulated and not flagged by the machine: %(stretches)s.",
            stretches=plural(missed, "stretch", "stretches"),
        )
    if also := counted[Flagged.PART] + counted[Flagged.ALL]:
        yield gettext(
            "Marked as manipulated and flagged by the machine as well, at least in part: %(stretches)s.",
            stretches=plural(also, "stretch", "stretches"),
        )


def _of_reviewers(opinions: Sequence[Annotation]) -> str:
    if not opinions:
        return gettext("No reviewer has annotated this analysis.")
    reviewers = plural(len({each.author for each in opinions}), "reviewer", "reviewers")
    return gettext("%(reviewers)s annotated this analysis.", reviewers=reviewers)


def _of_segments(analysis: Analysis, annotated: Sequence[SegmentAnnotation]) -> list[str]:
    """What was said of flagged segments, and apart from that of those looked at and not flagged."""
    still = analysis.media.still
    unflagged = {each.id for each in unflagged_segments(analysis.persons, analysis.segments)}
    lines = []
    if of_flagged := [each for each in annotated if each.segment not in unflagged]:
        count = len(analysis.segments) - len(unflagged)
        names = ("flagged face", "flagged faces") if still else ("segment", "segments")
        lines.append(
            gettext(
                "Of %(segments)s, %(annotated)s annotated: %(counts)s.",
                segments=plural(count, *names),
                annotated=len({each.segment for each in of_flagged}),
                counts=_counts(each.verdict for each in of_flagged),
            )
        )
    if of_others := [each for each in annotated if each.segment in unflagged]:
        names = ("face", "faces") if still else ("segment", "segments")
        lines.append(
            gettext(
                "Looked at, not flagged: of %(segments)s, %(annotated)s annotated: %(counts)s.",
                segments=plural(len(unflagged), *names),
                annotated=len({each.segment for each in of_others}),
                counts=_counts((each.verdict for each in of_others), flagged=False),
            )
        )
    return lines


def _counts(verdicts: Iterable[str], *, flagged: bool = True) -> str:
    """How many said what, of the machine's findings or of what was not ``flagged``."""
    given = Counter(verdicts)
    agree, disagree, unsure = given["agree"], given["disagree"], given["unsure"]
    if flagged:
        for_it = ngettext("%(num)s agrees", "%(num)s agree", agree)
        against = ngettext("%(num)s disagrees", "%(num)s disagree", disagree)
    else:
        for_it = ngettext("%(num)s sees manipulation", "%(num)s see manipulation", agree)
        against = ngettext("%(num)s sees no manipulation", "%(num)s see no manipulation", disagree)
    words = (
        for_it if agree else "",
        against if disagree else "",
        ngettext("%(num)s is unsure", "%(num)s are unsure", unsure) if unsure else "",
    )
    return ", ".join(filter(None, words))


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
        until=formatting.moment(said[-1].made) if said else "",
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
        made=formatting.moment(said.made),
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
            return _about_segment(analysis, said)
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


def _about_segment(analysis: Analysis, said: SegmentAnnotation) -> _Content:
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
            fates[each.id] = gettext("Withdrawn %(made)s", made=formatting.moment(back.made))
        elif not isinstance(each, Withdrawal):
            if (next_one := newer.get(subject(each))) is not None:
                who = (
                    ""
                    if next_one.author == each.author
                    else gettext(" by %(one_line)s", one_line=one_line(next_one.author))
                )
                fates[each.id] = gettext(
                    "Replaced%(who)s %(made)s", who=who, made=formatting.moment(next_one.made)
                )
            newer[subject(each)] = each
    return fates
