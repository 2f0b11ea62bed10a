"""How many reviewers said what of an analysis: of its verdict, of segments, of stretches of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from detector.schema.analysis import Analysis
from detector.verdict.persons.flagged import flagged_segments, unflagged_segments
from reports.review.annotations import Annotation, ExhibitAnnotation, SegmentAnnotation, SpanAnnotation
from reports.review.marked_stretches import Flagged, flagged_of
from reports.text.numbers import plural
from reports.text.translation.language import gettext, ngettext


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
