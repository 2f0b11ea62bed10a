"""Reasons of the verdict on the faces."""

from __future__ import annotations

from collections.abc import Sequence
from enum import member

from detector.schema.causes.cause import CauseCode, Words
from detector.schema.formatting import N_

_TRACES = {  # by the value of `ManipulationKind`
    "face swap or edit": N_("face that was replaced or altered"),
    "generated face": N_("face generated as a whole"),
}


_APART = N_("; the face there differs from the same person's face elsewhere")


def _kind(words: Words, traces: str, kinds: Sequence[str], persons: Sequence[str]) -> str:
    """Return the clause about the kind of manipulation, of all or of each of the ``persons``."""
    if traces:
        return words.fill(
            N_("; the traces are those of a %(traces)s"),
            traces=words.message(_TRACES[traces]),
        )
    if kinds and not any(kinds):
        return words.fill(
            N_("; the traces do not show whether it was swapped or edited, or generated as a whole")
        )
    names = (words.message(name or N_("kind not told")) for name in kinds)
    clauses = (f"{person}: {name}" for person, name in zip(persons, names, strict=True))
    return f"; {', '.join(clauses)}" if kinds else ""


def _manipulated(
    words: Words,
    persons: Sequence[str],
    segments: int,
    traces: str = "",
    kinds: Sequence[str] = (),
    judged_persons: Sequence[str] = (),
    contrast: bool = False,
) -> str:
    """%(who)s: %(count)s flagged as manipulated[; kind][; contrast]."""
    return words.fill(
        N_("%(who)s: %(count)s flagged as manipulated%(kind)s%(contrast)s."),
        who=words.persons(persons),
        count=words.count(segments, "segment"),
        kind=_kind(words, traces, kinds, judged_persons),
        contrast=words.fill(_APART) if contrast else "",
    )


def _photo_manipulated(
    words: Words,
    persons: Sequence[str],
    traces: str = "",
    kinds: Sequence[str] = (),
    judged_persons: Sequence[str] = (),
    contrast: bool = False,
) -> str:
    """%(who)s: the face carries traces of manipulation[; kind][; contrast]."""
    return words.fill(
        N_("%(who)s: the face carries traces of manipulation%(kind)s%(contrast)s."),
        who=words.persons(persons),
        kind=_kind(words, traces, kinds, judged_persons),
        contrast=words.fill(_APART) if contrast else "",
    )


def _briefly_above_threshold(
    words: Words, persons: Sequence[str], judged: int, frames: int, minimum_duration: float
) -> str:
    """%(judged)s persons judged in %(frames)s; %(who)s reached the threshold for a finding, but for less
    than %(minimum_duration)s s at a time, which is too short for one."""
    people = (
        N_("1 person judged in %(frames)s") if judged == 1 else N_("%(judged)s persons judged in %(frames)s")
    )
    return words.fill(
        N_(
            "%(seen)s; %(who)s reached the threshold for a finding, but for less than "
            "%(minimum_duration)s s at a time, which is too short for one."
        ),
        seen=words.fill(people, judged=judged, frames=words.count(frames, "sampled frame")),
        who=words.persons(persons),
        minimum_duration=words.number(f"{minimum_duration:g}"),
    )


def _doubtful(
    words: Words, persons: Sequence[str], minimum_duration: float | None = None, frames: int | None = None
) -> str:
    """%(who)s: the threshold is not reached, or too briefly, or in too few frames, but the score over
    all frames is too high to rule one out."""
    reached = words.fill(N_("no stretch reaches the threshold for a finding"))
    if minimum_duration is not None:
        reached = words.fill(
            N_("the threshold for a finding is reached, but for less than %(minimum_duration)s s at a time"),
            minimum_duration=words.number(f"{minimum_duration:g}"),
        )
    elif frames is not None:
        reached = words.fill(
            N_("the threshold for a finding is reached, but in no more than %(frames)s at a time"),
            frames=words.count(frames, "sampled frame"),
        )
    return words.fill(
        N_("%(who)s: %(reached)s, but the score over all frames is too high to rule one out."),
        who=words.persons(persons),
        reached=reached,
    )


