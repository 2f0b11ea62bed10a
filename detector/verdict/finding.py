"""What an analysis found, derived once for reports, exports, pages and checks."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detector.schema.analysis import Analysis, ManipulationKind, Person, Segment, Verdict
from detector.schema.causes.cause import Cause
from detector.schema.causes.voices import VoiceCode
from detector.schema.voice import VoiceSegment, VoiceVerdict
from detector.verdict import judged_persons, reasons
from detector.verdict.judged_persons import JudgedExhibit
from detector.verdict.left_open import LeftOpen as LeftOpen
from detector.verdict.left_open import cause_of, is_independent_of_scores
from detector.verdict.validated_domain import (
    Criterion,
    compared_person,
    criteria,
    measured_values,
    persons_outside,
)
from detector.verdict.verdict import exhibit_probability


@dataclass(frozen=True)
class PersonFinding:
    """What the verdict says of one person."""

    flagged: tuple[str, ...]
    """Ids of the segments on which a finding rests."""
    kind: ManipulationKind | None
    """By the second look; of a person without a flagged segment it is no finding."""
    judged_enough: bool
    """Whether finding nothing would mean something."""
    motionless: bool
    """Whether the face is a still picture."""
    colourless: bool
    covered: bool

    @classmethod
    def of(cls, person: Person, flagged: tuple[Segment, ...], analysis: Analysis) -> PersonFinding:
        judged_enough = judged_persons.is_judged_enough(analysis.parameters, person)
        return cls(
            flagged=tuple(segment.id for segment in flagged if segment.person == person.id),
            kind=judged_persons.kind_from_second_look(person.second_look),
            judged_enough=judged_enough,
            motionless=judged_enough and bool(person.motionless),
            colourless=judged_persons.is_colourless(person),
            covered=judged_persons.is_covered(person),
        )


@dataclass(frozen=True)
class VoiceFinding:
    """What was found in the voices."""

    verdict: VoiceVerdict
    probability: float | None
    flagged: tuple[VoiceSegment, ...]
    unflagged: tuple[VoiceSegment, ...]
    grounds: tuple[Cause, ...]
    open_whatever_score: bool
    """Inconclusive for a reason that no threshold changes."""


@dataclass(frozen=True)
class Finding:
    """What one model found in the faces of an exhibit, and what was found in its voices.

    Analyses of earlier versions have one too: what they did not measure counts as absent.
    """

    verdict: Verdict
    kind: ManipulationKind | None
    probability: float | None
    stability: float | None
    grounds: tuple[Cause, ...]
    """Codes of the reason; empty where an earlier version stated it in words alone."""
    flagged: tuple[Segment, ...]
    """Segments on which the finding rests."""
    unflagged: tuple[Segment, ...]
    """Segments that reach the threshold, but support no finding."""
    doubts: Mapping[str, tuple[Cause, ...]]
    """Why they do not, by id of the segment."""
    persons: Mapping[str, PersonFinding]
    """By id, in the order of the analysis."""
    segment: Segment | None
    """The one whose score represents the exhibit; None if a score over all frames does."""
    averaged: tuple[Person, ...]
    """The faces of a photograph whose odds are averaged; empty where the highest score counts."""
    left_open: LeftOpen | None
    """What leaves an inconclusive verdict open; None also where that cannot be derived."""
    open_whatever_score: bool
    """Inconclusive for a reason that no threshold changes."""
    mostly_discarded: bool
    """Whether too few faces were judged only because detections were discarded as no faces."""
    measured: Mapping[str, float]
    """The exhibit's values by name of the validated range, measured on ``compared_person``'s faces."""
    compared_person: str | None
    domain: tuple[Criterion, ...]
    """The validated ranges, and whether the exhibit lies inside."""
    persons_outside: Mapping[str, list[str]]
    """Other judged persons who lie outside of a range, with the names of these ranges."""
    voices: VoiceFinding | None
    """None: sound was not examined."""

    def kind_of(self, segment: Segment) -> ManipulationKind | None:
        """Return the kind of manipulation by the second look at the person of a segment."""
        person = self.persons.get(segment.person)
        return person.kind if person else None

    @property
    def flagged_persons(self) -> tuple[str, ...]:
        """Ids of the persons with a flagged segment, A to Z before AA."""
        return tuple(sorted({segment.person for segment in self.flagged}, key=lambda name: (len(name), name)))

    @property
    def flagged_ids(self) -> frozenset[str]:
        """Ids of the flagged segments."""
        return frozenset(segment.id for segment in self.flagged)

    @property
    def unflagged_ids(self) -> frozenset[str]:
        """Ids of the segments that support no finding."""
        return frozenset(segment.id for segment in self.unflagged)

    @property
    def motionless(self) -> list[str]:
        """Ids of the persons whose face is a still picture, if judged in enough frames."""
        return [name for name, person in self.persons.items() if person.motionless]

    @property
    def all_motionless(self) -> bool:
        """Whether everybody judged in enough frames is a still picture."""
        judged = [person.motionless for person in self.persons.values() if person.judged_enough]
        return bool(judged) and all(judged)


_derived: dict[int, tuple[weakref.ref[Analysis], Finding]] = {}


def finding_of(analysis: Analysis) -> Finding:
    """Return the finding of the first model of ``analysis``; that of another one is ``analysis.by(other)``'s.

    An analysis never changes, so its finding is derived once and kept as long as the analysis.
    """
    key = id(analysis)
    known = _derived.get(key)
    if known is not None and known[0]() is analysis:
        return known[1]
    finding = _derive(analysis)
    _derived[key] = weakref.ref(analysis, lambda gone: _forget(key, gone)), finding
    return finding


def _forget(key: int, gone: weakref.ref[Analysis]) -> None:
    if (known := _derived.get(key)) is not None and known[0] is gone:
        del _derived[key]


def _derive(analysis: Analysis) -> Finding:
    persons, segments, media = analysis.persons, analysis.segments, analysis.media
    flagged = judged_persons.flagged_segments(persons, segments)
    unflagged = judged_persons.unflagged_segments(persons, segments)
    is_open = analysis.verdict is Verdict.INCONCLUSIVE and not media.sound_only
    left_open = cause_of(analysis) if is_open else None
    measured, _ = measured_values(analysis)
    return Finding(
        verdict=analysis.verdict,
        kind=analysis.kind,
        probability=analysis.probability,
        stability=analysis.stability,
        grounds=analysis.causes,
        flagged=flagged,
        unflagged=unflagged,
        doubts={segment.id: _doubts(analysis, segment) for segment in unflagged},
        persons={person.id: PersonFinding.of(person, flagged, analysis) for person in persons},
        segment=judged_persons.representative_segment(analysis),
        averaged=tuple(judged_persons.averaged_persons(analysis)),
        left_open=left_open,
        open_whatever_score=left_open is not None and is_independent_of_scores(left_open),
        mostly_discarded=judged_persons.mostly_discarded(analysis.coverage),
        measured=measured,
        compared_person=compared_person(analysis),
        domain=criteria(analysis),
        persons_outside=persons_outside(analysis),
        voices=_of_voices(analysis),
    )


def averaged_figure_follows(figure: float, figures: Sequence[float], by: float) -> bool:
    """Check whether a photograph's figure may average the odds of ``figures``, each off by ``by``."""
    return bool(figures) and judged_persons.could_be_average(figure, figures, by)


