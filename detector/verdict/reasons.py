"""The sentences that give the reasons of a verdict, one function for each outcome."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from detector.faces.quality import PHOTO_FLAWS, TOO_SMALL, join_flaws
from detector.schema.analysis import Coverage, ManipulationKind, Parameters, Person, Segment
from detector.schema.formatting import N_, codec_name
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


def persons_text(names: Sequence[str]) -> str:
    listed = ", ".join(names)
    return (N_("Person %(names)s") if len(names) == 1 else N_("Persons %(names)s")) % {"names": listed}


def count_text(number: int, noun: str) -> str:
    """Return a number with its noun, which takes a plural s.

    Without thousands separators, because stored results have none.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_TRACES = {
    ManipulationKind.EDITED: N_("face that was replaced or altered"),
    ManipulationKind.GENERATED: N_("face generated as a whole"),
}


def manipulated(image: bool, persons: Sequence[Person], segments: Sequence[Segment]) -> str:
    """Return the reason for a finding that rests on ``segments``."""
    flagged = sorted({segment.person for segment in segments})
    found = N_("%(who)s: %(count)s flagged as manipulated%(kind)s%(contrast)s.")
    if image:
        found = N_("%(who)s: the face carries traces of manipulation%(kind)s%(contrast)s.")
    return found % {
        "who": persons_text(flagged),
        "count": count_text(len(segments), "segment"),
        "kind": _kind_words(persons, flagged, image),
        "contrast": _contrast_words(persons, segments),
    }


def _kind_words(persons: Sequence[Person], flagged: Sequence[str], image: bool) -> str:
    """Return the clause about the kind of manipulation."""
    told = common_kind(persons, flagged)
    if told is not None:
        return N_("; the traces are those of a %(traces)s") % {"traces": _TRACES[told]}
    looks = [person for person in persons if person.id in flagged and person.second_look]
    if not image or not looks:
        return ""
    each = [(person.id, kind_from_second_look(person.second_look)) for person in looks]
    if all(kind is None for _, kind in each):
        return N_("; whether it was swapped or edited, or generated as a whole, the traces do not tell")
    untold = N_("kind not told")
    return "; " + ", ".join(f"{name}: {kind or untold}" for name, kind in each)


def _contrast_words(persons: Sequence[Person], segments: Sequence[Segment]) -> str:
    """Return the clause for a segment raised because it stands out from the rest of its track."""
    looks = {person.id: person.second_look for person in persons}
    for segment in segments:
        look = looks.get(segment.person)
        if look and any(one.start <= segment.end and one.end >= segment.start for one in look.contrasts):
            return N_("; it counted that the face there differs from the rest of its track")
    return ""


_MOST_NAMED = 4  # maximum number of unjudged persons listed by name


def nothing_found(exhibit: JudgedExhibit, briefly: Sequence[str]) -> str:
    """Return the reason where nothing was flagged; ``briefly`` names who reached the threshold."""
    parameters, coverage = exhibit.parameters, exhibit.coverage
    if exhibit.is_photo:
        usable = coverage.faces_found - coverage.faces_unusable
        if usable == 1:
            return N_("1 usable face was judged; it did not reach the threshold for a finding.")
        return N_("%(usable)s usable faces were judged; none reached the threshold for a finding.") % {
            "usable": usable
        }
    judged = sum(is_judged_enough(parameters, each) for each in exhibit.persons)
    frames = count_text(coverage.frames_with_usable_face, "sampled frame")
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
            "who": persons_text(briefly),
            "minimum_duration": f"{parameters.minimum_duration:g}",
        }
    said = (
        N_("1 person judged in %(frames)s; none reached the threshold for a finding.")
        if judged == 1
        else N_("%(judged)s persons judged in %(frames)s; none reached the threshold for a finding.")
    )
    return said % {"judged": judged, "frames": frames}


def nothing_said_of(parameters: Parameters, unjudged: Sequence[Person]) -> list[str]:
    """Return the sentence about persons who could not be judged, after a reason that found nothing."""
    if not unjudged:
        return []
    words = N_("Nothing is said of %(who)s, who could be judged in fewer than %(frames)s.")
    if len(unjudged) > _MOST_NAMED:
        words = N_("Nothing is said of %(count)s others, who could be judged in fewer than %(frames)s.")
    return [
        words
        % {
            "who": persons_text([person.id for person in unjudged]),
            "count": len(unjudged),
            "frames": count_text(parameters.minimum_usable_frames, "sampled frame"),
        }
    ]


