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
    """Persons and segments of an exhibit, how much of it was judged, and by which parameters."""

    kind: MediaKind
    parameters: Parameters
    coverage: Coverage
    persons: Sequence[Person]
    segments: Sequence[Segment]

    @classmethod
    def of(cls, analysis: Analysis) -> JudgedExhibit:
        """That of a finished analysis."""
        return cls(
            analysis.media.kind, analysis.parameters, analysis.coverage, analysis.persons, analysis.segments
        )

    @property
    def is_photo(self) -> bool:
        """Whether it has no time, so that other rules hold."""
        return self.kind is MediaKind.IMAGE


# Below this share of detected faces good enough to judge, silence proves nothing.
_LEAST_USABLE_SHARE = 0.5


def mostly_judged(coverage: Coverage) -> bool:
    """Whether most of the faces found could be judged, where any was found."""
    usable, faces = usable_of_all(coverage)
    return usable >= _LEAST_USABLE_SHARE * faces


def mostly_whole(coverage: Coverage) -> bool:
    """Whether most of what would have been sampled rests on no damaged or missing picture."""
    return coverage.frames_from_damaged <= coverage.frames_sampled


def mostly_discarded(coverage: Coverage) -> bool:
    """Where most faces were not judged: whether that is so only by those discarded as no faces."""
    usable, _ = usable_of_all(coverage)
    return usable >= _LEAST_USABLE_SHARE * coverage.faces_found


def usable_of_all(coverage: Coverage) -> tuple[int, int]:
    """How many faces could be judged, of how many detections, those discarded as no faces included."""
    return coverage.faces_found - coverage.faces_unusable, coverage.faces_found + coverage.faces_discarded


def is_judged_enough(parameters: Parameters, person: Person) -> bool:
    """Whether a person was judged in so many frames of a video that finding nothing means something."""
    return person.usable_frames >= parameters.minimum_usable_frames


def hardly_judged(parameters: Parameters, persons: Sequence[Person]) -> list[Person]:
    """Those of a video who are on screen for long enough, but whose face could be judged too rarely.

    There are none in a photograph, whose faces are on screen for no time.
    """
    long = parameters.minimum_usable_frames / parameters.sample_rate
    return [
        person
        for person in persons
        if person.screen_time >= long and not is_judged_enough(parameters, person)
    ]


def high_if_hardly_judged(parameters: Parameters, persons: Sequence[Person]) -> list[Person]:
    """Those of them whose score, over two frames or more, reaches the threshold for a finding."""
    return [
        person
        for person in hardly_judged(parameters, persons)
        if person.usable_frames > 1 and (person.probability or 0.0) >= parameters.enter_threshold
    ]


def most_frames(persons: Sequence[Person]) -> int:
    """Of the person with most usable frames."""
    return max((person.usable_frames for person in persons), default=0)


def motionless_persons(parameters: Parameters, persons: Sequence[Person]) -> list[str]:
    """Names of those judged in enough frames of a video whose face is one picture that does not move."""
    return [each.id for each in persons if each.motionless and is_judged_enough(parameters, each)]


def nobody_moves(parameters: Parameters, persons: Sequence[Person]) -> bool:
    """Whether that is so of everybody who was judged in enough frames."""
    judged = sum(is_judged_enough(parameters, each) for each in persons)
    return judged > 0 and len(motionless_persons(parameters, persons)) == judged


def nobody_moves_in(analysis: Analysis) -> bool:
    """The same of a finished analysis; unknown, and so not said, of those before schema 1.20."""
    return nobody_moves(analysis.parameters, analysis.persons)


# Below this share of views that agree, nobody should rely on either side.
_LEAST_STABILITY = 0.7
# Above this share of faces without colour, a person's scores say what they say of footage without colour.
MOST_GREY = 0.5


def is_unstable(person: Person) -> bool:
    """Whether too many views of the same pictures say otherwise; no where the second look was not asked."""
    look = person.second_look
    return look is not None and look.stability is not None and look.stability < _LEAST_STABILITY


def is_colourless(person: Person) -> bool:
    """Whether most faces of a video by which a person was judged are without colour, or toned in one.

    Networks score such faces higher, manipulated or not (docs/faces.md).
    """
    return person.grey is not None and person.grey > MOST_GREY