def kind_is_borderline(analysis: Analysis, by: float) -> bool:
    """Check whether the kind of manipulation would change with a person's answers off by ``by``."""
    return any(judged_persons.is_kind_borderline(person.second_look, by) for person in analysis.persons)


def probability_as_counted_now(analysis: Analysis) -> float:
    """Return the exhibit's probability by the present rules for who represents it."""
    assert analysis.probability is not None
    exhibit = JudgedExhibit.of(analysis)
    figures = {person.probability for person in analysis.persons}
    if exhibit.is_photo or analysis.probability not in figures:
        return analysis.probability
    now = exhibit_probability(exhibit, analysis.verdict)
    return analysis.probability if now is None else now


def _doubts(analysis: Analysis, segment: Segment) -> tuple[Cause, ...]:
    persons = [person for person in analysis.persons if person.id == segment.person]
    colourless = [person.id for person in persons if judged_persons.is_colourless(person)]
    doubts = reasons.colourless_doubt(colourless)
    if not doubts and judged_persons.is_covered(segment):
        doubts = reasons.covered_doubt([segment.person])
    return tuple(doubts or reasons.unstable(analysis.parameters, persons))


def _of_voices(analysis: Analysis) -> VoiceFinding | None:
    voice = analysis.voice
    if voice is None:
        return None
    return VoiceFinding(
        verdict=voice.verdict,
        probability=voice.probability,
        flagged=tuple(segment for segment in voice.segments if segment.flagged),
        unflagged=tuple(segment for segment in voice.segments if not segment.flagged),
        grounds=voice.causes,
        open_whatever_score=voice.verdict is VoiceVerdict.INCONCLUSIVE
        and VoiceCode.DOUBTFUL.code not in {cause.code for cause in voice.causes},
    )