def _no_face(words: Words, frames: int | None = None) -> str:
    """No face was found in the picture, or in any of %(frames)s, so none was judged."""
    if frames is None:
        where = words.fill(N_("in the picture"))
    else:
        where = words.fill(N_("in any of %(count)s"), count=words.count(frames, "sampled frame"))
    return words.fill(N_("No face was found %(where)s, so none was judged."), where=where)


def _photo_flaws(words: Words, faces: int, flaws: Sequence[str], minimum_face: float | None = None) -> str:
    """The faces found are %(flaws)s to judge[; least width]."""
    needed = ""
    if minimum_face is not None:
        needed = words.fill(
            N_("; at least %(minimum_face)s pixels of width are needed"),
            minimum_face=words.number(f"{minimum_face:.0f}"),
        )
    return words.fill(
        N_("The face found is %(flaws)s to judge%(small)s.")
        if faces == 1
        else N_("The faces found are %(flaws)s to judge%(small)s."),
        flaws=words.flaws(flaws),
        small=needed,
    )


def _other_pictures(words: Words, faces: int, flaws: Sequence[str], other_flaws: Sequence[str] = ()) -> str:
    """The faces found are %(flaws)s[, others %(other_flaws)s to judge]. The networks were neither made
    for such pictures nor measured on them, so no figure is given."""
    text = N_("The face found is %(flaws)s.") if faces == 1 else N_("The faces found are %(flaws)s.")
    if other_flaws:
        text = N_("The faces found are %(flaws)s, others %(other_flaws)s to judge.")
    unmeasured = N_(
        "The networks were neither made for such pictures nor measured on them, so no figure is given."
    )
    sentence = words.fill(text, flaws=words.flaws(flaws), other_flaws=words.flaws(other_flaws))
    return f"{sentence} {words.fill(unmeasured)}"


def _too_few_frames(words: Words, frames: int, minimum_usable_frames: int) -> str:
    """No person could be judged in more than %(frames)s; at least %(minimum_usable_frames)s are needed
    for a conclusion."""
    return words.fill(
        N_("No person could be judged in more than %(count)s; %(needed)s for a conclusion."),
        count=words.count(frames, "sampled frame"),
        needed=words.needed(minimum_usable_frames),
    )


def _mostly_damaged(words: Words, damaged: int, total: int) -> str:
    """No face was flagged, but most frames that would have been sampled (%(damaged)s of %(total)s) depend
    on damaged or missing ones and were not examined."""
    return words.fill(
        N_(
            "No face was flagged, but most frames that would have been sampled (%(damaged)s of "
            "%(frames)s) depend on damaged or missing ones and were not examined."
        ),
        damaged=damaged,
        frames=total,
    )


def _mostly_discarded(
    words: Words, left: int, total: int, discarded: int, faces: int, unusable: int, flaws: Sequence[str] = ()
) -> str:
    """No face was flagged, but most detections (%(left)s of %(total)s) were not judged: %(discarded)s
    were not accepted as faces, since the face detector was never sure of them[; %(unusable)s of %(faces)s not
    judged]."""
    not_judged = words.fill(
        N_("; %(not_judged)s of %(faces)s found could not be judged (%(flaws)s)"),
        faces=words.count(faces, "face"),
        not_judged=unusable,
        flaws=words.flaws(flaws) if flaws else words.fill(N_("too small, too unclear or too unsure")),
    )
    return words.fill(
        N_(
            "No face was flagged, but most detections (%(left)s of %(all)s) were not judged: "
            "%(discarded)s were not accepted as faces, since the face detector was never sure of "
            "them%(not_judged)s."
        ),
        left=left,
        all=total,
        discarded=discarded,
        not_judged=not_judged if unusable else "",
    )


