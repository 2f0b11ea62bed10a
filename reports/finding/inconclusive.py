"""Sentences on an inconclusive verdict: why it is open, what may help, what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from detector.schema.analysis import Analysis
from detector.verdict import left_open
from detector.verdict.judged_persons import mostly_discarded, nobody_moves_in
from detector.verdict.left_open import LeftOpen
from reports.language.translation import N_, gettext
from reports.wording import photographs
from reports.wording import photographs as wording_photographs


@dataclass(frozen=True)
class _Remedy:
    """What may help, and what is to be done; both are messages.

    ``first`` comes before :func:`photographs.next_steps` of a photograph, and is empty where those are all.
    """

    may_help: str
    first: str


_CHANGES_EASILY = N_(
    "The answer changes too easily with small changes of the same pictures, or the two networks "
    "contradict each other too much, for a finding in either direction."
)

# Why nothing can be said, where the cause alone decides the sentence.
_WHY: dict[LeftOpen, str] = {
    LeftOpen.NO_FACE: N_("No face was found, so nothing was judged."),
    LeftOpen.UNCONFIRMED: _CHANGES_EASILY,
    LeftOpen.UNSTABLE: _CHANGES_EASILY,
    LeftOpen.COLOURLESS: N_(
        "The threshold for a finding is reached, but by faces without colour, or toned in one, which "
        "score higher, manipulated or not."
    ),
    LeftOpen.TOO_FEW_FRAMES: N_("Nobody could be judged in enough frames for a finding in either direction."),
    LeftOpen.MOSTLY_DAMAGED: N_(
        "Most frames that would have been sampled rest on damaged or missing ones and were not looked at."
    ),
    LeftOpen.OUTWEIGHED: N_(
        "A face reaches the threshold by itself, but not among all that were judged: of many "
        "unmanipulated faces one does so by chance more easily than one alone."
    ),
    LeftOpen.DOUBTFUL: N_("The scores are not enough for a finding, and too high to rule one out."),
    LeftOpen.HIGH_IN_FEW_FRAMES: N_(
        "Somebody scored high, but could be judged in too few frames for a finding."
    ),
    LeftOpen.MOTIONLESS: N_(
        "The picture does not move, as where a photograph is shown in a video: rules for videos miss "
        "generated faces that those for photographs find."
    ),
}

_IN_COLOUR = _Remedy(
    N_("A copy in colour, if there is one, may allow a finding."),
    N_("Look for a copy, or another recording, in colour, and analyse that."),
)
_UNCOVERED_PHOTOGRAPH = _Remedy(
    N_("Another picture in which mouth and eyes are to be seen may allow a finding."),
    N_("Look for another picture in which mouth and eyes are to be seen."),
)
_UNCOVERED_PASSAGE = _Remedy(
    N_(
        "A passage, another recording or another copy in which mouth and eyes are to be seen may "
        "allow a finding."
    ),
    N_(
        "Look for a passage, another recording or another copy in which mouth and eyes are to be "
        "seen, and analyse that."
    ),
)
_LONGER_COPY = _Remedy(
    N_("A longer or better copy of the same recording may allow a finding."),
    N_("Obtain a longer or better copy of the same recording, the original if possible, and analyse that."),
)
_UNDAMAGED_COPY = _Remedy(
    N_("An undamaged copy of the same recording may allow a finding."),
    N_("Obtain an undamaged copy of the same recording, the original if possible, and analyse that."),
)
_BETTER_COPY = _Remedy(
    N_("A better copy of the same recording may allow a finding."),
    N_("Obtain a better copy of the same recording, the original if possible, and analyse that."),
)
_BETTER_COPY_IF_FACES_ARE_SEEN = _Remedy(
    N_("If faces are to be seen in it, a better copy of the same recording may allow a finding."),
    N_(
        "If faces are to be seen in it, obtain a better copy of the same recording, the original "
        "if possible, and analyse that."
    ),
)
_AS_PHOTOGRAPH = _Remedy(
    N_("Handed in as a photograph, the picture itself or a frame of the video may allow a finding."),
    N_("Hand in the picture itself, or a frame of the video, as a photograph."),
)
_ORIGINAL_PHOTOGRAPH = _Remedy(
    N_("The original file, larger and not passed on through other programs, may allow a finding."),
    "",
)
_OUTWEIGHED_PHOTOGRAPH = _Remedy(
    _ORIGINAL_PHOTOGRAPH.may_help,
    N_(
        "Look yourself at the face that the reason names; cut out and analysed alone it may be "
        "flagged, which says nothing new."
    ),
)


def meaning(analysis: Analysis) -> tuple[str, ...]:
    """What an open verdict says: why nothing can be said, and what may help."""
    return _why(analysis), gettext(_remedy(analysis).may_help)


def next_steps(analysis: Analysis) -> str:
    """What to do now about an open verdict."""
    then = gettext("Until then this analysis speaks neither for nor against the file.")
    if analysis.media.still:
        then = photographs.next_steps()
    first = _remedy(analysis).first
    return f"{gettext(first)} {then}" if first else then


def _why(analysis: Analysis) -> str:
    """Why nothing can be said; on a page it may follow that nothing was flagged."""
    cause = left_open.why(analysis)
    match cause:
        case LeftOpen.NONE_USABLE:
            return _none_usable(analysis)
        case LeftOpen.MOSTLY_NOT_JUDGED:
            return _mostly_not_judged(analysis)
        case LeftOpen.COVERED | LeftOpen.ALL_COVERED:
            return wording_photographs.why_covered_is_open()
        case None:  # others than those told apart, and what versions before this one left open
            return _other(analysis)
        case _:
            return gettext(_WHY[cause])


def _none_usable(analysis: Analysis) -> str:
    if _of_other_kinds(analysis):
        return gettext(
            "No face could be judged: too small, too unclear, or of a kind that the "
            "networks were not made for."
        )
    return gettext("No face could be judged: too small or too unclear.")


def _mostly_not_judged(analysis: Analysis) -> str:
    if mostly_discarded(analysis.coverage):
        return gettext(
            "Most of what the face detector found was taken for no faces and not judged: it was never "
            "sure of them."
        )
    if _of_other_kinds(analysis):
        return gettext(
            "Most faces could not be judged: too small, too unclear, or of a kind that the "
            "networks were not made for."
        )
    return gettext("Most faces could not be judged: too small or too unclear.")


def _of_other_kinds(analysis: Analysis) -> bool:
    """Whether faces of a photograph may be left out as of another kind than the networks were made for."""
    return analysis.media.still and bool(photographs.told_apart(analysis.parameters))


def _other(analysis: Analysis) -> str:
    if analysis.media.still:
        return gettext(
            "The answers lie too near the thresholds, or change too easily, for a finding in either "
            "direction."
        )
    return gettext(
        "The scores lie too near the thresholds, change too easily, or are of too few frames, for a "
        "finding in either direction."
    )


def _remedy(analysis: Analysis) -> _Remedy:
    """What may allow a finding; only of photographs a face is outweighed."""
    still, cause = analysis.media.still, left_open.why(analysis)
    match cause:
        case LeftOpen.COLOURLESS:
            return _IN_COLOUR
        case LeftOpen.COVERED | LeftOpen.ALL_COVERED:
            return _UNCOVERED_PHOTOGRAPH if still else _UNCOVERED_PASSAGE
        case LeftOpen.TOO_FEW_FRAMES | LeftOpen.HIGH_IN_FEW_FRAMES:
            return _LONGER_COPY
        case LeftOpen.MOSTLY_DAMAGED:
            return _UNDAMAGED_COPY
        case LeftOpen.OUTWEIGHED:
            return _OUTWEIGHED_PHOTOGRAPH
        case LeftOpen.MOTIONLESS:
            return _AS_PHOTOGRAPH
        case LeftOpen.NO_FACE:
            return _ORIGINAL_PHOTOGRAPH if still else _BETTER_COPY_IF_FACES_ARE_SEEN
        case LeftOpen.UNCONFIRMED | LeftOpen.UNSTABLE | LeftOpen.DOUBTFUL if nobody_moves_in(analysis):
            return _AS_PHOTOGRAPH
        case (
            LeftOpen.NONE_USABLE
            | LeftOpen.UNCONFIRMED
            | LeftOpen.UNSTABLE
            | LeftOpen.MOSTLY_NOT_JUDGED
            | LeftOpen.DOUBTFUL
            | None
        ):
            return _ORIGINAL_PHOTOGRAPH if still else _BETTER_COPY
        case _:
            assert_never(cause)
