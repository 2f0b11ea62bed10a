"""What the analysis says of the whole exhibit: the rules, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.schema.analysis import Answers, Coverage, MediaKind, Parameters, Person, Segment, Verdict
from detector.verdict import reasons
from detector.verdict.judged_share import most_frames, mostly_judged, usable_of_all
from detector.verdict.stability import counted, flagged_persons, flagged_segments, is_unstable


def highest_probability(verdict: Verdict, persons: Sequence[Person]) -> float | None:
    """That some face was manipulated: the highest of any person who counts; None where nobody was judged."""
    figures = (person.probability for person in counted(verdict, persons))
    return max((figure for figure in figures if figure is not None), default=None)


def answers(verdict: Verdict, persons: Sequence[Person]) -> Answers | None:
    """What the second look says of the persons who count together; None without one."""
    looks = [person.second_look for person in counted(verdict, persons) if person.second_look is not None]
    if not looks:
        return None
    return Answers(
        altered=max(look.altered for look in looks), synthesised=max(look.synthesised for look in looks)
    )


def decide(
    kind: MediaKind,
    parameters: Parameters,
    coverage: Coverage,
    persons: Sequence[Person],
    segments: Sequence[Segment],
) -> tuple[Verdict, str]:
    """Verdict and reason. Nothing usable is inconclusive, never "no manipulation found"."""
    image = kind is MediaKind.IMAGE
    if not coverage.faces_found:
        return Verdict.INCONCLUSIVE, reasons.no_face(image, coverage)
    if coverage.faces_found == coverage.faces_unusable:
        return Verdict.INCONCLUSIVE, reasons.none_usable(image, parameters, coverage)
    unstable = sorted(filter(is_unstable, persons), key=lambda person: person.id)
    flagged = flagged_persons(persons, segments)
    if segments and not flagged:
        return Verdict.INCONCLUSIVE, reasons.unstable(parameters, unstable)
    if segments:
        return Verdict.MANIPULATED, reasons.manipulated(image, persons, flagged_segments(persons, segments))
    if not image and (best := most_frames(persons)) < parameters.minimum_usable_frames:
        return Verdict.INCONCLUSIVE, reasons.too_few_frames(parameters, persons, best)
    return _nothing_flagged(image, parameters, coverage, persons, unstable)


def _nothing_flagged(
    image: bool,
    parameters: Parameters,
    coverage: Coverage,
    persons: Sequence[Person],
    unstable: Sequence[Person],
) -> tuple[Verdict, str]:
    """What it means that no segment was found, though enough faces could be judged."""
    if not mostly_judged(coverage):
        usable, faces = usable_of_all(coverage)
        return Verdict.INCONCLUSIVE, reasons.mostly_not_judged(image, coverage, faces - usable, faces)
    if unstable:
        return Verdict.INCONCLUSIVE, reasons.unstable(parameters, unstable)
    briefly = _briefly_above(persons, parameters)
    doubtful = [
        person.id
        for person in persons
        if person.probability is not None
        and person.probability >= parameters.doubt_threshold
        and (image or person.usable_frames >= parameters.minimum_usable_frames)
    ]
    if doubtful:
        return Verdict.INCONCLUSIVE, reasons.doubtful(image, parameters, doubtful, briefly)
    return Verdict.NOT_FOUND, reasons.nothing_found(image, parameters, coverage, persons, briefly)


def _briefly_above(persons: Sequence[Person], parameters: Parameters) -> list[str]:
    """Who reached the threshold for a finding at some moment, though nothing was flagged."""
    return [
        person.id
        for person in persons
        if np.nanmax(person.scores.smoothed, initial=0.0) >= parameters.enter_threshold
    ]