class ReasonCode(CauseCode):
    """Why the verdict on the faces is what it is."""

    MANIPULATED = member(_manipulated)
    PHOTO_MANIPULATED = member(_photo_manipulated)
    PHOTO_BELOW_THRESHOLD = N_("1 usable face was judged; it did not reach the threshold for a finding.")
    PHOTO_FACES_BELOW_THRESHOLD = N_(
        "%(usable)s usable faces were judged; none reached the threshold for a finding."
    )
    PERSON_BELOW_THRESHOLD = N_("1 person judged in %(frames)s; none reached the threshold for a finding.")
    PERSONS_BELOW_THRESHOLD = N_(
        "%(judged)s persons judged in %(frames)s; none reached the threshold for a finding."
    )
    BRIEFLY_ABOVE_THRESHOLD = member(_briefly_above_threshold)
    UNJUDGED_PERSONS = N_("No statement is made about %(who)s, judged in fewer than %(frames)s.")
    UNJUDGED_OTHERS = N_("No statement is made about %(count)s others, judged in fewer than %(frames)s.")
    CONTRADICTION = N_(
        "%(who)s: the two networks contradict each other more than on any person they were measured "
        "on, as with pictures made to mislead one of them."
    )
    UNSTABLE_CONTRAST = N_(
        "%(who)s: a stretch stands out from the rest, but not in all of several views of the same pictures "
        "(mirrored, shifted, scaled, re-encoded)."
    )
    UNSTABLE_STRETCH = N_(
        "%(who)s: small changes of the same pictures (mirrored, shifted, scaled, re-encoded) decide whether "
        "a stretch stands out from the rest or reaches the threshold."
    )
    UNSTABLE_SCORE = N_(
        "%(who)s: small changes of the same pictures (mirrored, shifted, scaled, re-encoded) move the score "
        "across the threshold."
    )
    DOUBTFUL_PHOTO = N_(
        "%(who)s: the score is below the threshold for a finding, yet is too high to rule one out."
    )
    REACHED_IN_FEW_FRAMES = N_(
        "%(who)s reached the threshold for a finding for at least %(minimum_duration)s s, but in no more "
        "than %(frames)s at a time, too few for one and too long to rule one out."
    )
    REACHED_BRIEFLY = N_(
        "%(who)s reached the threshold for a finding, but for less than %(minimum_duration)s s at a time, "
        "too short for one."
    )
    OUTWEIGHED = N_(
        "%(who)s: on its own above the threshold for a finding; but among %(faces)s judged faces, one "
        "reaches it by chance more easily, and all of them together do not reach it."
    )
    OUTWEIGHED_AMONG_STABLE = N_(
        "%(who)s: on its own above the threshold for a finding; but among %(faces)s faces on which "
        "views agree, one reaches it by chance more easily, and all of them together do not reach it."
    )
    OUTWEIGHED_AMONG_UNCOVERED = N_(
        "%(who)s: on its own above the threshold for a finding; but among %(faces)s faces on which "
        "views agree and that are not covered, one reaches it by chance more easily, and all of them "
        "together do not reach it."
    )
    REACHED_WITHOUT_COLOUR = N_(
        "%(who)s: the threshold for a finding is reached, but by faces without colour, or toned in one, "
        "which score higher, manipulated or not."
    )
    REACHED_WHILE_COVERED = N_(
        "%(who)s: the threshold for a finding is reached, but mouth or eyes seem covered, as by a mask, a "
        "hand or a caption, which can raise a score by itself."
    )
    NONE_USABLE = N_(
        "Faces were found, but none is large (at least %(minimum_face)s pixels wide), clear and certain "
        "enough to judge."
    )
    HIGH_IN_FEW_FRAMES = N_(
        "%(who)s scored high, but could be judged in no more than %(frames)s, too few to judge: a finding "
        "takes several in a row over at least %(minimum_duration)s s, and %(needed)s to find none."
    )
    MOSTLY_OTHER_PICTURES = N_(
        "No face was flagged, but most faces seen (%(not_judged)s of %(faces)s) are outside what can be "
        "judged: %(flaws)s."
    )
    MOSTLY_UNUSABLE = N_(
        "No face was flagged, but most faces seen (%(not_judged)s of %(faces)s) are too small, too unclear "
        "or too unsure to judge."
    )
    NO_PICTURE = N_("The exhibit is a recording of sound without picture, so no face was examined.")
    PICTURES_NOT_READ = N_("No picture of the file can be read, and no face was examined. %(problem)s")
    FACES_ERROR = N_("No face was examined, because of an unexpected error (%(error)s).")
    FACES_OUT_OF_MEMORY = N_("No face was examined: reading the pictures needs more memory than is allowed.")
    DOUBTFUL = member(_doubtful)
    NO_FACE = member(_no_face)
    PHOTO_FLAWS = member(_photo_flaws)
    OTHER_PICTURES = member(_other_pictures)
    TOO_FEW_FRAMES = member(_too_few_frames)
    MOSTLY_DAMAGED = member(_mostly_damaged)
    MOSTLY_DISCARDED = member(_mostly_discarded)
