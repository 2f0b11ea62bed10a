"""The section on reviewers' annotations, with counts of their opinions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, assert_never

from detector import timestamps
from detector.schema.analysis import Analysis
from detector.verdict.finding import finding_of
from language import formatting
from language.formatting import plural, time_span
from language.names import direction, one_line, readable
from language.translation import N_, UNTRANSLATED, gettext, ngettext
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
    """Count the opinions, one sentence per subject; ``unverified`` annotations are not among ``opinions``."""
    lines = [_of_reviewers(opinions)]
    if exhibit := [opinion.verdict for opinion in opinions if isinstance(opinion, ExhibitAnnotation)]:
        verdict = gettext(analysis.verdict.value)
        lines.append(
            gettext("The verdict “%(verdict)s”: %(counts)s.", verdict=verdict, counts=_counts(exhibit))
        )
    if segments := [opinion for opinion in opinions if isinstance(opinion, SegmentAnnotation)]:
        lines += _of_segments(analysis, segments)
    lines += _of_stretches(analysis, [opinion for opinion in opinions if isinstance(opinion, SpanAnnotation)])
    if unverified:
        words = plural(unverified, "annotation", "annotations")
        lines.append(
            gettext("Not counted: %(words)s imported under the names of unverified authors.", words=words)
        )
    return tuple(lines)


def _of_stretches(analysis: Analysis, spans: Sequence[SpanAnnotation]) -> Iterator[str]:
    """Count intervals marked as manipulated by how much of them the machine flagged."""
    flagged = finding_of(analysis).flagged
    counted = Counter(flagged_of(span, flagged) for span in spans if span.verdict == "manipulated")
    if missed := counted[Flagged.NOTHING]:
        yield gettext(
            "Marked as manipulated but not flagged by the machine: %(stretches)s.",
            stretches=plural(missed, "stretch", "stretches"),
        )
    if also := counted[Flagged.PART] + counted[Flagged.ALL]:
        yield gettext(
            "Marked as manipulated and, at least in part, also flagged by the machine: %(stretches)s.",
            stretches=plural(also, "stretch", "stretches"),
        )


def _of_reviewers(opinions: Sequence[Annotation]) -> str:
    if not opinions:
        return gettext("No reviewer has annotated this analysis.")
    reviewers = plural(len({opinion.author for opinion in opinions}), "reviewer", "reviewers")
    return gettext("%(reviewers)s annotated this analysis.", reviewers=reviewers)


def _of_segments(analysis: Analysis, annotated: Sequence[SegmentAnnotation]) -> list[str]:
    """Count opinions on flagged segments, and separately on segments that are not flagged."""
    still = analysis.media.still
    unflagged = finding_of(analysis).unflagged_ids
    lines = []
    if of_flagged := [segment for segment in annotated if segment.segment not in unflagged]:
        count = len(analysis.segments) - len(unflagged)
        names = ("flagged face", "flagged faces") if still else ("segment", "segments")
        lines.append(
            gettext(
                "Of %(segments)s, %(annotated)s annotated: %(counts)s.",
                segments=plural(count, *names),
                annotated=len({segment.segment for segment in of_flagged}),
                counts=_counts(segment.verdict for segment in of_flagged),
            )
        )
    if of_others := [segment for segment in annotated if segment.segment in unflagged]:
        names = ("face", "faces") if still else ("segment", "segments")
        lines.append(
            gettext(
                "Looked at, not flagged: of %(segments)s, %(annotated)s annotated: %(counts)s.",
                segments=plural(len(unflagged), *names),
                annotated=len({segment.segment for segment in of_others}),
                counts=_counts((segment.verdict for segment in of_others), flagged=False),
            )
        )
    return lines


def _counts(verdicts: Iterable[str], *, flagged: bool = True) -> str:
    """Count the opinions, on the machine's findings or on segments that are not ``flagged``."""
    counter = Counter(verdicts)
    agree, disagree, unsure = counter["agree"], counter["disagree"], counter["unsure"]
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
    Flagged.PART: N_("Manipulated; the machine flagged part of it"),
    Flagged.ALL: N_("Manipulated; the machine flagged it too"),
}


@dataclass(frozen=True)
class AnnotationView:
    """One annotation.

    ``mark`` is ``agree``, ``disagree``, ``unsure`` or ``none``; ``direction`` is that of the note; ``fate``
    tells why it is no longer current; ``imported_by`` is empty if the author is verified.
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
    """All annotations of an analysis: current ones, resulting persons, and earlier ones.

    ``unverified`` are current annotations imported under other people's names. ``until`` is the time of the
    newest, ``sha256`` that of their canonical text; both are empty without annotations.
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
    """Describe the annotations of an analysis."""
    ordered = sorted(annotations, key=sort_key)
    current_ones = [annotation for annotation in current(ordered) if verified(annotation)]
    opinions = [annotation for annotation in current_ones if isinstance(annotation, WithVerdict)]
    acts = [
        annotation
        for annotation in current_ones
        if isinstance(annotation, PersonRename | PersonMerge | PersonSplit)
    ]
    starts = {segment.id: segment.start for segment in analysis.segments}

    def place(annotation: Annotation) -> tuple[bool, float]:
        """The exhibit first, then in order of the video; the order of time for each thing is kept."""
        start = (
            starts.get(annotation.segment, 0.0)
            if isinstance(annotation, SegmentAnnotation)
            else getattr(annotation, "start", 0.0)
        )
        return not isinstance(annotation, ExhibitAnnotation), start

    fates = _fates(ordered)
    unverified = _unverified(analysis, ordered)
    return ReviewerView(
        summary=counts_in_words(analysis, opinions, len(unverified)),
        annotations=tuple(_in_words(analysis, annotation) for annotation in sorted(opinions, key=place)),
        persons=tuple(_in_words(analysis, annotation) for annotation in acts),
        unverified=unverified,
        history=tuple(
            _in_words(analysis, annotation, fates[annotation.id])
            for annotation in ordered
            if annotation.id in fates
        ),
        until=formatting.moment(ordered[-1].made) if ordered else "",
        until_iso=timestamps.iso_seconds(ordered[-1].made) if ordered else "",
        sha256=checksum([to_json(annotation) for annotation in ordered]) if ordered else "",
    )


