"""What was judged where nothing was found."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Parameters, Person
from detector.schema.translatable import N_
from detector.verdict.examined.judged_share import is_judged_enough
from detector.verdict.judged_exhibit import JudgedExhibit
from detector.verdict.reasons.words import counted, who

_MOST_NAMED = 4  # persons of whom nothing is said


def nothing_found(exhibit: JudgedExhibit, briefly: Sequence[str]) -> str:
    """Enough was judged and nothing flagged; ``briefly`` names who reached the threshold too briefly."""
    parameters, coverage = exhibit.parameters, exhibit.coverage
    if exhibit.is_photo:
        usable = coverage.faces_found - coverage.faces_unusable
        if usable == 1:
            return N_("1 usable face was judged; it did not reach the threshold for a finding.")
        return N_("%(usable)s usable faces were judged; none reached the threshold for a finding.") % {
            "usable": usable
        }
    judged = sum(is_judged_enough(parameters, each) for each in exhibit.persons)
    frames = counted(coverage.frames_with_usable_face, "sampled frame")
    if briefly:
        seen = (
            N_("1 person judged in %(frames)s")
            if judged == 1
            else N_("%(judged)s persons judged in %(frames)s")
        )
        return N_(
            "%(seen)s; %(who)s reached the threshold for a finding, but for less than "
            "%(minimum_duration)s s at a time, which is too short for one."
        ) % {
            "seen": seen % {"judged": judged, "frames": frames},
            "who": who(briefly),
            "minimum_duration": f"{parameters.minimum_duration:g}",
        }
    said = (
        N_("1 person judged in %(frames)s; none reached the threshold for a finding.")
        if judged == 1
        else N_("%(judged)s persons judged in %(frames)s; none reached the threshold for a finding.")
    )
    return said % {"judged": judged, "frames": frames}


def nothing_said_of(parameters: Parameters, unjudged: Sequence[Person]) -> list[str]:
    """What follows a reason that found nothing where people were to be seen of whom that does not hold."""
    if not unjudged:
        return []
    words = N_("Nothing is said of %(who)s, who could be judged in fewer than %(frames)s.")
    if len(unjudged) > _MOST_NAMED:
        words = N_("Nothing is said of %(count)s others, who could be judged in fewer than %(frames)s.")
    return [
        words
        % {
            "who": who([person.id for person in unjudged]),
            "count": len(unjudged),
            "frames": counted(parameters.minimum_usable_frames, "sampled frame"),
        }
    ]
