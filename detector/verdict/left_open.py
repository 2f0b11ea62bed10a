"""What leaves a verdict open where nobody is flagged: one rule, for the verdict and for its texts.

A cause is a :class:`LeftOpen`. What ``Analysis.reason`` says of it is in
:mod:`detector.verdict.reasons.why_open`, what reports say beside that, and what may help, in
:mod:`reports.text.inconclusive`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import assert_never

from detector.schema.analysis import Analysis, MediaKind, Parameters, Person
from detector.verdict.examined.judged_share import (
    high_if_hardly_judged,
    is_judged_enough,
    most_frames,
    mostly_judged,
    mostly_whole,
)
from detector.verdict.examined.motion import nobody_moves
from detector.verdict.judged_exhibit import JudgedExhibit
from detector.verdict.persons.averaged_odds import outweighed_faces
from detector.verdict.persons.finding_basis import is_colourless, is_covered, is_unstable
from detector.verdict.persons.flagged import flagged_persons


class LeftOpen(Enum):
    """What keeps a verdict from being either of the others, in the order in which it is asked.

    One cause is none of these, since a finished analysis does not tell it: who reaches the threshold for long
    enough, but in too few sampled frames (:func:`~detector.segments.candidates.reaching_in_few_frames`).
    """

    NO_FACE = auto()
    NONE_USABLE = auto()
    COLOURLESS = auto()  # people have segments, but their faces have no colour
    UNCONFIRMED = auto()  # likewise, but views of the same pictures disagree
    COVERED = auto()  # likewise, but something lies before mouth or eyes; of some they may have no colour
    TOO_FEW_FRAMES = auto()  # of everybody, to find nothing
    MOSTLY_DAMAGED = auto()  # most frames rest on pictures that are damaged or missing
    OUTWEIGHED = auto()  # a face of a photo is above the threshold alone, not among the others
    MOSTLY_NOT_JUDGED = auto()
    ALL_COVERED = auto()  # nobody has a segment, and something lies before mouth or eyes of everybody
    UNSTABLE = auto()  # nobody has a segment, and views disagree on somebody
    DOUBTFUL = auto()  # too high to rule a finding out
    HIGH_IN_FEW_FRAMES = auto()  # of somebody beside others who could be judged
    MOTIONLESS = auto()  # a still shown as a video, which the networks judge by what they know of footage


def whatever_the_scores(cause: LeftOpen) -> bool:
    """Whether a verdict is left open by what could not be judged, or by what no finding can rest on.

    False: by how high scores are, so that another threshold could change it. It decides what reports say of a
    laboratory's own threshold (:mod:`reports.view.validation.laboratory`).
    """
    match cause:
        case (
            LeftOpen.NO_FACE
            | LeftOpen.NONE_USABLE
            | LeftOpen.COLOURLESS
            | LeftOpen.COVERED
            | LeftOpen.TOO_FEW_FRAMES
            | LeftOpen.MOSTLY_DAMAGED
            | LeftOpen.MOSTLY_NOT_JUDGED
            | LeftOpen.ALL_COVERED
            | LeftOpen.MOTIONLESS
        ):
            return True
        case (
            LeftOpen.UNCONFIRMED
            | LeftOpen.OUTWEIGHED
            | LeftOpen.UNSTABLE
            | LeftOpen.DOUBTFUL
            | LeftOpen.HIGH_IN_FEW_FRAMES
        ):
            return False
        case _:
            assert_never(cause)


def left_open(exhibit: JudgedExhibit) -> LeftOpen | None:
    """The first of :class:`LeftOpen` that is so; None where somebody is flagged, or nothing is in the way."""
    kind, parameters, coverage = exhibit.kind, exhibit.parameters, exhibit.coverage
    persons, segments = exhibit.persons, exhibit.segments
    if not coverage.faces_found:
        return LeftOpen.NO_FACE
    if coverage.faces_found == coverage.faces_unusable:
        return LeftOpen.NONE_USABLE
    if segments:
        if flagged_persons(persons, segments):
            return None
        names = {segment.person for segment in segments}
        found = [person for person in persons if person.id in names]
        if all(map(is_colourless, found)):
            return LeftOpen.COLOURLESS
        return LeftOpen.UNCONFIRMED if any(map(is_unstable, found)) else LeftOpen.COVERED
    if not exhibit.is_photo and most_frames(persons) < parameters.minimum_usable_frames:
        return LeftOpen.TOO_FEW_FRAMES
    if not mostly_whole(coverage):
        return LeftOpen.MOSTLY_DAMAGED
    if outweighed_faces(exhibit):
        return LeftOpen.OUTWEIGHED
    if not mostly_judged(coverage):
        return LeftOpen.MOSTLY_NOT_JUDGED
    if all_covered(kind, parameters, persons):
        return LeftOpen.ALL_COVERED
    if any(map(is_unstable, persons)):
        return LeftOpen.UNSTABLE
    if doubtful_persons(kind, parameters, persons):
        return LeftOpen.DOUBTFUL
    if high_if_hardly_judged(parameters, persons):
        return LeftOpen.HIGH_IN_FEW_FRAMES
    return LeftOpen.MOTIONLESS if nobody_moves(parameters, persons) else None


def all_covered(kind: MediaKind, parameters: Parameters, persons: Sequence[Person]) -> bool:
    """Whether mouth or eyes are covered of everybody who was judged in enough frames."""
    enough = 1 if kind is MediaKind.IMAGE else parameters.minimum_usable_frames
    judged = [person for person in persons if person.usable_frames >= enough]
    return bool(judged) and all(map(is_covered, judged))


def why(analysis: Analysis) -> LeftOpen | None:
    """The same of a finished analysis; None also where it is inconclusive by what is not among them."""
    return left_open(JudgedExhibit.of(analysis))


def doubtful_persons(kind: MediaKind, parameters: Parameters, persons: Sequence[Person]) -> list[str]:
    """Names of those whose score over all frames is too high to rule a finding out."""
    return [
        person.id
        for person in persons
        if person.probability is not None
        and person.probability >= parameters.doubt_threshold
        and (kind is MediaKind.IMAGE or is_judged_enough(parameters, person))
    ]
