"""Sentences on an inconclusive verdict: why it is inconclusive, what may help, what to do next."""

from __future__ import annotations

from detector.schema.analysis import Analysis
from detector.verdict.finding import LeftOpen, finding_of
from language.translation import N_, gettext
from reports.wording.photographs import excluded_kinds

_CHANGES_EASILY = N_(
    "Small changes to the same pictures change the answer too easily, or the two networks contradict each "
    "other too much, for a conclusion either way."
)
_COVERED = N_(
    "Mouth or eyes seem to be covered. Alterations beneath the cover cannot be seen, and the cover itself "
    "can raise or lower the score."
)
# Why the verdict is inconclusive, if the cause alone determines the sentence.
_REASONS: dict[LeftOpen | None, str] = {
    LeftOpen.NO_FACE: N_("No face was found, so none was judged."),
    LeftOpen.UNCONFIRMED: _CHANGES_EASILY,
    LeftOpen.UNSTABLE: _CHANGES_EASILY,
    LeftOpen.COVERED: _COVERED,
    LeftOpen.ALL_COVERED: _COVERED,
    LeftOpen.COLOURLESS: N_(
        "The threshold for a finding is reached, but only by faces in black and white or in a single "
        "tint. Such faces score higher whether or not they are manipulated."
    ),
    LeftOpen.TOO_FEW_FRAMES: N_("No person could be judged in enough frames for a conclusion either way."),
    LeftOpen.MOSTLY_DAMAGED: N_(
        "Most of the frames to be sampled depend on damaged or missing frames and were not examined."
    ),
    LeftOpen.OUTWEIGHED: N_(
        "One face reaches the threshold on its own, but not once all judged faces are taken into account: "
        "among many unmanipulated faces, one is more likely to reach it by chance."
    ),
    LeftOpen.DOUBTFUL: N_("The scores are too low for a finding and too high to rule out manipulation."),
    LeftOpen.HIGH_IN_FEW_FRAMES: N_(
        "One person scored high, but could be judged in too few frames for a finding."
    ),
    LeftOpen.MOTIONLESS: N_(
        "The picture does not move, as when a photograph is shown in a video. The rules for videos miss "
        "generated faces that the rules for photographs find."
    ),
}

# What may allow a finding, and what to do; for a photograph the general next steps follow.
_Remedy = tuple[str, str]
_COLOUR_COPY = (
    N_("A copy in colour, if there is one, may allow a finding."),
    N_("Look for a colour copy or another recording in colour, and analyse it."),
)
_UNCOVERED_PHOTOGRAPH = (
    N_("Another picture that shows mouth and eyes may allow a finding."),
    N_("Look for another picture that shows mouth and eyes."),
)
_UNCOVERED_PASSAGE = (
    N_("A passage, another recording or another copy that shows mouth and eyes may allow a finding."),
    N_("Look for a passage, another recording or another copy that shows mouth and eyes, and analyse it."),
)
_LONGER_COPY = (
    N_("A longer or better copy of the same recording may allow a finding."),
    N_("Obtain a longer or better copy of the same recording, the original if possible, and analyse it."),
)
_UNDAMAGED_COPY = (
    N_("An undamaged copy of the same recording may allow a finding."),
    N_("Obtain an undamaged copy of the same recording, the original if possible, and analyse it."),
)
_BETTER_COPY = (
    N_("A better copy of the same recording may allow a finding."),
    N_("Obtain a better copy of the same recording, the original if possible, and analyse it."),
)
_BETTER_COPY_WITH_FACES = (
    N_("If the recording shows faces, a better copy of it may allow a finding."),
    N_("If the recording shows faces, obtain a better copy of it, the original if possible, and analyse it."),
)
_AS_PHOTOGRAPH = (
    N_(
        "The picture itself, or a frame of the video, may allow a finding if it is submitted as a photograph."
    ),
    N_("Submit the picture itself, or a frame of the video, as a photograph."),
)
_ORIGINAL_PHOTOGRAPH = (
    N_(
        "The original file, which is usually larger and was not processed by other programs, may allow a "
        "finding."
    ),
    "",
)
_ORIGINAL_AND_FACE = (
    _ORIGINAL_PHOTOGRAPH[0],
    N_(
        "Look at the face named in the reason yourself. If you crop it and analyse it alone, it may be "
        "flagged, but that adds no new evidence."
    ),
)


