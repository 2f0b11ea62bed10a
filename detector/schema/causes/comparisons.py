"""What a comparison states: its result, differences, limits, and what was not compared."""

from __future__ import annotations

from detector.schema.causes.anomalies import decimals, parts, timecode_form
from detector.schema.causes.cause import PARAMETERS, Cause, CauseCode, Parameter, Words
from detector.schema.formatting import N_


def _stretches(words: Words, number: int) -> str:
    return words.fill(N_("one stretch") if number == 1 else N_("%(count)s stretches"), count=number)


def _how(words: Words, changes: tuple[Cause, ...]) -> str:
    return f", {parts(', ')(words, changes)}" if changes else ""


PARAMETERS |= {
    "bottom": Parameter(int, "pixels from the top of the exhibit's picture"),
    "different_parts": Parameter(int, "number of parts of the picture"),
    "end": Parameter(float, "seconds from the first frame", form=timecode_form),
    "face_factor": Parameter(
        float, "the face's difference by that which compression explains", form=decimals(".1f")
    ),
    "how": Parameter(tuple, "how the picture is changed", form=_how),
    "least_width": Parameter(float, "least width of a compared face, px", form=decimals("g")),
    "left_edge": Parameter(int, "pixels from the left of the exhibit's picture"),
    "part_factor": Parameter(
        float, "the part's difference by that which compression explains", form=decimals(".1f")
    ),
    "person": Parameter(str, "letters of a person"),
    "right": Parameter(int, "pixels from the left of the exhibit's picture"),
    "rotation": Parameter(float, "degrees", form=decimals(".1f")),
    "scale": Parameter(float, "length of a reference pixel in pixels of the exhibit", form=decimals(".2f")),
    "seen_faces": Parameter(int, "faces, counted frame by frame", form=decimals(",")),
    "shown": Parameter(float, "seconds of the reference that the exhibit shows", form=decimals(".1f")),
    "shown_share": Parameter(float, "share of the reference's picture", form=decimals(".0%")),
    "stretches": Parameter(int, "stretches of the reference that the exhibit shows", form=_stretches),
    "surroundings_factor": Parameter(
        float, "the same as face_factor, of the face's surroundings", form=decimals(".1f")
    ),
    "top": Parameter(int, "pixels from the top of the exhibit's picture"),
}


class ComparisonCode(CauseCode):
    """The result of a comparison."""

    UNRELATED = N_("The exhibit shows no part of the reference: the two files are unrelated.")
    SHOWS_PICTURE = N_("The exhibit shows the picture of the reference%(how)s.")
    SHOWS_MOMENT = N_("The exhibit shows the reference at %(start)s%(how)s.")
    SHOWS_STRETCHES = N_(
        "The exhibit shows %(stretches)s of the reference, %(shown)s seconds together%(how)s."
    )
    FACE_DIFFERS = N_(
        "In the photo the face of person %(person)s differs from the reference by %(face_factor)s times what "
        "compression, colour and scaling explain, while its surroundings differ by %(surroundings_factor)s "
        "times that."
    )
    FACE_DIFFERS_BETWEEN = N_(
        "Between %(start)s and %(end)s the face of person %(person)s differs from the reference by "
        "%(face_factor)s times what compression, colour and scaling explain, while its surroundings differ "
        "by %(surroundings_factor)s times that."
    )
    PART_DIFFERS = N_(
        "Part of the picture (x %(left_edge)s to %(right)s, y %(top)s to %(bottom)s) differs from the "
        "reference by %(part_factor)s times what compression, colour and scaling explain."
    )
    PART_DIFFERS_BETWEEN = N_(
        "Part of the picture between %(start)s and %(end)s (x %(left_edge)s to %(right)s, y %(top)s to "
        "%(bottom)s) differs from the reference by %(part_factor)s times what compression, colour and "
        "scaling explain."
    )
    NO_FACE_DIFFERS = N_("No face differs by more than compression, colour and scaling explain.")
    NO_FACE_COMPARED = N_("No face was found that could be compared.")
    ONE_PART_DIFFERS = N_("1 part of the picture beside the faces differs.")
    PARTS_DIFFER = N_("%(different_parts)s parts of the picture beside the faces differ.")


class PictureChangeCode(CauseCode):
    """How the exhibit's picture lies in that of the reference."""

    MIRRORED = N_("mirrored")
    RESIZED = N_("at %(scale)s times the size")
    TURNED = N_("turned by %(rotation)s degrees")
    CROPPED = N_("cropped to %(shown_share)s of its picture")


class GapCode(CauseCode):
    """What one of the files does not show of the other."""

    ONLY_IN_EXHIBIT = N_("shows nothing of the reference")
    LEFT_OUT = N_("is missing from the exhibit")
    BEFORE_EXHIBIT = N_("comes before what the exhibit shows")
    AFTER_EXHIBIT = N_("comes after what the exhibit shows")


class ComparisonLimitCode(CauseCode):
    """What a comparison does not say, and what it could not compare."""

    NO_ORIGINAL = N_(
        "Nothing in the comparison says which of the two files is the original: either may have been "
        "changed, unless Content Credentials or a custody record say which came first. A face that "
        "does not differ may be manipulated in both files."
    )
    NOT_AUTHENTIC = N_(
        "It does not say that the exhibit is authentic, only that no part of this reference was found "
        "in it. Parts that are shorter than half a second, fill less than a quarter of the picture, "
        "run backwards, or run at more than twice or less than half the speed may not be found."
    )
    SMALL_FACE = N_(
        "In one compared frame one face is less than %(least_width)s pixels wide in one of the files."
    )
    SMALL_FACES = N_(
        "%(seen_faces)s faces, counted frame by frame, are less than %(least_width)s pixels wide in one of "
        "the files."
    )
    HIDDEN_FACE = N_("In one compared frame one face lies where the reference shows nothing.")
    HIDDEN_FACES = N_("%(seen_faces)s faces, counted frame by frame, lie where the reference shows nothing.")
