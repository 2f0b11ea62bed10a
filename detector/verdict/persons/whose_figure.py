"""Whose figure the exhibit's probability is: the segment, and the person."""

from __future__ import annotations

from detector.schema.analysis import Analysis, Person, Segment
from detector.verdict.persons.averaged_odds import persons_averaged
from detector.verdict.persons.finding_basis import is_covered


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
