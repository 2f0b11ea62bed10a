"""The reasons of a verdict: which sentences the rules of the verdict use, with their parameters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from detector.faces.flaws import PHOTO_FLAWS, TOO_SMALL
from detector.schema.analysis import Coverage, Media, Parameters, Person, Segment
from detector.schema.causes.cause import Cause, CauseCode, CauseParameter
from detector.schema.causes.reasons import ReasonCode
from detector.schema.causes.remarks import RemarkCode
from detector.schema.codec_names import codec_name
from detector.schema.measurements import NEAR_THRESHOLD
from detector.schema.scores import finite_logit
from detector.verdict.judged_persons import (
    MOST_GREY,
    JudgedExhibit,
    common_kind,
    is_judged_enough,
    kind_from_second_look,
)
from detector.verdict.validated_domain import MEASURED_CODECS


def manipulated(image: bool, persons: Sequence[Person], segments: Sequence[Segment]) -> Cause:
    """Return the reason for a finding that rests on ``segments``."""
    flagged = sorted({segment.person for segment in segments})
    parameters: dict[str, CauseParameter] = {"persons": tuple(flagged)}
    looks = {person.id: person.second_look for person in persons}
    kinds = {
        person.id: kind_from_second_look(person.second_look)
        for person in persons
        if person.id in flagged and person.second_look
    }
    if (kind := common_kind(persons, flagged)) is not None:
        parameters["traces"] = str(kind)
    elif image and kinds:
        parameters |= {
            "judged_persons": tuple(kinds),
            "kinds": tuple(str(kind or "") for kind in kinds.values()),
        }
    if any(
        contrast.start <= segment.end and contrast.end >= segment.start
        for segment in segments
        if (look := looks.get(segment.person))
        for contrast in look.contrasts
    ):
        parameters["contrast"] = True
    if image:
        return ReasonCode.PHOTO_MANIPULATED.cause(**parameters)
    return ReasonCode.MANIPULATED.cause(segments=len(segments), **parameters)


_MOST_NAMED = 4  # maximum number of unjudged persons listed by name


def nothing_found(exhibit: JudgedExhibit, briefly: Sequence[str]) -> Cause:
    """Return the reason where nothing was flagged; ``briefly`` names who reached the threshold."""
    coverage = exhibit.coverage
    if exhibit.is_photo:
        usable = coverage.faces_found - coverage.faces_unusable
        if usable == 1:
            return ReasonCode.PHOTO_BELOW_THRESHOLD.cause()
        return ReasonCode.PHOTO_FACES_BELOW_THRESHOLD.cause(usable=usable)
    judged = sum(is_judged_enough(exhibit.parameters, person) for person in exhibit.persons)
    frames = coverage.frames_with_usable_face
    if briefly:
        return ReasonCode.BRIEFLY_ABOVE_THRESHOLD.cause(
            persons=tuple(briefly),
            judged=judged,
            frames=frames,
            minimum_duration=exhibit.parameters.minimum_duration,
        )
    if judged == 1:
        return ReasonCode.PERSON_BELOW_THRESHOLD.cause(frames=frames)
    return ReasonCode.PERSONS_BELOW_THRESHOLD.cause(judged=judged, frames=frames)


def nothing_said_of(parameters: Parameters, unjudged: Sequence[Person]) -> list[Cause]:
    """Return the sentence about persons who could not be judged, after a reason that found nothing."""
    frames = parameters.minimum_usable_frames
    if len(unjudged) > _MOST_NAMED:
        return [ReasonCode.UNJUDGED_OTHERS.cause(count=len(unjudged), frames=frames)]
    return _of_persons(ReasonCode.UNJUDGED_PERSONS, [person.id for person in unjudged], frames=frames)


def _of_persons(code: CauseCode, names: Sequence[str], **parameters: CauseParameter) -> list[Cause]:
    """Return the sentence about persons, if there are any."""
    return [code.cause(persons=tuple(names), **parameters)] if names else []


def unstable(parameters: Parameters, persons: Sequence[Person]) -> list[Cause]:
    """Return why persons on whom views disagree leave the verdict open, by what the views disagree about."""
    by_code: dict[CauseCode, list[str]] = {
        ReasonCode.CONTRADICTION: [],
        ReasonCode.UNSTABLE_CONTRAST: [],
        ReasonCode.UNSTABLE_STRETCH: [],
        ReasonCode.UNSTABLE_SCORE: [],
    }
    for person in persons:
        look = person.second_look
        if look is not None and look.contradiction:
            code = ReasonCode.CONTRADICTION
        elif look is not None and look.contrasts:
            code = ReasonCode.UNSTABLE_CONTRAST
        else:
            calm = _calm(person, parameters)
            code = ReasonCode.UNSTABLE_STRETCH if calm else ReasonCode.UNSTABLE_SCORE
        by_code[code].append(person.id)
    return [statement for code, names in by_code.items() for statement in _of_persons(code, names)]


def _calm(person: Person, parameters: Parameters) -> bool:
    """Check whether a person of a video scores so low that views were computed for a part of it only."""
    if person.probability is None or person.usable_frames == 1:
        return False
    return finite_logit(person.probability) < finite_logit(parameters.enter_threshold) + NEAR_THRESHOLD[0]


def doubtful(
    image: bool,
    parameters: Parameters,
    names: Sequence[str],
    reaching: Collection[str],
    in_few_frames: Mapping[str, int],
) -> list[Cause]:
    """Return the sentences for persons whose scores are too high to rule a finding out.

    Of those ``reaching`` the threshold, some do for long enough, but only ``in_few_frames`` at a time.
    """
    if image:
        return [ReasonCode.DOUBTFUL_PHOTO.cause(persons=tuple(names))]
    below = [name for name in names if name not in reaching]
    brief = [name for name in names if name in reaching and name not in in_few_frames]
    few = [name for name in names if name in in_few_frames]
    return [
        *_of_persons(ReasonCode.DOUBTFUL, below),
        *_of_persons(ReasonCode.DOUBTFUL, brief, minimum_duration=parameters.minimum_duration),
        *_of_persons(ReasonCode.DOUBTFUL, few, frames=_most_of(few, in_few_frames)),
    ]


def reached(parameters: Parameters, names: Sequence[str], in_few_frames: Mapping[str, int]) -> list[Cause]:
    """Return the sentences about persons who reached the threshold too briefly or in too few frames."""
    few = [name for name in names if name in in_few_frames]
    brief = [name for name in names if name not in in_few_frames]
    seconds = parameters.minimum_duration
    frames = _most_of(few, in_few_frames)
    return [
        *_of_persons(ReasonCode.REACHED_IN_FEW_FRAMES, few, minimum_duration=seconds, frames=frames),
        *_of_persons(ReasonCode.REACHED_BRIEFLY, brief, minimum_duration=seconds),
    ]


def _most_of(names: Sequence[str], in_few_frames: Mapping[str, int]) -> int:
    return max((in_few_frames[name] for name in names), default=0)


def one_of_many(names: Sequence[str], weighed: int, judged: int, *, some_covered: bool = False) -> Cause:
    """Return the sentence for faces of a photo that reach the threshold alone, but not among all.

    ``weighed`` of the ``judged`` faces are stable in all views and not covered.
    """
    code = ReasonCode.OUTWEIGHED
    if weighed < judged:
        code = ReasonCode.OUTWEIGHED_AMONG_STABLE
        if some_covered:
            code = ReasonCode.OUTWEIGHED_AMONG_UNCOVERED
    return code.cause(persons=tuple(names), faces=weighed)


def colourless_doubt(names: Sequence[str]) -> list[Cause]:
    """Return the sentence for persons who reach the threshold with faces without colour."""
    return _of_persons(ReasonCode.REACHED_WITHOUT_COLOUR, names)


def covered_doubt(names: Sequence[str]) -> list[Cause]:
    """Return the sentence for persons who reach the threshold with partly covered faces."""
    return _of_persons(ReasonCode.REACHED_WHILE_COVERED, names)


def no_face(image: bool, coverage: Coverage) -> Cause:
    """Return the sentence for an exhibit in which no face was found."""
    return ReasonCode.NO_FACE.cause() if image else ReasonCode.NO_FACE.cause(frames=coverage.frames_sampled)


def none_usable(image: bool, parameters: Parameters, coverage: Coverage) -> Cause:
    """Return the sentence for an exhibit with faces of which none could be judged."""
    if not image or not coverage.flaws:
        return ReasonCode.NONE_USABLE.cause(minimum_face=parameters.minimum_face)
    outside = tuple(flaw for flaw in coverage.flaws if flaw in PHOTO_FLAWS)
    others = tuple(flaw for flaw in coverage.flaws if flaw not in PHOTO_FLAWS)
    faces = coverage.faces_found
    if outside and others:
        return ReasonCode.OTHER_PICTURES.cause(faces=faces, flaws=outside, other_flaws=others)
    if outside:
        return ReasonCode.OTHER_PICTURES.cause(faces=faces, flaws=outside)
    if TOO_SMALL in others:
        return ReasonCode.PHOTO_FLAWS.cause(faces=faces, flaws=others, minimum_face=parameters.minimum_face)
    return ReasonCode.PHOTO_FLAWS.cause(faces=faces, flaws=others)


def nobody_in_enough_frames(parameters: Parameters, most: int) -> Cause:
    """Return the sentence for a video in which nobody was judged in more than ``most`` frames."""
    return ReasonCode.TOO_FEW_FRAMES.cause(
        frames=most, minimum_usable_frames=parameters.minimum_usable_frames
    )


def too_few_frames(parameters: Parameters, high: Sequence[Person]) -> Cause:
    """Return the sentence for persons who score high in too few frames."""
    return ReasonCode.HIGH_IN_FEW_FRAMES.cause(
        persons=tuple(person.id for person in high),
        frames=max(person.usable_frames for person in high),
        minimum_duration=parameters.minimum_duration,
        minimum_usable_frames=parameters.minimum_usable_frames,
    )


def mostly_damaged(coverage: Coverage) -> Cause:
    """Return the sentence for an exhibit most of whose frames depend on damaged or missing pictures."""
    damaged = coverage.frames_from_damaged
    return ReasonCode.MOSTLY_DAMAGED.cause(damaged=damaged, total=damaged + coverage.frames_sampled)


def mostly_not_judged(image: bool, coverage: Coverage) -> Cause:
    """Return the sentence for an exhibit most of whose faces were unusable or discarded."""
    unusable, faces = coverage.faces_unusable, coverage.faces_found
    if discarded := coverage.faces_discarded:
        flaws = tuple(coverage.flaws) if image else ()
        return ReasonCode.MOSTLY_DISCARDED.cause(
            left=unusable + discarded, total=faces + discarded, discarded=discarded,
            faces=faces, unusable=unusable, flaws=flaws,
        )  # fmt: skip
    if image and any(flaw in PHOTO_FLAWS for flaw in coverage.flaws):
        return ReasonCode.MOSTLY_OTHER_PICTURES.cause(
            not_judged=unusable, faces=faces, flaws=tuple(coverage.flaws)
        )
    return ReasonCode.MOSTLY_UNUSABLE.cause(not_judged=unusable, faces=faces)


def mostly_grey_note(coverage: Coverage) -> list[Cause]:
    """Return the note for a video with mostly grey faces."""
    grey = coverage.quality is not None and coverage.quality.grey > MOST_GREY
    return [RemarkCode.MOSTLY_GREY.cause()] if grey else []


def motionless_note(names: Sequence[str]) -> list[Cause]:
    """Return the note about persons whose picture does not move."""
    return _of_persons(RemarkCode.MOTIONLESS, names)


def covered_note(names: Sequence[str]) -> list[Cause]:
    """Return the note about persons with covered faces whom the reason does not mention."""
    return _of_persons(RemarkCode.COVERED, names)


def other_codec_note(codec: str, coverage: Coverage) -> list[Cause]:
    """Return the note for a video in a codec without measurements; ``codec`` is FFmpeg's name."""
    if codec in MEASURED_CODECS or not coverage.frames_with_usable_face:
        return []
    return [RemarkCode.OTHER_CODEC.cause(codec=codec_name(codec))]


def bars_note(coverage: Coverage) -> list[Cause]:
    """Return the note for a video whose picture lies between bars."""
    bars = coverage.bars
    if bars is None:
        return []
    return [RemarkCode.BARS.cause(frames=bars.frames, width=bars.width, height=bars.height)]


def enlarged_note(media: Media, coverage: Coverage) -> list[Cause]:
    """Return the note for a video whose pictures seem enlarged."""
    if media.enlarged <= 1 or not coverage.faces_found:
        return []
    width, height = (round(side / media.enlarged) for side in (media.width, media.height))
    return [RemarkCode.ENLARGED.cause(width=width, height=height)]