def meaning(analysis: Analysis) -> tuple[str, ...]:
    """Explain an inconclusive verdict: its reason, and what may help."""
    return _reason(analysis), gettext(_remedy(analysis)[0])


def next_steps(analysis: Analysis) -> str:
    """Recommend what to do about an inconclusive verdict."""
    if analysis.media.still:
        general = photograph_next_steps()
    else:
        general = gettext("Until then, this analysis is evidence neither for nor against the file.")
    first = _remedy(analysis)[1]
    return f"{gettext(first)} {general}" if first else general


def photograph_next_steps() -> str:
    """Recommend what to do about a photograph in which nothing was flagged."""
    return gettext(
        "Read what the file declares. Obtain the original file, before it "
        "was shared or resized, and find out where it was first published (search for the picture). Do "
        "not take this result as proof that the photograph is unaltered or that the person exists."
    )


def _reason(analysis: Analysis) -> str:
    """Explain why the verdict is inconclusive; on a page this may follow that nothing was flagged."""
    finding, still = finding_of(analysis), analysis.media.still
    cause = finding.left_open
    if cause in _REASONS:
        return gettext(_REASONS[cause])
    # Faces of a photograph may be excluded as a kind the networks were not made for.
    has_excluded = still and bool(excluded_kinds(analysis.parameters))
    if cause is LeftOpen.NONE_USABLE:
        if has_excluded:
            return gettext(
                "No face could be judged: the faces are too small, too unclear, or of a kind the networks "
                "were not made for."
            )
        return gettext("No face could be judged: the faces are too small or too unclear.")
    if cause is LeftOpen.MOSTLY_NOT_JUDGED:
        if finding.mostly_discarded:
            return gettext(
                "Most of what the face detector found was not accepted as a face and not judged, because "
                "the detector was never certain."
            )
        if has_excluded:
            return gettext(
                "Most faces could not be judged: they are too small, too unclear, or of a kind the "
                "networks were not made for."
            )
        return gettext("Most faces could not be judged: they are too small or too unclear.")
    assert cause is None, cause  # older versions had reasons that are not distinguished here
    if still:
        return gettext(
            "The answers are too close to the thresholds, or change too easily, for a conclusion either way."
        )
    return gettext(
        "The scores are too close to the thresholds, change too easily, or come from too few frames, for "
        "a conclusion either way."
    )


def _remedy(analysis: Analysis) -> _Remedy:
    """Return what may allow a finding."""
    still, finding = analysis.media.still, finding_of(analysis)
    match finding.left_open:
        case LeftOpen.COLOURLESS:
            return _COLOUR_COPY
        case LeftOpen.COVERED | LeftOpen.ALL_COVERED:
            return _UNCOVERED_PHOTOGRAPH if still else _UNCOVERED_PASSAGE
        case LeftOpen.TOO_FEW_FRAMES | LeftOpen.HIGH_IN_FEW_FRAMES:
            return _LONGER_COPY
        case LeftOpen.MOSTLY_DAMAGED:
            return _UNDAMAGED_COPY
        case LeftOpen.OUTWEIGHED:  # photographs only
            return _ORIGINAL_AND_FACE
        case LeftOpen.MOTIONLESS:
            return _AS_PHOTOGRAPH
        case LeftOpen.NO_FACE:
            return _ORIGINAL_PHOTOGRAPH if still else _BETTER_COPY_WITH_FACES
        case LeftOpen.UNCONFIRMED | LeftOpen.UNSTABLE | LeftOpen.DOUBTFUL if finding.all_motionless:
            return _AS_PHOTOGRAPH
        case _:
            return _ORIGINAL_PHOTOGRAPH if still else _BETTER_COPY
