"""Decide who was judged sufficiently, who is flagged, and whose scores represent the exhibit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from detector.schema.analysis import (
    Analysis,
    Coverage,
    ManipulationKind,
    MediaKind,
    Parameters,
    Person,
    SecondLook,
    Segment,
    Verdict,
    is_mostly_covered,
)
from detector.schema.scores import finite_logit


@dataclass(frozen=True)
class JudgedExhibit:
    """What one model measured in an exhibit, as input to the rules of the verdict."""

    kind: MediaKind
    parameters: Parameters
    coverage: Coverage
    persons: Sequence[Person]
    segments: Sequence[Segment]

    @classmethod
    def of(cls, analysis: Analysis) -> JudgedExhibit:
        """Build it from a finished analysis."""
        return cls(
            analysis.media.kind, analysis.parameters, analysis.coverage, analysis.persons, analysis.segments
        )

    @property
    def is_photo(self) -> bool:
        """Whether the exhibit is a photo, which has no time and follows other rules."""
        return self.kind is MediaKind.IMAGE


# Below this share of usable faces, finding nothing proves nothing.
_LEAST_USABLE_SHARE = 0.5


def mostly_judged(coverage: Coverage) -> bool:
    """Check whether most of the detected faces could be judged."""
    usable, faces = count_usable(coverage)
    return usable >= _LEAST_USABLE_SHARE * faces


def mostly_undamaged(coverage: Coverage) -> bool:
    """Check whether most of the frames to be sampled depend on no damaged or missing picture."""
    return coverage.frames_from_damaged <= coverage.frames_sampled


def mostly_discarded(coverage: Coverage) -> bool:
    """Check whether too few faces were judged only because detections were discarded as no faces."""
    usable, _ = count_usable(coverage)
    return usable >= _LEAST_USABLE_SHARE * coverage.faces_found


def count_usable(coverage: Coverage) -> tuple[int, int]:
    """Return the number of usable faces and of all detections, discarded ones included."""
    return coverage.faces_found - coverage.faces_unusable, coverage.faces_found + coverage.faces_discarded


def is_judged_enough(parameters: Parameters, person: Person) -> bool:
    """Check whether a person was judged in enough frames of a video that finding nothing is meaningful."""
    return person.usable_frames >= parameters.minimum_usable_frames


def rarely_judged_persons(parameters: Parameters, persons: Sequence[Person]) -> list[Person]:
    """Return persons of a video who are visible for long enough, but whose face was rarely usable.

    A photograph has none, because its faces have no screen time.
    """
    long = parameters.minimum_usable_frames / parameters.sample_rate
    return [
        person
        for person in persons
        if person.screen_time >= long and not is_judged_enough(parameters, person)
    ]


def high_scores_rarely_judged(parameters: Parameters, persons: Sequence[Person]) -> list[Person]:
    """Return rarely judged persons whose score, over two frames or more, reaches the threshold."""
    return [
        person
        for person in rarely_judged_persons(parameters, persons)
        if person.usable_frames > 1 and (person.probability or 0.0) >= parameters.enter_threshold
    ]


def max_usable_frames(persons: Sequence[Person]) -> int:
    """Return the largest number of usable frames of any person."""
    return max((person.usable_frames for person in persons), default=0)


def motionless_persons(parameters: Parameters, persons: Sequence[Person]) -> list[str]:
    """Return the ids of persons judged in enough frames whose face is a single still picture."""
    return [person.id for person in persons if person.motionless and is_judged_enough(parameters, person)]


def all_motionless(parameters: Parameters, persons: Sequence[Person]) -> bool:
    """Check whether all persons judged in enough frames are motionless."""
    judged = sum(is_judged_enough(parameters, person) for person in persons)
    return judged > 0 and len(motionless_persons(parameters, persons)) == judged


def is_all_motionless(analysis: Analysis) -> bool:
    """Apply :func:`all_motionless` to a finished analysis; False before 0.2, where it is unknown."""
    return all_motionless(analysis.parameters, analysis.persons)


# Below this share of agreeing views nobody is cleared, nor flagged in a photo, or in a video whose analysis
# does not say whether enough views agree.
_LEAST_STABILITY = 0.7
# Above this share of faces without colour, a person is treated as footage without colour.
MOST_GREY = 0.5


def is_unstable(person: Person) -> bool:
    """Check whether too many views of the same pictures disagree; False without a second look."""
    look = person.second_look
    return look is not None and look.stability is not None and look.stability < _LEAST_STABILITY


def is_colourless(person: Person) -> bool:
    """Check whether most judged faces of a person are without colour or toned in one.

    Networks score such faces higher, manipulated or not (docs/faces.md).
    """
    return person.grey is not None and person.grey > MOST_GREY


def is_covered(item: Person | Segment) -> bool:
    """Check whether mouth or eyes are covered in most judged faces of a person or segment.

    Coverings raise scores of unmanipulated faces and lower those of manipulated ones (docs/models.md).
    Unknown, and therefore False, before 0.2.
    """
    return is_mostly_covered(item.covered)


def cannot_support_finding(person: Person) -> bool:
    """Check whether a person's segments are shown but cannot support a finding."""
    return is_unconfirmed(person) or is_colourless(person)


