"""Whose figures make those of the exhibit, chosen so that these agree with its verdict.

:func:`who_counts` says it while the verdict is made. Of a finished analysis :func:`figured_person` and
:func:`figured_segment` tell whose figure the exhibit's probability is, :func:`persons_averaged` of how many.
"""

from __future__ import annotations

from detector.schema.analysis import Analysis, Person, Segment, Verdict
from detector.verdict.examined.judged_share import is_judged_enough
from detector.verdict.judged_exhibit import JudgedExhibit
from detector.verdict.persons.averaged_odds import applies, outweighed_faces
from detector.verdict.persons.finding_basis import is_covered, weighed_faces
from detector.verdict.persons.flagged import flagged_persons


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
