"""Why a verdict is open where nothing, or too little, could be judged."""

from __future__ import annotations

from collections.abc import Sequence

from detector.faces.flaws import OF_OTHER_PICTURES, TOO_SMALL, either
from detector.schema.analysis import Coverage, Parameters, Person
from detector.schema.translatable import N_
from detector.verdict.reasons.words import counted, who


def no_face(image: bool, coverage: Coverage) -> str:
    """No face was found at all."""
    where = (
        N_("in the picture")
        if image
        else N_("in any of %(count)s") % {"count": counted(coverage.frames_sampled, "sampled frame")}
    )
    return N_("No face was found %(where)s, so there was nothing to judge.") % {"where": where}


def none_usable(image: bool, parameters: Parameters, coverage: Coverage) -> str:
    """Faces were found, and none could be judged."""
    if image and coverage.flaws:
        return _flaws_of_all(parameters, coverage)
    return N_(
        "Faces were found, but none is large (at least %(minimum_face)s pixels wide), "
        "clear and certain enough to judge."
    ) % {"minimum_face": f"{parameters.minimum_face:.0f}"}


def _flaws_of_all(parameters: Parameters, coverage: Coverage) -> str:
    """Why no face of a photograph was judged."""
    one = coverage.faces_found == 1
    outside = [flaw for flaw in coverage.flaws if flaw in OF_OTHER_PICTURES]
    others = [flaw for flaw in coverage.flaws if flaw not in OF_OTHER_PICTURES]
    if not outside:
        said = (
            N_("The face found is %(flaws)s to judge%(small)s.")
            if one
            else N_("The faces found are %(flaws)s to judge%(small)s.")
        )
        needed = N_("; at least %(minimum_face)s pixels of width are needed") % {
            "minimum_face": f"{parameters.minimum_face:.0f}"
        }
        return said % {"flaws": either(others), "small": needed if TOO_SMALL in others else ""}
    if others:
        said = N_("The faces found are %(flaws)s, others %(other_flaws)s to judge.")
    else:
        said = N_("The face found is %(flaws)s.") if one else N_("The faces found are %(flaws)s.")
    unmeasured = N_(
        "The networks were neither made for such pictures nor measured on them, so no figure is given."
    )
    return f"{said % {'flaws': either(outside), 'other_flaws': either(others)}} {unmeasured}"


def nobody_in_enough_frames(parameters: Parameters, most: int) -> str:
    """Nobody was judged in enough frames to be cleared; ``most`` is in how many somebody was."""
    return N_(
        "No person could be judged in more than %(count)s; %(needed)s before silence means anything."
    ) % {"count": counted(most, "sampled frame"), "needed": _needed(parameters)}


def too_few_frames(parameters: Parameters, high: Sequence[Person]) -> str:
    """The scores of ``high`` reach the threshold for a finding, in too few frames to judge them."""
    return N_(
        "%(who)s scored high, but could be judged in no more than %(frames)s, too few to judge: a finding "
        "takes several in a row over at least %(minimum_duration)s s, and %(needed)s to find none."
    ) % {
        "who": who([person.id for person in high]),
        "frames": counted(max(person.usable_frames for person in high), "sampled frame"),
        "minimum_duration": f"{parameters.minimum_duration:g}",
        "needed": _needed(parameters),
    }


def _needed(parameters: Parameters) -> str:
    return N_("at least %(minimum_usable_frames)s are needed") % {
        "minimum_usable_frames": parameters.minimum_usable_frames
    }


def mostly_damaged(coverage: Coverage) -> str:
    """Nothing was flagged, but most frames rest on pictures that are damaged or missing."""
    damaged = coverage.frames_from_damaged
    return N_(
        "Nothing was flagged, but most frames that would have been sampled (%(damaged)s of %(frames)s) rest "
        "on damaged or missing ones and were not looked at."
    ) % {"damaged": damaged, "frames": damaged + coverage.frames_sampled}


def mostly_not_judged(image: bool, coverage: Coverage) -> str:
    """Nothing was flagged, but most faces seen were unfit to be judged, or taken for none."""
    not_judged, faces = coverage.faces_unusable, coverage.faces_found
    if coverage.faces_discarded:
        return _mostly_discarded(image, coverage)
    said = (
        N_(
            "Nothing was flagged, but most faces seen (%(not_judged)s of %(faces)s) are outside what can be "
            "judged: %(flaws)s."
        )
        if image and any(flaw in OF_OTHER_PICTURES for flaw in coverage.flaws)
        else N_(
            "Nothing was flagged, but most faces seen (%(not_judged)s of %(faces)s) are too small, too "
            "unclear or too unsure to judge."
        )
    )
    return said % {"not_judged": not_judged, "faces": faces, "flaws": either(coverage.flaws)}


def _mostly_discarded(image: bool, coverage: Coverage) -> str:
    """The same where some were taken for no faces, which have none of the flaws of others."""
    said = N_(
        "Nothing was flagged, but most detections (%(left)s of %(all)s) were not judged: %(discarded)s taken "
        "for no faces, since the face detector was never sure of them%(not_judged)s."
    )
    unusable = N_("; %(not_judged)s of %(faces)s found could not be judged (%(flaws)s)") % {
        "faces": counted(coverage.faces_found, "face"),
        "not_judged": coverage.faces_unusable,
        "flaws": either(coverage.flaws)
        if image and coverage.flaws
        else N_("too small, too unclear or too unsure"),
    }
    return said % {
        "left": coverage.faces_unusable + coverage.faces_discarded,
        "all": coverage.faces_found + coverage.faces_discarded,
        "discarded": coverage.faces_discarded,
        "not_judged": unusable if coverage.faces_unusable else "",
    }
