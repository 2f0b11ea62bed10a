"""The verdict as a sentence, the figure it rests on, and the marks of verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from detector.schema.analysis import Analysis, ManipulationKind, Person, SecondLook, Segment, Verdict
from detector.verdict.judged_persons import (
    figured_segment,
    flagged_segments,
    is_judged_enough,
    persons_averaged,
)
from reports.language.formatting import plural, probability, shown, time_span, timecode
from reports.language.translation import N_, gettext

MARKS = {
    "manipulated": "manipulated",
    "no manipulation found": "not-found",
    "inconclusive": "inconclusive",
}


MOST_NAMED = 6  # more persons than this are counted in the finding, not listed


_KINDS = {
    ManipulationKind.EDITED: N_("a face swap or edit"),
    ManipulationKind.GENERATED: N_("a generated face"),
}


def segment_name(segment: str, *, still: bool, flagged: bool) -> str:
    """What a segment with this id is called: of a photograph (``still``) it is a face.

    It is not ``flagged`` where no finding rests on it.
    """
    if not flagged:
        return gettext("Looked at, not flagged: %(id)s", id=segment)
    return gettext("Flagged face %(id)s", id=segment) if still else gettext("Segment %(id)s", id=segment)


def verdict_sentence(analysis: Analysis) -> str:
    """The verdict as a sentence."""
    still = analysis.media.still
    match analysis.verdict:
        case Verdict.NOT_FOUND:
            if still:
                return gettext(
                    "No manipulation was found in the faces that were examined in this photograph."
                )
            return gettext("No manipulation was found in the faces that were examined in this video.")
        case Verdict.INCONCLUSIVE:
            if still:
                return gettext("It cannot be said from this photograph whether faces in it were manipulated.")
            return gettext("It cannot be said from this video whether faces in it were manipulated.")
        case Verdict.MANIPULATED:
            return _manipulated(analysis)
        case _:
            assert_never(analysis.verdict)


def _manipulated(analysis: Analysis) -> str:
    still = analysis.media.still
    segments = flagged_segments(analysis.persons, analysis.segments)
    persons = sorted({segment.person for segment in segments}, key=lambda name: (len(name), name))
    if not persons:
        if still:
            return gettext("Faces in this photograph were judged to be manipulated.")
        return gettext("Faces in this video were judged to be manipulated.")
    if len(persons) > MOST_NAMED:
        who = gettext("The faces of %(persons)s persons were", persons=len(persons))
    else:
        who = (
            gettext("The faces of %(person_list)s were", person_list=person_list(persons))
            if persons[1:]
            else gettext("The face of %(person_list)s was", person_list=person_list(persons))
        )
    if still:
        what = f": {gettext(_KINDS[analysis.kind])}" if analysis.kind else ""
        return gettext("%(who)s judged to be manipulated in this photograph%(what)s.", who=who, what=what)
    flagged, whole = timecode(_covered(segments)), timecode(analysis.media.duration)
    return gettext(
        "%(who)s judged to be manipulated in %(segments)s of this video, %(flagged)s of its %(whole)s.",
        who=who,
        segments=plural(len(segments), "segment", "segments"),
        flagged=flagged,
        whole=whole,
    )


def _covered(segments: Sequence[Segment]) -> float:
    """Seconds during which at least one person is flagged; overlaps count once."""
    total, reached = 0.0, 0.0
    for segment in sorted(segments, key=lambda each: each.start):
        total += max(0.0, segment.end - max(segment.start, reached))
        reached = max(reached, segment.end)
    return total


def person_list(names: Sequence[str]) -> str:
    """Persons by their letters: ``person A``, ``persons A, B and C``."""
    if not names[1:]:
        return gettext("person %(names)s", names=names[0])
    return gettext(
        "persons %(all_but_last)s and %(last)s", all_but_last=", ".join(names[:-1]), last=names[-1]
    )


def figure_name(analysis: Analysis) -> str:
    """What the figure of the whole analysis is the probability of; empty when there is none."""
    if analysis.probability is None:
        return ""
    name = gettext("Calibrated probability of manipulation")
    if faces := len(persons_averaged(analysis)):
        return gettext("%(name)s, odds averaged over %(faces)s faces", name=name, faces=faces)
    if analysis.media.still:
        return gettext("%(name)s, highest-scoring face", name=name)
    if figured_segment(analysis) is not None:
        return gettext("%(name)s, strongest segment", name=name)
    brief = [one for one in analysis.persons if not is_judged_enough(analysis.parameters, one)]
    if any((person.probability or 0.0) > analysis.probability for person in brief):
        return gettext(
            "%(name)s, all usable frames of the highest-scoring person with at least %(frames)s of them",
            name=name,
            frames=analysis.parameters.minimum_usable_frames,
        )
    return gettext("%(name)s, all usable frames of the highest-scoring person", name=name)


def second_look(person: Person) -> str:
    """What both networks said of a person, in one line; empty without a second look."""
    look = person.second_look
    if look is None:
        return ""
    stable = (
        ""
        if look.stability is None
        else gettext("; stability %(stability)s", stability=shown(look.stability, ".2g"))
    )
    if look.contradiction:
        stable = gettext("; the two networks contradict each other")
    return gettext(
        "scan alone %(scan)s; with the second look at %(moments)s: replaced or altered "
        "%(altered)s, synthesised %(synthesised)s%(in_segments)s%(stable)s%(standing_out)s",
        scan=probability(look.scan),
        moments=plural(len(look.moments), "moment", "moments"),
        altered=probability(look.altered),
        synthesised=probability(look.synthesised),
        in_segments=_in_segments(look),
        stable=stable,
        standing_out=_standing_out(look),
    )


def _in_segments(look: SecondLook) -> str:
    """Both answers where the threshold is reached, if they are others there."""
    if look.in_segments is None:
        return ""
    told = probability(look.in_segments.altered), probability(look.in_segments.synthesised)
    if told == (probability(look.altered), probability(look.synthesised)):
        return ""
    return gettext(
        " (%(altered)s and %(synthesised)s where the threshold for a finding is reached)",
        altered=told[0],
        synthesised=told[1],
    )


def _standing_out(look: SecondLook) -> str:
    if not look.contrasts:
        return ""
    spans = ", ".join(time_span(one.start, one.end) for one in look.contrasts)
    return gettext("; stands out from the rest of its track, and was raised: %(spans)s", spans=spans)
