"""Whether so much of an exhibit could be judged that finding nothing means something."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Coverage, Parameters, Person

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