def _in_words(analysis: Analysis, annotation: Annotation, fate: str = "") -> AnnotationView:
    content = _content(analysis, annotation)
    note = readable(getattr(annotation, "note", ""))
    return AnnotationView(
        about=content.about,
        when=content.when,
        verdict=content.verdict,
        mark=content.mark,
        note=note,
        direction=direction(note),
        author=one_line(annotation.author),
        made=formatting.moment(annotation.made),
        imported_by=one_line(annotation.imported_by or ""),
        fate=fate,
    )


def _unverified(analysis: Analysis, annotations: Sequence[Annotation]) -> tuple[AnnotationView, ...]:
    """Return current annotations imported for others, and imported withdrawals without effect."""
    current_ids = {annotation.id for annotation in current(annotations)}
    effective = {annotation.id for annotation in withdrawals(annotations).values()}
    by_id = {annotation.id: annotation for annotation in annotations}
    views = []
    for annotation in annotations:
        if verified(annotation):
            continue
        if annotation.id in current_ids:
            views.append(_in_words(analysis, annotation))
        elif isinstance(annotation, Withdrawal) and annotation.id not in effective:
            view = _in_words(analysis, annotation)
            if (other := by_id.get(annotation.about)) is not None:
                view = replace(view, about=_about_and_author(analysis, other))
            views.append(
                replace(
                    view, verdict=gettext("Withdrawal without effect, because its author is not verified")
                )
            )
    return tuple(views)


class _Content(NamedTuple):
    """Subject, text and mark of an annotation; ``when`` is its place in time, if any."""

    about: str
    verdict: str
    mark: str = "none"
    when: str = ""


def _of_span(analysis: Analysis, span: SpanAnnotation) -> _Content:
    person = gettext(", person %(person)s", person=span.person) if span.person else ""
    about, when = gettext("Marked stretch%(who)s", who=person), time_span(span.start, span.end)
    if span.verdict != "manipulated":
        return _Content(about, gettext("Unsure"), "unsure", when)
    how_much = flagged_of(span, finding_of(analysis).flagged)
    mark = "agree" if how_much is Flagged.ALL else "disagree"
    return _Content(about, gettext(_MARKED[how_much]), mark, when)


def _content(analysis: Analysis, annotation: Annotation) -> _Content:
    match annotation:
        case SegmentAnnotation():
            return _about_segment(analysis, annotation)
        case ExhibitAnnotation():
            return _Content(gettext("The whole exhibit"), _OPINION[annotation.verdict], annotation.verdict)
        case SpanAnnotation():
            return _of_span(analysis, annotation)
        case PersonRename():
            return _Content(
                gettext("Person %(person)s", person=annotation.person),
                gettext("Named “%(one_line)s”", one_line=one_line(annotation.name)),
            )
        case PersonMerge():
            return _Content(
                gettext("Persons %(person)s and %(into)s", person=annotation.person, into=annotation.into),
                gettext("Are the same face, counted as %(into)s", into=annotation.into),
            )
        case PersonSplit():
            tracks = plural(len(annotation.tracks), "track", "tracks")
            return _Content(
                gettext("Person %(person)s", person=annotation.person),
                gettext("Is more than one person: %(tracks)s of another face split off", tracks=tracks),
            )
        case Withdrawal():
            return _Content(gettext("An earlier annotation"), gettext("Withdrawn"))
        case _:
            assert_never(annotation)


def _about_and_author(analysis: Analysis, annotation: Annotation) -> str:
    return gettext(
        "%(about)s, by %(author)s",
        about=_content(analysis, annotation).about,
        author=one_line(annotation.author),
    )


def _about_segment(analysis: Analysis, annotation: SegmentAnnotation) -> _Content:
    still = analysis.media.still
    segment = next((candidate for candidate in analysis.segments if candidate.id == annotation.segment), None)
    flagged = annotation.segment not in finding_of(analysis).unflagged_ids
    about, when = segment_name(annotation.segment, still=still, flagged=flagged), ""
    if segment is not None:
        about = gettext("%(name)s, person %(person)s", name=about, person=segment.person)
        when = "" if still else time_span(segment.start, segment.end)
    words = _OPINION if flagged else _OF_UNFLAGGED
    return _Content(about, words[annotation.verdict], annotation.verdict, when)


def _fates(annotations: Sequence[Annotation]) -> dict[str, str]:
    """Map ids to the reason why annotations are no longer current."""
    withdrawn = withdrawals(annotations)
    fates = {}
    newer: dict[tuple[str, ...], Annotation] = {}
    for annotation in reversed(annotations):
        if (withdrawal := withdrawn.get(annotation.id)) is not None:
            fates[annotation.id] = gettext("Withdrawn %(made)s", made=formatting.moment(withdrawal.made))
        elif not isinstance(annotation, Withdrawal):
            if (next_one := newer.get(subject(annotation))) is not None:
                author = (
                    ""
                    if next_one.author == annotation.author
                    else gettext(" by %(one_line)s", one_line=one_line(next_one.author))
                )
                fates[annotation.id] = gettext(
                    "Replaced%(who)s %(made)s", who=author, made=formatting.moment(next_one.made)
                )
            newer[subject(annotation)] = annotation
    return fates
