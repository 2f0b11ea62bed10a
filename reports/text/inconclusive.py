"""What reports say where a verdict is open, by what leaves it so: why, what may help, what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from detector.schema.analysis import Analysis
from detector.verdict import left_open
from detector.verdict.examined.judged_share import mostly_discarded
from detector.verdict.examined.motion import nobody_moves_in
from detector.verdict.left_open import LeftOpen
from reports.text import covered, photographs
from reports.text.translation.language import gettext


@dataclass(frozen=True)
class _Remedy:
    may_help: str
    first: str  # to be done; of a photograph before what is to be done of any, and empty if that is all


def meaning(analysis: Analysis) -> tuple[str, ...]:
    """What an open verdict says."""
    return _because(analysis), _remedy(analysis).may_help


def next_steps(analysis: Analysis) -> str:
    """What to do now about an open verdict."""
    then = gettext("Until then this analysis speaks neither for nor against the file.")
    if analysis.media.still:
        then = photographs.next_steps()
    return " ".join(filter(None, (_remedy(analysis).first, then)))


def _because(analysis: Analysis) -> str:
    """Why nothing can be said; on a page it may follow that nothing was flagged."""
    cause = left_open.why(analysis)
    match cause:
        case LeftOpen.NO_FACE:
            return gettext("No face was found, so nothing was judged.")
        case LeftOpen.NONE_USABLE:
            if _of_other_kinds(analysis):
                return gettext(
                    "No face could be judged: too small, too unclear, or of a kind that the "
                    "networks were not made for."
                )
            return gettext("No face could be judged: too small or too unclear.")
        case LeftOpen.UNCONFIRMED | LeftOpen.UNSTABLE:
            return gettext(
                "The answer changes too easily with small changes of the same pictures, or the two networks "
                "contradict each other too much, for a finding in either direction."
            )
        case LeftOpen.COLOURLESS:
            return gettext(
                "The threshold for a finding is reached, but by faces without colour, or toned in one, which "
                "score higher, manipulated or not."
            )
        case LeftOpen.COVERED | LeftOpen.ALL_COVERED:
            return covered.why_open()
        case LeftOpen.TOO_FEW_FRAMES:
            return gettext("Nobody could be judged in enough frames for a finding in either direction.")
        case LeftOpen.MOSTLY_DAMAGED:
            return gettext(
                "Most frames that would have been sampled rest on damaged or missing ones and were not "
                "looked at."
            )
        case LeftOpen.OUTWEIGHED:
            return gettext(
                "A face reaches the threshold by itself, but not among all that were judged: of many "
                "unmanipulated faces one does so by chance more easily than one alone."
            )
        case LeftOpen.MOSTLY_NOT_JUDGED:
            return _mostly_not_judged(analysis)
        case LeftOpen.DOUBTFUL:
            return gettext("The scores are not enough for a finding, and too high to rule one out.")
        case LeftOpen.HIGH_IN_FEW_FRAMES:
            return gettext("Somebody scored high, but could be judged in too few frames for a finding.")
        case LeftOpen.MOTIONLESS:
            return gettext(
                "The picture does not move, as where a photograph is shown in a video: rules for videos miss "
                "generated faces that those for photographs find."
            )
        case None:  # others than those told apart, and what versions before this one left open
            return _other(analysis)
        case _:
            assert_never(cause)


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
            return _Remedy(
                gettext("A copy in colour, if there is one, may allow a finding."),
                gettext("Look for a copy, or another recording, in colour, and analyse that."),
            )
        case LeftOpen.COVERED | LeftOpen.ALL_COVERED if still:
            return _Remedy(
                gettext("Another picture in which mouth and eyes are to be seen may allow a finding."),
                gettext("Look for another picture in which mouth and eyes are to be seen."),
            )
        case LeftOpen.COVERED | LeftOpen.ALL_COVERED:
            return _Remedy(
                gettext(
                    "A passage, another recording or another copy in which mouth and eyes are to be seen may "
                    "allow a finding."
                ),
                gettext(
                    "Look for a passage, another recording or another copy in which mouth and eyes are to be "
                    "seen, and analyse that."
                ),
            )
        case LeftOpen.TOO_FEW_FRAMES | LeftOpen.HIGH_IN_FEW_FRAMES:
            return _Remedy(
                gettext("A longer or better copy of the same recording may allow a finding."),
                gettext(
                    "Obtain a longer or better copy of the same recording, the original if possible, and "
                    "analyse that."
                ),
            )
        case LeftOpen.MOSTLY_DAMAGED:
            return _Remedy(
                gettext("An undamaged copy of the same recording may allow a finding."),
                gettext(
                    "Obtain an undamaged copy of the same recording, the original if possible, and analyse "
                    "that."
                ),
            )
        case LeftOpen.OUTWEIGHED:
            return _Remedy(
                _original_may_help(),
                gettext(
                    "Look yourself at the face that the reason names; cut out and analysed alone it may be "
                    "flagged, which says nothing new."
                ),
            )
        case LeftOpen.MOTIONLESS:
            return _as_photograph()
        case LeftOpen.UNCONFIRMED | LeftOpen.UNSTABLE | LeftOpen.DOUBTFUL if nobody_moves_in(analysis):
            return _as_photograph()
        case LeftOpen.NO_FACE if not still:
            return _Remedy(
                gettext(
                    "If faces are to be seen in it, a better copy of the same recording may allow a finding."
                ),
                gettext(
                    "If faces are to be seen in it, obtain a better copy of the same recording, the original "
                    "if possible, and analyse that."
                ),
            )
        case (
            LeftOpen.NO_FACE
            | LeftOpen.NONE_USABLE
            | LeftOpen.UNCONFIRMED
            | LeftOpen.UNSTABLE
            | LeftOpen.MOSTLY_NOT_JUDGED
            | LeftOpen.DOUBTFUL
            | None
        ):
            return _Remedy(_original_may_help(), "") if still else _better_copy()
        case _:
            assert_never(cause)


def _as_photograph() -> _Remedy:
    return _Remedy(
        gettext("Handed in as a photograph, the picture itself or a frame of the video may allow a finding."),
        gettext("Hand in the picture itself, or a frame of the video, as a photograph."),
    )


def _original_may_help() -> str:
    return gettext("The original file, larger and not passed on through other programs, may allow a finding.")


def _better_copy() -> _Remedy:
    return _Remedy(
        gettext("A better copy of the same recording may allow a finding."),
        gettext("Obtain a better copy of the same recording, the original if possible, and analyse that."),
    )
