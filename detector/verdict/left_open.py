"""Decide whether a verdict stays open where nobody is flagged, and select the causes that say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, assert_never

from detector.schema.analysis import Analysis, MediaKind, Parameters, Person
from detector.schema.causes.cause import Cause
from detector.verdict import reasons
from detector.verdict.judged_persons import (
    JudgedExhibit,
    all_motionless,
    eligible_faces,
    flagged_persons,
    high_scores_rarely_judged,
    is_colourless,
    is_covered,
    is_judged_enough,
    is_unconfirmed,
    is_unstable,
    max_usable_frames,
    mostly_judged,
    mostly_undamaged,
    outweighed_faces,
    persons_reaching_threshold,
    persons_with_covered_segments_only,
)


class LeftOpen(Enum):
    """What leaves a verdict inconclusive, in the order of the checks.

    One more cause cannot be derived from a finished analysis: a person who reaches the threshold for long
    enough, but in too few sampled frames (:func:`~detector.segments.candidates.reaching_in_few_frames`).
    """

    NO_FACE = auto()
    NONE_USABLE = auto()
    COLOURLESS = auto()  # persons have segments, but their faces have no colour
    UNCONFIRMED = auto()  # persons have segments, but views of the same pictures disagree
    COVERED = auto()  # persons have segments, but mouth or eyes are covered, or some have no colour
    TOO_FEW_FRAMES = auto()  # too few frames of everybody to find nothing
    MOSTLY_DAMAGED = auto()  # most frames depend on damaged or missing pictures
    OUTWEIGHED = auto()  # a face of a photo reaches the threshold alone, but not among the others
    MOSTLY_NOT_JUDGED = auto()
    ALL_COVERED = auto()  # nobody has a segment, and mouth or eyes of everybody are covered
    UNSTABLE = auto()  # nobody has a segment, and views disagree on somebody
    DOUBTFUL = auto()  # a score is too high to rule a finding out
    HIGH_IN_FEW_FRAMES = auto()  # somebody scores high in too few frames, others could be judged
    MOTIONLESS = auto()  # a still shown as a video; networks are trained on moving footage


def is_independent_of_scores(cause: LeftOpen) -> bool:
    """Check whether a cause is independent of how high the scores are.

    If it is not, another threshold could change the verdict. Reports use this for a laboratory's own
    threshold (:mod:`reports.validation.laboratory`).
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
    """Return the first cause that applies; None if somebody is flagged or nothing leaves the verdict open."""
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
        with_segment = [person for person in persons if person.id in names]
        if all(map(is_colourless, with_segment)):
            return LeftOpen.COLOURLESS
        return LeftOpen.UNCONFIRMED if any(map(is_unconfirmed, with_segment)) else LeftOpen.COVERED
    if not exhibit.is_photo and max_usable_frames(persons) < parameters.minimum_usable_frames:
        return LeftOpen.TOO_FEW_FRAMES
    if not mostly_undamaged(coverage):
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
    if high_scores_rarely_judged(parameters, persons):
        return LeftOpen.HIGH_IN_FEW_FRAMES
    return LeftOpen.MOTIONLESS if all_motionless(parameters, persons) else None


def all_covered(kind: MediaKind, parameters: Parameters, persons: Sequence[Person]) -> bool:
    """Check whether mouth or eyes of everybody judged in enough frames are covered."""
    enough = 1 if kind is MediaKind.IMAGE else parameters.minimum_usable_frames
    judged = [person for person in persons if person.usable_frames >= enough]
    return bool(judged) and all(map(is_covered, judged))


def cause_of(analysis: Analysis) -> LeftOpen | None:
    """Return the cause for a finished analysis; None also if it cannot be derived from it."""
    return left_open(JudgedExhibit.of(analysis))


def doubtful_persons(kind: MediaKind, parameters: Parameters, persons: Sequence[Person]) -> list[str]:
    """Return the ids of persons whose score over all frames is too high to rule a finding out."""
    return [
        person.id
        for person in persons
        if person.probability is not None
        and person.probability >= parameters.doubt_threshold
        and (kind is MediaKind.IMAGE or is_judged_enough(parameters, person))
    ]


class OpenReason(NamedTuple):
    """Sentences, and the ids of the persons they mention."""

    causes: list[Cause]
    names: list[str]