def unstable(parameters: Parameters, persons: Sequence[Person]) -> str:
    """Return why persons on whom views disagree leave the verdict open, by what the views disagree about."""
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
    return " ".join(words % {"who": persons_text(names)} for names, words in said if names)


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
) -> list[str]:
    """Return the sentences for persons whose scores are too high to rule a finding out.

    Of those ``reaching`` the threshold, some do for long enough, but only ``in_few_frames`` at a time.
    """
    if image:
        high = N_("%(who)s: the score is below the threshold for a finding, yet is too high to rule one out.")
        return [high % {"who": persons_text(names)}]
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
        % {"who": persons_text(some), "reached": reached}
        for some, reached in said
        if some
    ]


def reached(parameters: Parameters, names: Sequence[str], in_few_frames: Mapping[str, int]) -> list[str]:
    """Return the sentences about persons who reached the threshold too briefly or in too few frames."""
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
        found.append(words % {"who": persons_text(long), "minimum_duration": seconds, "frames": frames})
    if briefly:
        words = N_(
            "%(who)s reached the threshold for a finding, but for less than %(minimum_duration)s s at a "
            "time, too short for one."
        )
        found.append(words % {"who": persons_text(briefly), "minimum_duration": seconds})
    return found


def _most_of(names: Sequence[str], in_few_frames: Mapping[str, int]) -> str:
    return count_text(max((in_few_frames[name] for name in names), default=0), "sampled frame")


