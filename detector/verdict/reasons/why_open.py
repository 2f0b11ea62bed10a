"""Which sentences say what leaves a verdict open, and of whom they speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from detector.schema.analysis import Person
from detector.verdict.examined.judged_share import most_frames
from detector.verdict.judged_exhibit import JudgedExhibit
from detector.verdict.left_open import LeftOpen, doubtful_persons
from detector.verdict.persons.finding_basis import is_colourless, is_covered, is_unstable, weighed_faces
from detector.verdict.persons.flagged import covered_alone, who_reaches
from detector.verdict.reasons import doubt, no_finding, unjudged


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
                return Said([unjudged.no_face(image, coverage)], [])
            case LeftOpen.NONE_USABLE:
                return Said([unjudged.none_usable(image, self.exhibit.parameters, coverage)], [])
            case LeftOpen.UNCONFIRMED | LeftOpen.COLOURLESS | LeftOpen.COVERED:
                return self._flawed_segments()
            case LeftOpen.UNSTABLE:
                return Said(self._views(self._unstable), names_of(self._unstable))
            case LeftOpen.TOO_FEW_FRAMES:
                return self._too_few_frames()
            case LeftOpen.MOSTLY_DAMAGED:
                return Said([unjudged.mostly_damaged(coverage)], [])
            case LeftOpen.OUTWEIGHED:
                return self._outweighed()
            case LeftOpen.MOSTLY_NOT_JUDGED:
                return Said([unjudged.mostly_not_judged(image, coverage)], [])
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
        return [doubt.unstable(self.exhibit.parameters, persons)] if persons else []

    def _flawed_segments(self) -> Said:
        """Everybody with a segment is unstable, without colour or covered."""
        grey = who_reaches(list(filter(is_colourless, self.exhibit.persons)), self.exhibit.parameters)
        hidden = [
            name for name in covered_alone(self.exhibit.persons, self.exhibit.segments) if name not in grey
        ]
        others = [person for person in self._unstable if person.id not in (*grey, *hidden)]
        sentences = [*self._views(others), *doubt.colourless(grey), *doubt.covered(hidden)]
        return Said(sentences, [*names_of(self._unstable), *grey, *hidden])

    def _too_few_frames(self) -> Said:
        threshold = self.exhibit.parameters.enter_threshold
        high = [person for person in self.exhibit.persons if (person.probability or 0.0) >= threshold]
        if high:
            return Said([unjudged.too_few_frames(self.exhibit.parameters, high)], names_of(high))
        return Said(
            [unjudged.nobody_in_enough_frames(self.exhibit.parameters, most_frames(self.exhibit.persons))], []
        )

    def _outweighed(self) -> Said:
        weighed = weighed_faces(self.exhibit.persons)
        reaching = who_reaches(weighed, self.exhibit.parameters)
        judged = [
            sum(one.probability is not None for one in each) for each in (weighed, self.exhibit.persons)
        ]
        hides = any(map(is_covered, self.exhibit.persons))
        said = doubt.one_of_many(reaching, *judged, some_covered=hides)
        return Said([said, *self._views(self._unstable)], reaching)

    def _doubtful(self) -> Said:
        names, reaching = self._doubtful_names(), who_reaches(self.exhibit.persons, self.exhibit.parameters)
        return Said(
            doubt.doubtful(
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
        said = no_finding.nothing_found(self.exhibit, briefly)
        return Said([said], briefly)


def names_of(persons: Sequence[Person]) -> list[str]:
    """Names of ``persons``."""
    return [person.id for person in persons]