@dataclass(frozen=True)
class Undecided:
    """Selects the causes for an exhibit in which nobody is flagged.

    ``in_few_frames`` are the persons who reached the threshold, with the number of frames in a row
    (:func:`~detector.segments.candidates.reaching_in_few_frames`).
    """

    exhibit: JudgedExhibit
    in_few_frames: Mapping[str, int]

    def why_open(self, cause: LeftOpen | None) -> OpenReason:
        """Return the causes for ``cause``; none if other causes cover it."""
        if cause is LeftOpen.ALL_COVERED and (stronger_cause := self._seen_all_the_same()):
            cause = stronger_cause
        image, coverage = self.exhibit.is_photo, self.exhibit.coverage
        match cause:
            case LeftOpen.NO_FACE:
                return OpenReason([reasons.no_face(image, coverage)], [])
            case LeftOpen.NONE_USABLE:
                return OpenReason([reasons.none_usable(image, self.exhibit.parameters, coverage)], [])
            case LeftOpen.UNCONFIRMED | LeftOpen.COLOURLESS | LeftOpen.COVERED:
                return self._flawed_segments()
            case LeftOpen.UNSTABLE:
                return OpenReason(self._views(self._unstable), person_ids(self._unstable))
            case LeftOpen.TOO_FEW_FRAMES:
                return self._too_few_frames()
            case LeftOpen.MOSTLY_DAMAGED:
                return OpenReason([reasons.mostly_damaged(coverage)], [])
            case LeftOpen.OUTWEIGHED:
                return self._outweighed()
            case LeftOpen.MOSTLY_NOT_JUDGED:
                return OpenReason([reasons.mostly_not_judged(image, coverage)], [])
            case LeftOpen.DOUBTFUL:
                return self._doubtful()
            case LeftOpen.MOTIONLESS | LeftOpen.ALL_COVERED:
                return self._nothing_found()
            case None | LeftOpen.HIGH_IN_FEW_FRAMES:
                return OpenReason([], [])
            case _:
                assert_never(cause)

    @property
    def _unstable(self) -> list[Person]:
        return sorted(filter(is_unstable, self.exhibit.persons), key=lambda person: person.id)

    def _seen_all_the_same(self) -> LeftOpen | None:
        """Return a cause that explains more than that faces are covered, if there is one."""
        if self._unstable:
            return LeftOpen.UNSTABLE
        return LeftOpen.DOUBTFUL if self._doubtful_names() else None

    def _views(self, persons: Sequence[Person]) -> list[Cause]:
        return reasons.unstable(self.exhibit.parameters, persons)

    def _flawed_segments(self) -> OpenReason:
        """Return the causes where everybody with a segment is unstable, without colour or covered."""
        grey = persons_reaching_threshold(
            list(filter(is_colourless, self.exhibit.persons)), self.exhibit.parameters
        )
        hidden = [
            name
            for name in persons_with_covered_segments_only(self.exhibit.persons, self.exhibit.segments)
            if name not in grey
        ]
        others = [person for person in self._unstable if person.id not in (*grey, *hidden)]
        causes = [*self._views(others), *reasons.colourless_doubt(grey), *reasons.covered_doubt(hidden)]
        return OpenReason(causes, [*person_ids(self._unstable), *grey, *hidden])

    def _too_few_frames(self) -> OpenReason:
        threshold = self.exhibit.parameters.enter_threshold
        high = [person for person in self.exhibit.persons if (person.probability or 0.0) >= threshold]
        if high:
            return OpenReason([reasons.too_few_frames(self.exhibit.parameters, high)], person_ids(high))
        return OpenReason(
            [
                reasons.nobody_in_enough_frames(
                    self.exhibit.parameters, max_usable_frames(self.exhibit.persons)
                )
            ],
            [],
        )

    def _outweighed(self) -> OpenReason:
        weighed = eligible_faces(self.exhibit.persons)
        reaching = persons_reaching_threshold(weighed, self.exhibit.parameters)
        counts = [
            sum(face.probability is not None for face in faces) for faces in (weighed, self.exhibit.persons)
        ]
        hides = any(map(is_covered, self.exhibit.persons))
        sentence = reasons.one_of_many(reaching, *counts, some_covered=hides)
        return OpenReason([sentence, *self._views(self._unstable)], reaching)

    def _doubtful(self) -> OpenReason:
        names, reaching = (
            self._doubtful_names(),
            persons_reaching_threshold(self.exhibit.persons, self.exhibit.parameters),
        )
        return OpenReason(
            reasons.doubtful(
                self.exhibit.is_photo, self.exhibit.parameters, names, reaching, self.in_few_frames
            ),
            names,
        )

    def _doubtful_names(self) -> list[str]:
        return doubtful_persons(self.exhibit.kind, self.exhibit.parameters, self.exhibit.persons)

    def _nothing_found(self) -> OpenReason:
        """Return the causes for an exhibit without any cause."""
        reaching = (
            []
            if self.exhibit.is_photo
            else persons_reaching_threshold(self.exhibit.persons, self.exhibit.parameters)
        )
        briefly = [name for name in reaching if name not in self.in_few_frames]
        sentence = reasons.nothing_found(self.exhibit, briefly)
        return OpenReason([sentence], briefly)


def person_ids(persons: Sequence[Person]) -> list[str]:
    """Return the ids of ``persons``."""
    return [person.id for person in persons]