def one_of_many(names: Sequence[str], weighed: int, judged: int, *, some_covered: bool = False) -> str:
    """Return the sentence for faces of a photo that reach the threshold alone, but not among all judged
    faces.

    ``weighed`` of the ``judged`` faces are stable in all views and not covered.
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
    return said % {"who": persons_text(names), "faces": weighed}


def colourless_doubt(names: Sequence[str]) -> list[str]:
    """Return the sentence for persons who reach the threshold with faces without colour."""
    words = N_(
        "%(who)s: the threshold for a finding is reached, but by faces without colour, or toned in one, "
        "which score higher, manipulated or not."
    )
    return [words % {"who": persons_text(names)}] if names else []


def covered_doubt(names: Sequence[str]) -> list[str]:
    """Return the sentence for persons who reach the threshold with partly covered faces."""
    words = N_(
        "%(who)s: the threshold for a finding is reached, but mouth or eyes seem covered, as by a mask, a "
        "hand or a caption, which can raise a score by itself."
    )
    return [words % {"who": persons_text(names)}] if names else []


def no_face(image: bool, coverage: Coverage) -> str:
    """Return the sentence for an exhibit in which no face was found."""
    where = (
        N_("in the picture")
        if image
        else N_("in any of %(count)s") % {"count": count_text(coverage.frames_sampled, "sampled frame")}
    )
    return N_("No face was found %(where)s, so there was nothing to judge.") % {"where": where}


def none_usable(image: bool, parameters: Parameters, coverage: Coverage) -> str:
    """Return the sentence for an exhibit with faces of which none could be judged."""
    if image and coverage.flaws:
        return _flaws_of_all(parameters, coverage)
    return N_(
        "Faces were found, but none is large (at least %(minimum_face)s pixels wide), "
        "clear and certain enough to judge."
    ) % {"minimum_face": f"{parameters.minimum_face:.0f}"}


def _flaws_of_all(parameters: Parameters, coverage: Coverage) -> str:
    """Return why no face of a photograph was judged."""
    one = coverage.faces_found == 1
    outside = [flaw for flaw in coverage.flaws if flaw in PHOTO_FLAWS]
    others = [flaw for flaw in coverage.flaws if flaw not in PHOTO_FLAWS]
    if not outside:
        said = (
            N_("The face found is %(flaws)s to judge%(small)s.")
            if one
            else N_("The faces found are %(flaws)s to judge%(small)s.")
        )
        needed = N_("; at least %(minimum_face)s pixels of width are needed") % {
            "minimum_face": f"{parameters.minimum_face:.0f}"
        }
        return said % {"flaws": join_flaws(others), "small": needed if TOO_SMALL in others else ""}
    if others:
        said = N_("The faces found are %(flaws)s, others %(other_flaws)s to judge.")
    else:
        said = N_("The face found is %(flaws)s.") if one else N_("The faces found are %(flaws)s.")
    unmeasured = N_(
        "The networks were neither made for such pictures nor measured on them, so no figure is given."
    )
    return f"{said % {'flaws': join_flaws(outside), 'other_flaws': join_flaws(others)}} {unmeasured}"


def nobody_in_enough_frames(parameters: Parameters, most: int) -> str:
    """Return the sentence for a video in which nobody was judged in more than ``most`` frames."""
    return N_(
        "No person could be judged in more than %(count)s; %(needed)s before silence means anything."
    ) % {"count": count_text(most, "sampled frame"), "needed": _needed(parameters)}


def too_few_frames(parameters: Parameters, high: Sequence[Person]) -> str:
    """Return the sentence for persons who score high in too few frames."""
    return N_(
        "%(who)s scored high, but could be judged in no more than %(frames)s, too few to judge: a finding "
        "takes several in a row over at least %(minimum_duration)s s, and %(needed)s to find none."
    ) % {
        "who": persons_text([person.id for person in high]),
        "frames": count_text(max(person.usable_frames for person in high), "sampled frame"),
        "minimum_duration": f"{parameters.minimum_duration:g}",
        "needed": _needed(parameters),
    }


def _needed(parameters: Parameters) -> str:
    return N_("at least %(minimum_usable_frames)s are needed") % {
        "minimum_usable_frames": parameters.minimum_usable_frames
    }


def mostly_damaged(coverage: Coverage) -> str:
    """Return the sentence for an exhibit most of whose frames depend on damaged or missing pictures."""
    damaged = coverage.frames_from_damaged
    return N_(
        "Nothing was flagged, but most frames that would have been sampled (%(damaged)s of %(frames)s) rest "
        "on damaged or missing ones and were not looked at."
    ) % {"damaged": damaged, "frames": damaged + coverage.frames_sampled}


def mostly_not_judged(image: bool, coverage: Coverage) -> str:
    """Return the sentence for an exhibit most of whose faces were unusable or discarded."""
    not_judged, faces = coverage.faces_unusable, coverage.faces_found
    if coverage.faces_discarded:
        return _mostly_discarded(image, coverage)
    said = (
        N_(
            "Nothing was flagged, but most faces seen (%(not_judged)s of %(faces)s) are outside what can be "
            "judged: %(flaws)s."
        )
        if image and any(flaw in PHOTO_FLAWS for flaw in coverage.flaws)
        else N_(
            "Nothing was flagged, but most faces seen (%(not_judged)s of %(faces)s) are too small, too "
            "unclear or too unsure to judge."
        )
    )
    return said % {"not_judged": not_judged, "faces": faces, "flaws": join_flaws(coverage.flaws)}


def _mostly_discarded(image: bool, coverage: Coverage) -> str:
    """Return the same sentence where detections were discarded as no faces."""
    said = N_(
        "Nothing was flagged, but most detections (%(left)s of %(all)s) were not judged: %(discarded)s taken "
        "for no faces, since the face detector was never sure of them%(not_judged)s."
    )
    unusable = N_("; %(not_judged)s of %(faces)s found could not be judged (%(flaws)s)") % {
        "faces": count_text(coverage.faces_found, "face"),
        "not_judged": coverage.faces_unusable,
        "flaws": join_flaws(coverage.flaws)
        if image and coverage.flaws
        else N_("too small, too unclear or too unsure"),
    }
    return said % {
        "left": coverage.faces_unusable + coverage.faces_discarded,
        "all": coverage.faces_found + coverage.faces_discarded,
        "discarded": coverage.faces_discarded,
        "not_judged": unusable if coverage.faces_unusable else "",
    }


def mostly_grey_note(coverage: Coverage) -> list[str]:
    """Return the note for a video with mostly grey faces."""
    if coverage.quality is None or coverage.quality.grey <= MOST_GREY:
        return []
    return [
        N_(
            "Most faces judged are without colour, or toned in one; on such footage the networks were not "
            "measured."
        )
    ]


def motionless_note(names: Sequence[str]) -> list[str]:
    """Return the note about persons whose picture does not move."""
    words = N_(
        "%(who)s: the picture does not move, as where a photograph is shown in a video; hand a frame of it "
        "in as a photograph, which is judged by other rules."
    )
    return [words % {"who": persons_text(names)}] if names else []


def covered_note(names: Sequence[str]) -> list[str]:
    """Return the note about persons with covered faces whom the reason does not mention."""
    words = N_(
        "%(who)s: mouth or eyes seem covered, as by a mask, a hand or a caption; what was altered beneath "
        "cannot be seen, and scores of the rest say little."
    )
    return [words % {"who": persons_text(names)}] if names else []


def other_codec_note(codec: str, coverage: Coverage) -> list[str]:
    """Return the note for a video in a codec without measurements; ``codec`` is FFmpeg's name."""
    if codec in MEASURED_CODECS or not coverage.frames_with_usable_face:
        return []
    words = N_(
        "The video is encoded in %(codec)s; scores depend on the codec, and thresholds and error rates rest "
        "on footage in H.264 and MPEG-4."
    )
    return [words % {"codec": codec_name(codec)}]