def is_covered(one: Person | Segment) -> bool:
    """Whether mouth or eyes were covered in most of the faces by which a person, or a segment, was judged.

    What lies there raises scores of unmanipulated faces and lowers those of manipulated ones
    (docs/models.md). Unknown, and so not said, before schema 1.21.
    """
    return is_mostly_covered(one.covered)


def bears_no_finding(person: Person) -> bool:
    """Whether whatever is found of a person is looked at, and not flagged."""
    return is_unstable(person) or is_colourless(person)


def weighed_faces(faces: Sequence[Person]) -> list[Person]:
    """Those of a photograph that are asked for a finding: views agree on them, and they are not covered."""
    return [face for face in faces if not is_unstable(face) and not is_covered(face)]


def is_flagged(persons: Sequence[Person], segment: Segment) -> bool:
    """Whether a finding rests on ``segment``: of somebody who bears one, and of faces not covered."""
    return bool(flagged_segments([each for each in persons if each.id == segment.person], (segment,)))


def flagged_segments(persons: Sequence[Person], segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Those on which a finding rests."""
    barred = {person.id for person in persons if bears_no_finding(person)}
    return tuple(one for one in segments if one.person not in barred and not is_covered(one))


def unflagged_segments(persons: Sequence[Person], segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The others: looked at, and not flagged."""
    barred = {person.id for person in persons if bears_no_finding(person)}
    return tuple(one for one in segments if one.person in barred or is_covered(one))


def flagged_persons(persons: Sequence[Person], segments: Sequence[Segment]) -> list[str]:
    """On whom a finding rests."""
    return sorted({segment.person for segment in flagged_segments(persons, segments)})


def covered_alone(persons: Sequence[Person], segments: Sequence[Segment]) -> list[str]:
    """Of whom something was found, but by covered faces alone."""
    covered = {one.person for one in segments if is_covered(one)}
    return sorted(covered - set(flagged_persons(persons, segments)))


def who_reaches(persons: Sequence[Person], parameters: Parameters) -> list[str]:
    """Names of those who reached the threshold for a finding at some moment, flagged or not."""
    return [person.id for person in persons if (person.scores.smoothed >= parameters.enter_threshold).any()]


_ALMOST_SURE = 1 - 1e-9


def averaged(probabilities: Sequence[float]) -> float:
    """The probability whose odds are the mean of those of ``probabilities``, which are not empty."""
    if len(probabilities) == 1:
        return probabilities[0]  # to the last digit
    bounded = [min(probability, _ALMOST_SURE) for probability in probabilities]
    odds = sum(probability / (1 - probability) for probability in bounded) / len(bounded)
    return odds / (1 + odds)


def could_be(figure: float, probabilities: Sequence[float], tolerance: float) -> bool:
    """Whether ``figure`` may be their :func:`averaged` one, each of them and itself off by ``tolerance``.

    Near 1 a small difference of one probability is a large one of its odds.
    """
    least = averaged([max(probability - tolerance, 0.0) for probability in probabilities])
    most = averaged([min(probability + tolerance, 1.0) for probability in probabilities])
    return least - tolerance <= figure <= most + tolerance


def applies(kind: MediaKind, parameters: Parameters) -> bool:
    """Whether odds are averaged. Not in videos, where one face may count as several persons."""
    return kind is MediaKind.IMAGE and parameters.average_odds


def outweighed_faces(exhibit: JudgedExhibit) -> list[str]:
    """Names of the faces of a photo that reach the threshold alone, but are no finding among the others."""
    if exhibit.segments or not applies(exhibit.kind, exhibit.parameters):
        return []
    return who_reaches(weighed_faces(exhibit.persons), exhibit.parameters)


def who_counts(exhibit: JudgedExhibit, verdict: Verdict) -> list[Person]:
    """The persons who count in probability and answers of an exhibit.

    Of a video beside a finding those on whom it rests; else who could be judged in enough frames or has a
    segment, which other views do not confirm, and all only where there is nobody else: who is seen too
    briefly raises no doubt either. Of a photo all faces, beside a finding all that were asked for one.
    """
    finding, persons, segments = verdict is Verdict.MANIPULATED, exhibit.persons, exhibit.segments
    if exhibit.is_photo:
        return weighed_faces(persons) if finding else list(persons)
    if finding:
        flagged = flagged_persons(persons, segments)
        return [person for person in persons if person.id in flagged]
    found = {segment.person for segment in segments}
    known = [
        person for person in persons if is_judged_enough(exhibit.parameters, person) or person.id in found
    ]
    return known or list(persons)


def persons_averaged(analysis: Analysis) -> list[Person]:
    """The faces of a photo over whose odds its figures are averaged; none where the highest one counts.

    Where it was asked whether some face is a finding, they are those that could be one, else all.
    """
    if not applies(analysis.media.kind, analysis.parameters):
        return []
    exhibit = JudgedExhibit.of(analysis)
    verdict = Verdict.MANIPULATED if outweighed_faces(exhibit) else analysis.verdict
    counting = who_counts(exhibit, verdict)
    judged = [face for face in counting if face.probability is not None]
    return judged if len(judged) > 1 else []


def figured_segment(analysis: Analysis) -> Segment | None:
    """The segment that the figure of the whole analysis is of; None where it is of all frames of a person.

    The strongest one of who has that figure. Its own confidence may be another figure of the same frames,
    since segments are calibrated by themselves. Of a photo of several faces it is of all of them, and the
    strongest one stands for them: an interval needs its calibration alone.
    """
    found = [segment for segment in analysis.segments if not is_covered(segment)] or analysis.segments
    if persons_averaged(analysis):
        return max(found, key=lambda each: each.confidence, default=None)
    theirs = {person.id for person in analysis.persons if person.probability == analysis.probability}
    own = [
        segment
        for segment in found
        if segment.person in theirs or (not theirs and segment.confidence == analysis.probability)
    ]
    return max(own, key=lambda each: each.confidence, default=None)


def figured_person(analysis: Analysis) -> Person | None:
    """Who has the figure of the whole analysis; None where it is averaged over several, or there is none."""
    if analysis.probability is None or persons_averaged(analysis):
        return None
    if (segment := figured_segment(analysis)) is not None:
        return next((person for person in analysis.persons if person.id == segment.person), None)
    theirs = (person for person in analysis.persons if person.probability == analysis.probability)
    return next(theirs, None)


# So much must one answer of the second look exceed the other to name the kind of manipulation by it: of the
# logit, since probabilities near 1 hardly differ. Before schema 1.23 it was 0.15 of the probability, which in
# the middle of the scale is the same.
_CLEARLY = 0.6
_CLEARLY_BEFORE = 0.15


def kind_of(look: SecondLook | None) -> ManipulationKind | None:
    """Which of the two questions is answered with yes, where one clearly outweighs the other.

    It is told where the threshold for a finding is reached: the rest of a video may be as it was. Analyses
    before schema 1.23 hold the answers over all moments alone, and have told it by these.
    """
    if look is None:
        return None
    if look.in_segments is not None:
        return _kind(look.in_segments.altered, look.in_segments.synthesised)
    clearly = abs(look.altered - look.synthesised) >= _CLEARLY_BEFORE
    return _larger(look.altered, look.synthesised) if clearly else None


def is_near_border(look: SecondLook | None, by: float) -> bool:
    """Whether the kind could be another one, or none, with both answers off by ``by``."""
    if look is None or look.in_segments is None:
        return False
    told = look.in_segments
    return len({_kind(told.altered + a, told.synthesised + b) for a, b in product((-by, by), repeat=2)}) > 1


def manipulation_kind(
    verdict: Verdict, persons: Sequence[Person], segments: Sequence[Segment]
) -> ManipulationKind | None:
    """The kind of manipulation of all flagged persons; None where they differ, or it is not told of one."""
    if verdict is not Verdict.MANIPULATED:
        return None
    return common_kind(persons, flagged_persons(persons, segments))


def common_kind(persons: Sequence[Person], flagged: Sequence[str]) -> ManipulationKind | None:
    """The kind that the second look tells of all of ``flagged``, given by their ids; else None."""
    found = {kind_of(person.second_look) for person in persons if person.id in flagged}
    return found.pop() if len(found) == 1 else None


def _kind(altered: float, synthesised: float) -> ManipulationKind | None:
    clearly = abs(finite_logit(altered) - finite_logit(synthesised)) >= _CLEARLY
    return _larger(altered, synthesised) if clearly and max(altered, synthesised) >= 0.5 else None


def _larger(altered: float, synthesised: float) -> ManipulationKind:
    return ManipulationKind.EDITED if altered > synthesised else ManipulationKind.GENERATED
