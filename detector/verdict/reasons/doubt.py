"""Why a verdict is open where scores are too high to rule a finding out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from detector.schema.analysis import Parameters, Person
from detector.schema.logistic import finite_logit
from detector.schema.measurements.second_look import NEAR_THRESHOLD
from detector.schema.translatable import N_
from detector.verdict.reasons.words import counted, who


def unstable(parameters: Parameters, persons: Sequence[Person]) -> str:
    """Why the persons on whom views disagree leave the verdict open, by what the views disagree about."""
    contradicted, stretch, calm, moved = [], [], [], []
    for person in persons:
        look = person.second_look
        if look is not None and look.contradiction:
            contradicted.append(person.id)
        elif look is not None and look.contrasts:
            stretch.append(person.id)
        elif _calm(person, parameters):
            calm.append(person.id)
        else:
            moved.append(person.id)
    said = (
        (
            contradicted,
            N_(
                "%(who)s: the two networks contradict each other more than on anyone they were "
                "measured on, which happens with pictures made to mislead one of them."
            ),
        ),
        (
            stretch,
            N_(
                "%(who)s: a stretch stands out from the rest, but not in all of several views of the same "
                "pictures (mirrored, shifted, scaled, re-encoded)."
            ),
        ),
        (
            calm,
            N_(
                "%(who)s: small changes of the same pictures (mirrored, shifted, scaled, re-encoded) decide "
                "whether a stretch stands out from the rest or reaches the threshold."
            ),
        ),
        (
            moved,
            N_(
                "%(who)s: small changes of the same pictures (mirrored, shifted, scaled, re-encoded) "
                "move the score across the threshold."
            ),
        ),
    )
    return " ".join(words % {"who": who(names)} for names, words in said if names)


def _calm(person: Person, parameters: Parameters) -> bool:
    """Whether a person of a video scores so low that views were asked about a part of it alone."""
    if person.probability is None or person.usable_frames == 1:
        return False
    return finite_logit(person.probability) < finite_logit(parameters.enter_threshold) + NEAR_THRESHOLD[0]


def doubtful(
    image: bool,
    parameters: Parameters,
    names: Sequence[str],
    reaching: Collection[str],
    in_few_frames: Mapping[str, int],
) -> list[str]:
    """Nothing was flagged, but the scores of the persons ``names`` are too high to rule a finding out.

    Of those ``reaching`` the threshold, some do for long, but ``in_few_frames`` at a time: in how many.
    """
    if image:
        high = N_("%(who)s: the score is below the threshold for a finding, yet is too high to rule one out.")
        return [high % {"who": who(names)}]
    long = [name for name in names if name in in_few_frames]
    said = (
        (
            [name for name in names if name not in reaching],
            N_("no stretch reaches the threshold for a finding"),
        ),
        (
            [name for name in names if name in reaching and name not in in_few_frames],
            N_("the threshold for a finding is reached, but for less than %(minimum_duration)s s at a time")
            % {"minimum_duration": f"{parameters.minimum_duration:g}"},
        ),
        (
            long,
            N_("the threshold for a finding is reached, but in no more than %(frames)s at a time")
            % {"frames": _most_of(long, in_few_frames)},
        ),
    )
    return [
        N_("%(who)s: %(reached)s, but the score over all frames is too high to rule one out.")
        % {"who": who(some), "reached": reached}
        for some, reached in said
        if some
    ]


def reached(parameters: Parameters, names: Sequence[str], in_few_frames: Mapping[str, int]) -> list[str]:
    """Who reached the threshold and is not flagged: too briefly, or ``in_few_frames`` at a time."""
    briefly = [name for name in names if name not in in_few_frames]
    long = [name for name in names if name in in_few_frames]
    seconds = f"{parameters.minimum_duration:g}"
    found = []
    if long:
        words = N_(
            "%(who)s reached the threshold for a finding for at least %(minimum_duration)s s, but in no more "
            "than %(frames)s at a time, too few for one and too long to rule one out."
        )
        frames = _most_of(long, in_few_frames)
        found.append(words % {"who": who(long), "minimum_duration": seconds, "frames": frames})
    if briefly:
        words = N_(
            "%(who)s reached the threshold for a finding, but for less than %(minimum_duration)s s at a "
            "time, too short for one."
        )
        found.append(words % {"who": who(briefly), "minimum_duration": seconds})
    return found


def _most_of(names: Sequence[str], in_few_frames: Mapping[str, int]) -> str:
    return counted(max((in_few_frames[name] for name in names), default=0), "sampled frame")


def one_of_many(names: Sequence[str], weighed: int, judged: int, *, some_covered: bool = False) -> str:
    """The photo's faces ``names`` reach the threshold by themselves, but not among all that count.

    Of those ``judged``, ``weighed`` are the ones on which views agree and that are not covered.
    """
    said = N_(
        "%(who)s: above the threshold for a finding when taken alone; but of %(faces)s judged faces one is "
        "so by chance more easily than of one, and together they do not reach it."
    )
    if weighed < judged:
        said = N_(
            "%(who)s: above the threshold for a finding when taken alone; but of %(faces)s faces on which "
            "views agree one is so by chance more easily than of one, and together they do not reach it."
        )
    if weighed < judged and some_covered:
        said = N_(
            "%(who)s: above the threshold for a finding when taken alone; but of %(faces)s faces on which "
            "views agree and that are not covered one is so by chance more easily than of one, and together "
            "they do not reach it."
        )
    return said % {"who": who(names), "faces": weighed}


def colourless(names: Sequence[str]) -> list[str]:
    """The persons ``names`` reach the threshold by faces without colour, on which no finding rests."""
    words = N_(
        "%(who)s: the threshold for a finding is reached, but by faces without colour, or toned in one, "
        "which score higher, manipulated or not."
    )
    return [words % {"who": who(names)}] if names else []


def covered(names: Sequence[str]) -> list[str]:
    """The persons ``names`` reach the threshold by faces that are covered in part, likewise."""
    words = N_(
        "%(who)s: the threshold for a finding is reached, but mouth or eyes seem covered, as by a mask, a "
        "hand or a caption, which can raise a score by itself."
    )
    return [words % {"who": who(names)}] if names else []
