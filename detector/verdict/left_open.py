"""Decide whether a verdict stays open where nobody is flagged, and select the sentences that say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, assert_never

from detector.schema.analysis import Analysis, MediaKind, Parameters, Person
from detector.verdict import reasons
from detector.verdict.judged_persons import (
    JudgedExhibit,
    covered_alone,
    flagged_persons,
    high_if_hardly_judged,
    is_colourless,
    is_covered,
    is_judged_enough,
    is_unstable,
    most_frames,
    mostly_judged,
    mostly_whole,
    nobody_moves,
    outweighed_faces,
    weighed_faces,
    who_reaches,
)


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
    laboratory's own threshold (:mod:`reports.validation.laboratory`).
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


class Said(NamedTuple):
    """Sentences, and the names of the persons of whom they speak."""

    sentences: list[str]
    names: list[str]


@dataclass(frozen=True)
class Undecided:
    """An exhibit in which nobody is flagged.

    ``in_few_frames``: who reached the threshold, and in how many at a time
    (:func:`~detector.segments.candidates.reaching_in_few_frames`).
    """

    exhibit: JudgedExhibit
    in_few_frames: Mapping[str, int]

    def why_open(self, cause: LeftOpen | None) -> Said:
        """What is to be said of ``cause``; nothing where it is none, or is said with who scored high."""
        if cause is LeftOpen.ALL_COVERED and (seen := self._seen_all_the_same()):
            cause = seen
        image, coverage = self.exhibit.is_photo, self.exhibit.coverage
        match cause:
            case LeftOpen.NO_FACE:
                return Said([reasons.no_face(image, coverage)], [])
            case LeftOpen.NONE_USABLE:
                return Said([reasons.none_usable(image, self.exhibit.parameters, coverage)], [])
            case LeftOpen.UNCONFIRMED | LeftOpen.COLOURLESS | LeftOpen.COVERED:
                return self._flawed_segments()
            case LeftOpen.UNSTABLE:
                return Said(self._views(self._unstable), names_of(self._unstable))
            case LeftOpen.TOO_FEW_FRAMES:
                return self._too_few_frames()
            case LeftOpen.MOSTLY_DAMAGED:
                return Said([reasons.mostly_damaged(coverage)], [])
            case LeftOpen.OUTWEIGHED:
                return self._outweighed()
            case LeftOpen.MOSTLY_NOT_JUDGED:
                return Said([reasons.mostly_not_judged(image, coverage)], [])
            case LeftOpen.DOUBTFUL:
                return self._doubtful()
            case LeftOpen.MOTIONLESS | LeftOpen.ALL_COVERED:
                return self._nothing_found()
            case None | LeftOpen.HIGH_IN_FEW_FRAMES:
                return Said([], [])
            case _:
                assert_never(cause)

    @property
    def _unstable(self) -> list[Person]:
        return sorted(filter(is_unstable, self.exhibit.persons), key=lambda person: person.id)

    def _seen_all_the_same(self) -> LeftOpen | None:
        """What was seen of covered faces says more than that they are covered."""
        if self._unstable:
            return LeftOpen.UNSTABLE
        return LeftOpen.DOUBTFUL if self._doubtful_names() else None

    def _views(self, persons: Sequence[Person]) -> list[str]:
        return [reasons.unstable(self.exhibit.parameters, persons)] if persons else []

    def _flawed_segments(self) -> Said:
        """Everybody with a segment is unstable, without colour or covered."""
        grey = who_reaches(list(filter(is_colourless, self.exhibit.persons)), self.exhibit.parameters)
        hidden = [
            name for name in covered_alone(self.exhibit.persons, self.exhibit.segments) if name not in grey
        ]
        others = [person for person in self._unstable if person.id not in (*grey, *hidden)]
        sentences = [*self._views(others), *reasons.colourless_doubt(grey), *reasons.covered_doubt(hidden)]
        return Said(sentences, [*names_of(self._unstable), *grey, *hidden])

    def _too_few_frames(self) -> Said:
        threshold = self.exhibit.parameters.enter_threshold
        high = [person for person in self.exhibit.persons if (person.probability or 0.0) >= threshold]
        if high:
            return Said([reasons.too_few_frames(self.exhibit.parameters, high)], names_of(high))
        return Said(
            [reasons.nobody_in_enough_frames(self.exhibit.parameters, most_frames(self.exhibit.persons))], []
        )

    def _outweighed(self) -> Said:
        weighed = weighed_faces(self.exhibit.persons)
        reaching = who_reaches(weighed, self.exhibit.parameters)
        judged = [
            sum(one.probability is not None for one in each) for each in (weighed, self.exhibit.persons)
        ]
        hides = any(map(is_covered, self.exhibit.persons))
        said = reasons.one_of_many(reaching, *judged, some_covered=hides)
        return Said([said, *self._views(self._unstable)], reaching)

    def _doubtful(self) -> Said:
        names, reaching = self._doubtful_names(), who_reaches(self.exhibit.persons, self.exhibit.parameters)
        return Said(
            reasons.doubtful(
                self.exhibit.is_photo, self.exhibit.parameters, names, reaching, self.in_few_frames
            ),
            names,
        )

    def _doubtful_names(self) -> list[str]:
        return doubtful_persons(self.exhibit.kind, self.exhibit.parameters, self.exhibit.persons)

    def _nothing_found(self) -> Said:
        """What would be said if nothing were in the way."""
        reaching = [] if self.exhibit.is_photo else who_reaches(self.exhibit.persons, self.exhibit.parameters)
        briefly = [name for name in reaching if name not in self.in_few_frames]
        said = reasons.nothing_found(self.exhibit, briefly)
        return Said([said], briefly)


def names_of(persons: Sequence[Person]) -> list[str]:
    """Names of ``persons``."""
    return [person.id for person in persons]
