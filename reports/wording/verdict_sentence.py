"""The verdict as a sentence, the figure it rests on, and the marks of verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from detector.schema.analysis import Analysis, Answers, ManipulationKind, Person, Verdict
from detector.schema.strength import Strength
from detector.schema.summary import AnalysisOutcome, Verdicts, verdicts_of
from detector.verdict.finding import finding_of
from language.formatting import duration, plural, probability, shown, time_span
from language.headlines import MANIPULATION
from language.translation import N_, gettext

# Names of verdicts in style sheets and of their icons. Those of findings are graded.
MARKS = {
    "finding": "manipulated",
    "nothing found": "not-found",
    "open": "inconclusive",
    "manipulated": "manipulated",
    "no manipulation found": "not-found",
    "inconclusive": "inconclusive",
    "synthetic speech found": "manipulated",
    "no synthetic speech found": "not-found",
    "no speech": "inconclusive",
}
_FINDINGS = {Strength.WEAK: "weak", Strength.MODERATE: "moderate", Strength.STRONG: "manipulated"}
MOST_NAMED = 6  # a finding counts more persons than this instead of naming them
_KINDS = {
    ManipulationKind.EDITED: N_("a face swap or edit"),
    ManipulationKind.GENERATED: N_("a generated face"),
}


def mark_of(verdicts: Verdicts) -> str:
    """Name the more serious verdict in style sheets, a finding by its strength."""
    if verdicts.outcome is AnalysisOutcome.FINDING:
        return _FINDINGS[verdicts.strength or Strength.MODERATE]
    return MARKS[verdicts.outcome]


def segment_name(segment: str, *, still: bool, flagged: bool) -> str:
    """Name a segment, or a face of a photograph (``still``)."""
    if not flagged:
        return gettext("Looked at, not flagged: %(id)s", id=segment)
    return gettext("Flagged face %(id)s", id=segment) if still else gettext("Segment %(id)s", id=segment)


def verdict_sentence(analysis: Analysis) -> str:
    """State the verdict in a sentence."""
    still = analysis.media.still
    match analysis.verdict:
        case Verdict.NOT_FOUND:
            if still:
                return gettext(
                    "No manipulation was found in the faces that were examined in this photograph."
                )
            return gettext("No manipulation was found in the faces that were examined in this video.")
        case Verdict.INCONCLUSIVE if verdicts_of(analysis).no_face:
            if still:
                return gettext("No face was found in this photograph.")
            return gettext("No face was found in this video.")
        case Verdict.INCONCLUSIVE:
            if still:
                return gettext(
                    "This photograph does not allow a conclusion on whether its faces were manipulated."
                )
            return gettext("This video does not allow a conclusion on whether its faces were manipulated.")
        case Verdict.MANIPULATED:
            return _manipulated(analysis)
        case _:
            assert_never(analysis.verdict)


def _manipulated(analysis: Analysis) -> str:
    still = analysis.media.still
    finding = finding_of(analysis)
    segments, persons = finding.flagged, finding.flagged_persons
    signs = gettext(MANIPULATION[verdicts_of(analysis).faces_strength or Strength.MODERATE])
    if not persons:
        if still:
            return gettext("Faces in this photograph show %(signs)s.", signs=signs)
        return gettext("Faces in this video show %(signs)s.", signs=signs)
    if len(persons) > MOST_NAMED:
        shows = gettext("The faces of %(persons)s persons show %(signs)s", persons=len(persons), signs=signs)
    elif persons[1:]:
        shows = gettext(
            "The faces of %(person_list)s show %(signs)s", person_list=person_list(persons), signs=signs
        )
    else:
        shows = gettext(
            "The face of %(person_list)s shows %(signs)s", person_list=person_list(persons), signs=signs
        )
    if still:
        kind = f": {gettext(_KINDS[analysis.kind])}" if analysis.kind else ""
        return gettext("%(shows)s in this photograph%(kind)s.", shows=shows, kind=kind)
    # Overlapping segments of several persons count once.
    total, reached = 0.0, 0.0
    for segment in sorted(segments, key=lambda item: item.start):
        total += max(0.0, segment.end - max(segment.start, reached))
        reached = max(reached, segment.end)
    return gettext(
        "%(shows)s in %(segments)s of this video: %(flagged)s of %(whole)s.",
        shows=shows,
        segments=plural(len(segments), "segment", "segments"),
        flagged=duration(total),
        whole=duration(analysis.media.duration),
    )


def person_list(names: Sequence[str]) -> str:
    """List persons by letter: ``person A``, ``persons A, B and C``."""
    if not names[1:]:
        return gettext("person %(names)s", names=names[0])
    return gettext(
        "persons %(all_but_last)s and %(last)s", all_but_last=", ".join(names[:-1]), last=names[-1]
    )


def figure_name(analysis: Analysis) -> str:
    """Name the score of the whole analysis; return "" if there is none."""
    if analysis.probability is None:
        return ""
    name = gettext("Score of the faces")
    finding = finding_of(analysis)
    if finding.averaged:
        return gettext("%(name)s, odds averaged over %(faces)s faces", name=name, faces=len(finding.averaged))
    if analysis.media.still:
        return gettext("%(name)s, highest-scoring face", name=name)
    if finding.segment is not None:
        return gettext("%(name)s, strongest segment", name=name)
    brief = [person for person in analysis.persons if not finding.persons[person.id].judged_enough]
    if any((person.probability or 0.0) > analysis.probability for person in brief):
        return gettext(
            "%(name)s, all usable frames of the highest-scoring person with at least %(frames)s usable "
            "frames",
            name=name,
            frames=analysis.parameters.minimum_usable_frames,
        )
    return gettext("%(name)s, all usable frames of the highest-scoring person", name=name)


def both_answers(answers: Answers | None) -> str:
    """State both answers about a photograph in one line; return "" without a second look."""
    if answers is None:
        return ""
    return gettext(
        "Face swap or edit %(edited)s, generated face %(generated)s",
        edited=probability(answers.altered),
        generated=probability(answers.synthesised),
    )


def second_look(person: Person) -> str:
    """State the answers of both networks about a person in one line; return "" without a second look."""
    look = person.second_look
    if look is None:
        return ""
    stable = in_segments = standing_out = ""
    if look.contradiction:
        stable = gettext("; the two networks contradict each other")
    elif look.stability is not None:
        stable = gettext("; stability %(stability)s", stability=shown(look.stability, ".2g"))
    answers = probability(look.altered), probability(look.synthesised)
    if look.in_segments is not None:
        within = probability(look.in_segments.altered), probability(look.in_segments.synthesised)
        if within != answers:
            in_segments = gettext(
                " (%(altered)s and %(synthesised)s where the threshold for a finding is reached)",
                altered=within[0],
                synthesised=within[1],
            )
    if look.contrasts:
        standing_out = gettext(
            "; raised because it stands out from the rest of its track: %(spans)s",
            spans=", ".join(time_span(contrast.start, contrast.end) for contrast in look.contrasts),
        )
    return gettext(
        "scan alone %(scan)s; with the second look at %(moments)s: replaced or altered "
        "%(altered)s, synthesised %(synthesised)s%(in_segments)s%(stable)s%(standing_out)s",
        scan=probability(look.scan),
        moments=plural(len(look.moments), "moment", "moments"),
        altered=answers[0],
        synthesised=answers[1],
        in_segments=in_segments,
        stable=stable,
        standing_out=standing_out,
    )