def is_unconfirmed(person: Person) -> bool:
    """Check whether too few views agree for a finding: in a video fewer are enough than for clearing."""
    look = person.second_look
    if look is not None and look.views_agree is not None:
        return not look.views_agree
    return is_unstable(person)


def eligible_faces(faces: Sequence[Person]) -> list[Person]:
    """Return the faces of a photograph that may support a finding: stable in all views and not covered."""
    return [face for face in faces if not is_unstable(face) and not is_covered(face)]


def is_flagged(persons: Sequence[Person], segment: Segment) -> bool:
    """Check whether ``segment`` supports a finding: its person may, and its faces are not covered."""
    return bool(flagged_segments([person for person in persons if person.id == segment.person], (segment,)))


def flagged_segments(persons: Sequence[Person], segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Return the segments that support a finding."""
    barred = {person.id for person in persons if cannot_support_finding(person)}
    return tuple(segment for segment in segments if segment.person not in barred and not is_covered(segment))


def unflagged_segments(persons: Sequence[Person], segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Return the segments that are examined, but support no finding."""
    barred = {person.id for person in persons if cannot_support_finding(person)}
    return tuple(segment for segment in segments if segment.person in barred or is_covered(segment))


def flagged_persons(persons: Sequence[Person], segments: Sequence[Segment]) -> list[str]:
    """Return the ids of persons with a flagged segment."""
    return sorted({segment.person for segment in flagged_segments(persons, segments)})


def persons_with_covered_segments_only(persons: Sequence[Person], segments: Sequence[Segment]) -> list[str]:
    """Return the ids of persons who have segments of covered faces but are not flagged."""
    covered = {segment.person for segment in segments if is_covered(segment)}
    return sorted(covered - set(flagged_persons(persons, segments)))


def persons_reaching_threshold(persons: Sequence[Person], parameters: Parameters) -> list[str]:
    """Return the ids of persons who reached the threshold at some moment, flagged or not."""
    return [person.id for person in persons if (person.scores.smoothed >= parameters.enter_threshold).any()]


_ALMOST_SURE = 1 - 1e-9


def average_of_odds(probabilities: Sequence[float]) -> float:
    """Return the probability whose odds are the mean of those of ``probabilities``.

    A face's probability is calibrated on photographs of one person, half of them manipulated, so its odds are
    its likelihood ratio. The highest of many unmanipulated faces is high more often than a single one. If no
    face or exactly one face of a photograph was manipulated, each equally likely, the photograph's likelihood
    ratio is the mean of its faces' ratios: that of a mixture of simple alternatives.
    """
    if len(probabilities) == 1:
        return probabilities[0]  # avoid rounding
    bounded = [min(probability, _ALMOST_SURE) for probability in probabilities]
    odds = sum(probability / (1 - probability) for probability in bounded) / len(bounded)
    return odds / (1 + odds)


def could_be_average(figure: float, probabilities: Sequence[float], tolerance: float) -> bool:
    """Check whether ``figure`` may be the :func:`average_of_odds`, with each value off by ``tolerance``.

    Near 1 a small difference in probability is a large one in odds.
    """
    low = average_of_odds([max(probability - tolerance, 0.0) for probability in probabilities])
    high = average_of_odds([min(probability + tolerance, 1.0) for probability in probabilities])
    return low - tolerance <= figure <= high + tolerance


def averages_odds(kind: MediaKind, parameters: Parameters) -> bool:
    """Check whether odds are averaged. Not in videos, where one face may count as several persons."""
    return kind is MediaKind.IMAGE and parameters.average_odds


def outweighed_faces(exhibit: JudgedExhibit) -> list[str]:
    """Return the ids of a photo's faces that reach the threshold alone, but not among the other faces."""
    if exhibit.segments or not averages_odds(exhibit.kind, exhibit.parameters):
        return []
    return persons_reaching_threshold(eligible_faces(exhibit.persons), exhibit.parameters)


def representative_persons(exhibit: JudgedExhibit, verdict: Verdict) -> list[Person]:
    """Return the persons whose scores represent the exhibit.

    In a video with a finding these are the flagged persons. Without one they are persons judged in enough
    frames or with a segment, and all persons only if there are no others: somebody visible too briefly raises
    no doubt. In a photo they are all faces, with a finding those that may support one.
    """
    finding, persons, segments = verdict is Verdict.MANIPULATED, exhibit.persons, exhibit.segments
    if exhibit.is_photo:
        return eligible_faces(persons) if finding else list(persons)
    if finding:
        flagged = flagged_persons(persons, segments)
        return [person for person in persons if person.id in flagged]
    with_segment = {segment.person for segment in segments}
    representative = [
        person
        for person in persons
        if is_judged_enough(exhibit.parameters, person) or person.id in with_segment
    ]
    return representative or list(persons)


def averaged_persons(analysis: Analysis) -> list[Person]:
    """Return the faces of a photo whose odds are averaged; empty where the highest score counts."""
    if not averages_odds(analysis.media.kind, analysis.parameters):
        return []
    exhibit = JudgedExhibit.of(analysis)
    verdict = Verdict.MANIPULATED if outweighed_faces(exhibit) else analysis.verdict
    counting = representative_persons(exhibit, verdict)
    judged = [face for face in counting if face.probability is not None]
    return judged if len(judged) > 1 else []


def representative_segment(analysis: Analysis) -> Segment | None:
    """Return the segment whose score represents the exhibit; None if a person's score over all frames does.

    Its confidence may differ from the exhibit's probability, because segments are calibrated separately. For
    a photo with several faces it is the strongest one, which stands for all: an interval needs only its
    calibration.
    """
    candidates = [segment for segment in analysis.segments if not is_covered(segment)] or analysis.segments
    if averaged_persons(analysis):
        return max(candidates, key=lambda candidate: candidate.confidence, default=None)
    person_ids = {person.id for person in analysis.persons if person.probability == analysis.probability}
    own = [
        segment
        for segment in candidates
        if segment.person in person_ids or (not person_ids and segment.confidence == analysis.probability)
    ]
    return max(own, key=lambda segment: segment.confidence, default=None)


def representative_person(analysis: Analysis) -> Person | None:
    """Return the person whose score represents the exhibit; None if several are averaged or there is none."""
    if analysis.probability is None or averaged_persons(analysis):
        return None
    if (segment := representative_segment(analysis)) is not None:
        return next((person for person in analysis.persons if person.id == segment.person), None)
    persons = (person for person in analysis.persons if person.probability == analysis.probability)
    return next(persons, None)


# One answer of the second look must exceed the other by this logit difference to name the kind of
# manipulation; logits, because probabilities near 1 hardly differ. Before schema 1.23 it was 0.15 of
# the probability, which is the same in the middle of the scale.
_CLEARLY = 0.6
_CLEARLY_BEFORE = 0.15


def kind_from_second_look(look: SecondLook | None) -> ManipulationKind | None:
    """Return the kind of manipulation if one answer of the second look clearly exceeds the other.

    It is decided within segments, because the rest of a video may be unmanipulated. Analyses before 0.2
    have answers over all moments only.
    """
    if look is None:
        return None
    if look.in_segments is not None:
        return _kind(look.in_segments.altered, look.in_segments.synthesised)
    clearly = abs(look.altered - look.synthesised) >= _CLEARLY_BEFORE
    return _larger(look.altered, look.synthesised) if clearly else None


def is_kind_borderline(look: SecondLook | None, by: float) -> bool:
    """Check whether the kind would change with both answers off by ``by``."""
    if look is None or look.in_segments is None:
        return False
    answers = look.in_segments
    return (
        len({_kind(answers.altered + a, answers.synthesised + b) for a, b in product((-by, by), repeat=2)})
        > 1
    )


def manipulation_kind(
    verdict: Verdict, persons: Sequence[Person], segments: Sequence[Segment]
) -> ManipulationKind | None:
    """Return the common kind of manipulation of all flagged persons, if there is one."""
    if verdict is not Verdict.MANIPULATED:
        return None
    return common_kind(persons, flagged_persons(persons, segments))


def common_kind(persons: Sequence[Person], flagged: Sequence[str]) -> ManipulationKind | None:
    """Return the kind that the second look gives for all persons with the ids ``flagged``, if it is one."""
    kinds = {kind_from_second_look(person.second_look) for person in persons if person.id in flagged}
    return kinds.pop() if len(kinds) == 1 else None


def _kind(altered: float, synthesised: float) -> ManipulationKind | None:
    clearly = abs(finite_logit(altered) - finite_logit(synthesised)) >= _CLEARLY
    return _larger(altered, synthesised) if clearly and max(altered, synthesised) >= 0.5 else None


def _larger(altered: float, synthesised: float) -> ManipulationKind:
    return ManipulationKind.EDITED if altered > synthesised else ManipulationKind.GENERATED
