"""What the analysis says of the whole exhibit, and why, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.faces.photo_range import OUTSIDE
from detector.faces.quality import TOO_SMALL
from detector.schema.analysis import (
    Answers,
    Coverage,
    ManipulationKind,
    Media,
    MediaKind,
    Parameters,
    Person,
    SecondLook,
    Segment,
    Verdict,
)
from detector.schema.translatable import N_

# Below this share of detected faces good enough to judge, silence proves nothing.
_LEAST_USABLE_SHARE = 0.5


# A few frames lost at a cut or at the start of a stream are not worth a sentence of the reason.
_FEW_LOST = 0.02
# So much more probable must one answer of the second look be to name the kind of manipulation by it.
_CLEARLY = 0.15

_TRACES = {
    ManipulationKind.EDITED: N_("face that was replaced or altered"),
    ManipulationKind.GENERATED: N_("face generated as a whole"),
}

# Below this share of views that agree, nobody should rely on either side.
_LEAST_STABILITY = 0.7


def stability(verdict: Verdict, persons: Sequence[Person], segments: Sequence[Segment]) -> float | None:
    """The least stability of the persons on whom ``verdict`` rests; None where none was measured."""
    rests_on = list(persons)
    if verdict is Verdict.MANIPULATED:
        flagged = {segment.person for segment in segments}
        rests_on = [person for person in persons if person.id in flagged and not _unstable(person)]
    looks = (person.second_look for person in rests_on)
    return min((look.stability for look in looks if look and look.stability is not None), default=None)


def answers(persons: Sequence[Person]) -> Answers | None:
    """What the second look says of the persons together; None without one."""
    looks = [person.second_look for person in persons if person.second_look is not None]
    if not looks:
        return None
    return Answers(
        altered=max(look.altered for look in looks), synthesised=max(look.synthesised for look in looks)
    )


def _unstable(person: Person) -> bool:
    look = person.second_look
    return look is not None and look.stability is not None and look.stability < _LEAST_STABILITY


def decide(
    kind: MediaKind,
    parameters: Parameters,
    coverage: Coverage,
    persons: Sequence[Person],
    segments: Sequence[Segment],
) -> tuple[Verdict, str]:
    """Verdict and reason. Nothing usable is inconclusive, never "no manipulation found"."""
    image = kind is MediaKind.IMAGE
    if not coverage.faces_found:
        where = (
            N_("in the picture")
            if image
            else N_("in any of %(count)s") % {"count": _count(coverage.frames_sampled, "sampled frame")}
        )
        return Verdict.INCONCLUSIVE, N_("No face was found %(where)s, so there was nothing to judge.") % {
            "where": where
        }
    usable = coverage.faces_found - coverage.faces_unusable
    if not usable:
        return Verdict.INCONCLUSIVE, _none_usable(image, parameters, coverage)
    unstable = sorted(filter(_unstable, persons), key=lambda person: person.id)
    flagged = _flagged(persons, segments)
    if segments and not flagged:
        return Verdict.INCONCLUSIVE, _instability(unstable, parameters)
    if segments:
        found = N_("%(who)s: %(count)s flagged as manipulated%(kind)s%(contrast)s.")
        if image:
            found = N_("%(who)s: the face carries traces of manipulation%(kind)s%(contrast)s.")
        words = found % {
            "who": _who(flagged),
            "count": _count(len(segments), "segment"),
            "kind": _kind_words(persons, flagged, image),
            "contrast": _contrast(persons, segments),
        }
        return Verdict.MANIPULATED, words
    if not image:
        best = max((person.usable_frames for person in persons), default=0)
        if best < parameters.minimum_usable_frames:
            return Verdict.INCONCLUSIVE, _too_few(persons, best, parameters)
    return _nothing_flagged(image, parameters, coverage, persons, unstable)


def _none_usable(image: bool, parameters: Parameters, coverage: Coverage) -> str:
    """Faces were found, and none could be judged."""
    outside = [flaw for flaw in coverage.flaws if flaw in OUTSIDE]
    what, verb = (N_("The face"), "is") if coverage.faces_found == 1 else (N_("The faces"), "are")
    if image and coverage.flaws and not outside:
        needed = N_("; at least %(minimum_face)s pixels of width are needed") % {
            "minimum_face": f"{parameters.minimum_face:.0f}"
        }
        small = needed if TOO_SMALL in coverage.flaws else ""
        return N_("%(what)s found %(verb)s %(flaws)s to judge%(small)s.") % {
            "what": what,
            "verb": verb,
            "flaws": ", or ".join(coverage.flaws),
            "small": small,
        }
    if image and outside:
        rest = set(coverage.flaws) - set(outside)
        others = N_(", others %(flaws)s to judge") % {"flaws": " or ".join(sorted(rest))} if rest else ""
        return N_(
            "%(what)s found %(verb)s %(outside)s%(others)s. The networks were neither made "
            "for such pictures nor measured on them, so no figure is given."
        ) % {"what": what, "verb": verb, "outside": ", or ".join(outside), "others": others}
    return N_(
        "Faces were found, but none is large (at least %(minimum_face)s pixels wide), "
        "clear and certain enough to judge."
    ) % {"minimum_face": f"{parameters.minimum_face:.0f}"}


def _nothing_flagged(
    image: bool,
    parameters: Parameters,
    coverage: Coverage,
    persons: Sequence[Person],
    unstable: Sequence[Person],
) -> tuple[Verdict, str]:
    """What it means that no segment was found, though enough faces could be judged."""
    usable = coverage.faces_found - coverage.faces_unusable
    seen_in_all = coverage.faces_found + coverage.faces_discarded
    if usable < _LEAST_USABLE_SHARE * seen_in_all:
        return (
            Verdict.INCONCLUSIVE,
            N_("Nothing was flagged, but most faces seen (%(not_judged)s of %(faces)s) are %(flaws)s.")
            % {
                "not_judged": seen_in_all - usable,
                "faces": seen_in_all,
                "flaws": _too_much(image, coverage),
            },
        )
    if unstable:
        return Verdict.INCONCLUSIVE, _instability(unstable, parameters)
    doubtful = [
        person.id
        for person in persons
        if person.probability is not None
        and person.probability >= parameters.doubt_threshold
        and (image or person.usable_frames >= parameters.minimum_usable_frames)
    ]
    if doubtful:
        return Verdict.INCONCLUSIVE, _doubt(image, doubtful, _briefly(persons, parameters), parameters)
    what = N_("face was") if usable == 1 else N_("faces were")
    outcome = N_("it did not reach") if image and usable == 1 else N_("none reached")
    seen = (
        N_("%(usable)s usable %(what)s judged") % {"usable": usable, "what": what}
        if image
        else (
            N_("%(persons)s judged in %(frames)s")
            % {
                "persons": _count(len([p for p in persons if p.usable_frames]), "person"),
                "frames": _count(coverage.frames_with_usable_face, "sampled frame"),
            }
        )
    )
    if not image and (briefly := _briefly(persons, parameters)):
        return (
            Verdict.NOT_FOUND,
            N_(
                "%(seen)s; %(who)s reached the threshold for a finding, but for less than "
                "%(minimum_duration)s s at a time, which is too short for one."
            )
            % {"seen": seen, "who": _who(briefly), "minimum_duration": f"{parameters.minimum_duration:g}"},
        )
    return Verdict.NOT_FOUND, N_("%(seen)s; %(outcome)s the threshold for a finding.") % {
        "seen": seen,
        "outcome": outcome,
    }


def _too_much(image: bool, coverage: Coverage) -> str:
    """Why most faces were not judged."""
    if image and any(flaw in OUTSIDE for flaw in coverage.flaws):
        return N_("outside what can be judged: ") + ", or ".join(coverage.flaws)
    return N_("too small, too unclear or too unsure to judge")


def not_seen(media: Media, missing: float) -> list[str]:
    """What of the file itself was not looked at, in sentences that follow the verdict's reason.

    ``missing`` is the number of seconds that its end breaks off early.
    """
    found = []
    if media.turned:
        found.append(
            N_("No face was found as the file is stored; it was examined turned by %(turned)s° clockwise.")
            % {"turned": media.turned}
        )
    lost = media.frames_undecodable > _FEW_LOST * media.frames
    if media.details and (others := media.details.other_pictures):
        named = ", ".join(N_("stream %(index)s") % {"index": stream.index} for stream in others)
        found.append(
            N_("The file holds %(count)s, not looked at (%(named)s).")
            % {"count": _count(len(others), "more picture track"), "named": named}
            if len(others) == 1
            else N_("The file holds %(others)s more picture tracks, not looked at (%(named)s).")
            % {"others": len(others), "named": named}
        )
    if media.kind is MediaKind.IMAGE and media.details and (pages := media.details.other_pages):
        found.append(
            N_("The file holds %(count)s, not looked at.") % {"count": _count(pages, "more picture")}
        )
    if media.kind is MediaKind.IMAGE and media.frames_undecodable:
        found.append(N_("The file is damaged: a part of the picture is missing and was not looked at."))
    elif missing or lost:
        told = [
            N_("%(frames_undecodable)s of its frames or packets could not be used")
            % {"frames_undecodable": f"{media.frames_undecodable:,}"}
        ] * bool(lost)
        told += [N_("%(missing)s s are missing at its end") % {"missing": f"{missing:.1f}"}] * bool(missing)
        found.append(N_("The file is damaged or incomplete: %(told)s.") % {"told": "; ".join(told)})
    return found


def kind_of(told: Answers | SecondLook | None) -> ManipulationKind | None:
    """Which of the two questions is answered with yes, where one clearly outweighs the other."""
    if told is None or abs(told.altered - told.synthesised) < _CLEARLY:
        return None
    return ManipulationKind.EDITED if told.altered > told.synthesised else ManipulationKind.GENERATED


def manipulation_kind(
    verdict: Verdict, persons: Sequence[Person], segments: Sequence[Segment]
) -> ManipulationKind | None:
    """The kind of manipulation of all flagged persons; None where they differ, or it is not told of one."""
    if verdict is not Verdict.MANIPULATED:
        return None
    return _kind(persons, _flagged(persons, segments))


def _flagged(persons: Sequence[Person], segments: Sequence[Segment]) -> list[str]:
    """Who is flagged and stays so in other views."""
    unstable = {person.id for person in persons if _unstable(person)}
    return sorted({segment.person for segment in segments} - unstable)


def _kind(persons: Sequence[Person], flagged: Sequence[str]) -> ManipulationKind | None:
    found = {kind_of(person.second_look) for person in persons if person.id in flagged}
    return found.pop() if len(found) == 1 else None


def _kind_words(persons: Sequence[Person], flagged: Sequence[str], image: bool) -> str:
    """The kind as it follows what was found."""
    told = _kind(persons, flagged)
    if told is not None:
        return N_("; the traces are those of a %(traces)s") % {"traces": _TRACES[told]}
    looks = [person for person in persons if person.id in flagged and person.second_look]
    if not image or not looks:
        return ""
    each = [(person.id, kind_of(person.second_look)) for person in looks]
    if all(kind is None for _, kind in each):
        return N_("; whether it was swapped or edited, or generated as a whole, the traces do not tell")
    return "; " + ", ".join(f"{name}: {kind or 'kind not told'}" for name, kind in each)


def _contrast(persons: Sequence[Person], segments: Sequence[Segment]) -> str:
    """Said where a segment was raised because it stands out from the rest of its track."""
    looks = {person.id: person.second_look for person in persons}
    for segment in segments:
        look = looks.get(segment.person)
        if look and any(one.start <= segment.end and one.end >= segment.start for one in look.contrasts):
            return N_("; it counted that the face there differs from the same person's before and after")
    return ""


def _too_few(persons: Sequence[Person], best: int, parameters: Parameters) -> str:
    """Nobody was seen long enough to be cleared, though perhaps long enough to look suspicious."""
    needed = N_("at least %(minimum_usable_frames)s are needed") % {
        "minimum_usable_frames": parameters.minimum_usable_frames
    }
    high = [
        person
        for person in persons
        if person.probability is not None and person.probability >= parameters.enter_threshold
    ]
    if not high:
        return N_(
            "No person could be judged in more than %(count)s; %(needed)s before silence means anything."
        ) % {"count": _count(best, "sampled frame"), "needed": needed}
    most = max(person.usable_frames for person in high)
    return N_(
        "%(who)s scored high, but could be judged in %(at_most)s%(frames)s, too short to "
        "judge: a finding takes %(minimum_duration)s s, and %(needed)s to find none."
    ) % {
        "who": _who([person.id for person in high]),
        "at_most": (N_("only ") if most == 1 else N_("no more than ")),
        "frames": _count(most, "sampled frame"),
        "minimum_duration": f"{parameters.minimum_duration:g}",
        "needed": needed,
    }


def _briefly(persons: Sequence[Person], parameters: Parameters) -> list[str]:
    """Who reached the threshold for a finding at some moment, to be asked where nothing was flagged."""
    return [
        person.id
        for person in persons
        if np.nanmax(person.scores.smoothed, initial=0.0) >= parameters.enter_threshold
    ]


def _doubt(image: bool, names: Sequence[str], briefly: Sequence[str], parameters: Parameters) -> str:
    if image:
        return N_(
            "%(who)s: the score is below the threshold for a finding, yet is too high to rule one out."
        ) % {"who": _who(names)}
    reached = N_("no stretch reaches the threshold for a finding")
    if set(briefly) & set(names):
        reached = N_(
            "the threshold for a finding is reached, but for less than %(minimum_duration)s s at a time"
        ) % {"minimum_duration": f"{parameters.minimum_duration:g}"}
    return N_("%(who)s: %(reached)s, but the score over all frames is too high to rule one out.") % {
        "who": _who(names),
        "reached": reached,
    }


def _who(names: Sequence[str]) -> str:
    listed = ", ".join(names)
    return (N_("Person %(names)s") if len(names) == 1 else N_("Persons %(names)s")) % {"names": listed}


def _instability(persons: Sequence[Person], parameters: Parameters) -> str:
    """Why the persons on whom views disagree leave the verdict open, by what the views disagree about."""
    contradicted, stretch, near = [], [], []
    for person in persons:
        look = person.second_look
        if look is not None and look.contradiction:
            contradicted.append(person.id)
        elif look is not None and look.contrasts or _calm(person, parameters):
            stretch.append(person.id)
        else:
            near.append(person.id)
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
            near,
            N_(
                "%(who)s: the score lies so near the threshold that small changes of the same "
                "pictures (mirrored, shifted, scaled, re-encoded) move it across."
            ),
        ),
    )
    return " ".join(words % {"who": _who(names)} for names, words in said if names)


def _calm(person: Person, parameters: Parameters) -> bool:
    """Whether a person's score is so low that views were not asked about it."""
    return person.probability is not None and person.probability < parameters.doubt_threshold


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
