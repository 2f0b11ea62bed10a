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

# Below this share of detected faces good enough to judge, silence proves nothing.
_LEAST_USABLE_SHARE = 0.5


# A few frames lost at a cut or at the start of a stream are not worth a sentence of the reason.
_FEW_LOST = 0.02
# So much more probable must one answer of the second look be to name the kind of manipulation by it.
_CLEARLY = 0.15

_TRACES = {
    ManipulationKind.EDITED: "face that was replaced or altered",
    ManipulationKind.GENERATED: "face generated as a whole",
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
        where = "in the picture" if image else f"in any of {_count(coverage.frames_sampled, 'sampled frame')}"
        return Verdict.INCONCLUSIVE, f"No face was found {where}, so there was nothing to judge."
    usable = coverage.faces_found - coverage.faces_unusable
    if not usable:
        return Verdict.INCONCLUSIVE, _none_usable(image, parameters, coverage)
    unstable = sorted(filter(_unstable, persons), key=lambda person: person.id)
    flagged = _flagged(persons, segments)
    if segments and not flagged:
        return Verdict.INCONCLUSIVE, _instability(unstable)
    if segments:
        found = "the face carries traces of manipulation"
        if not image:
            found = f"{_count(len(segments), 'segment')} flagged as manipulated"
        words = (
            f"{_who(flagged)}: {found}{_kind_words(persons, flagged, image)}{_contrast(persons, segments)}."
        )
        return Verdict.MANIPULATED, words
    if not image:
        best = max((person.usable_frames for person in persons), default=0)
        if best < parameters.minimum_usable_frames:
            return Verdict.INCONCLUSIVE, _too_few(persons, best, parameters)
    return _nothing_flagged(image, parameters, coverage, persons, unstable)


def _none_usable(image: bool, parameters: Parameters, coverage: Coverage) -> str:
    """Faces were found, and none could be judged."""
    outside = [flaw for flaw in coverage.flaws if flaw in OUTSIDE]
    what, verb = ("The face", "is") if coverage.faces_found == 1 else ("The faces", "are")
    if image and coverage.flaws and not outside:
        needed = f"; at least {parameters.minimum_face:.0f} pixels of width are needed"
        small = needed if TOO_SMALL in coverage.flaws else ""
        return f"{what} found {verb} {', or '.join(coverage.flaws)} to judge{small}."
    if image and outside:
        rest = set(coverage.flaws) - set(outside)
        others = f", others {' or '.join(sorted(rest))} to judge" if rest else ""
        return (
            f"{what} found {verb} {', or '.join(outside)}{others}. The networks were neither made for such "
            "pictures nor measured on them, so no figure is given."
        )
    return (
        f"Faces were found, but none is large (at least {parameters.minimum_face:.0f} pixels wide), "
        "clear and certain enough to judge."
    )


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
            f"Nothing was flagged, but most faces seen ({seen_in_all - usable} of {seen_in_all}) "
            f"are {_too_much(image, coverage)}.",
        )
    if unstable:
        return Verdict.INCONCLUSIVE, _instability(unstable)
    doubtful = [
        person.id
        for person in persons
        if person.probability is not None
        and person.probability >= parameters.doubt_threshold
        and (image or person.usable_frames >= parameters.minimum_usable_frames)
    ]
    if doubtful:
        return Verdict.INCONCLUSIVE, _doubt(image, doubtful, _briefly(persons, parameters), parameters)
    what = "face was" if usable == 1 else "faces were"
    outcome = "it did not reach" if image and usable == 1 else "none reached"
    seen = (
        f"{usable} usable {what} judged"
        if image
        else (
            f"{_count(len([p for p in persons if p.usable_frames]), 'person')} judged "
            f"in {_count(coverage.frames_with_usable_face, 'sampled frame')}"
        )
    )
    if not image and (briefly := _briefly(persons, parameters)):
        return (
            Verdict.NOT_FOUND,
            f"{seen}; {_who(briefly)} reached the threshold for a finding, but for less than "
            f"{parameters.minimum_duration:g} s at a time, which is too short for one.",
        )
    return Verdict.NOT_FOUND, f"{seen}; {outcome} the threshold for a finding."


def _too_much(image: bool, coverage: Coverage) -> str:
    """Why most faces were not judged."""
    if image and any(flaw in OUTSIDE for flaw in coverage.flaws):
        return "outside what can be judged: " + ", or ".join(coverage.flaws)
    return "too small, too unclear or too unsure to judge"


def not_seen(media: Media, missing: float) -> list[str]:
    """What of the file itself was not looked at, in sentences that follow the verdict's reason.

    ``missing`` is the number of seconds that its end breaks off early.
    """
    found = []
    if media.turned:
        found.append(
            f"No face was found as the file is stored; it was examined turned by {media.turned}° clockwise."
        )
    lost = media.frames_undecodable > _FEW_LOST * media.frames_decoded
    if media.details and (others := media.details.other_pictures):
        named = ", ".join(f"stream {stream.index}" for stream in others)
        found.append(
            f"The file holds {_count(len(others), 'more picture track')}, not looked at ({named})."
            if len(others) == 1
            else f"The file holds {len(others)} more picture tracks, not looked at ({named})."
        )
    if media.kind is MediaKind.IMAGE and media.details and (pages := media.details.other_pages):
        found.append(f"The file holds {_count(pages, 'more picture')}, not looked at.")
    if media.kind is MediaKind.IMAGE and media.frames_undecodable:
        found.append("The file is damaged: a part of the picture is missing and was not looked at.")
    elif missing or lost:
        told = [f"{media.frames_undecodable:,} of its frames or packets could not be used"] * bool(lost)
        told += [f"{missing:.1f} s are missing at its end"] * bool(missing)
        found.append(f"The file is damaged or incomplete: {'; '.join(told)}.")
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
        return f"; the traces are those of a {_TRACES[told]}"
    looks = [person for person in persons if person.id in flagged and person.second_look]
    if not image or not looks:
        return ""
    each = [(person.id, kind_of(person.second_look)) for person in looks]
    if all(kind is None for _, kind in each):
        return "; whether it was swapped or edited, or generated as a whole, the traces do not tell"
    return "; " + ", ".join(f"{name}: {kind or 'kind not told'}" for name, kind in each)


def _contrast(persons: Sequence[Person], segments: Sequence[Segment]) -> str:
    """Said where a segment was raised because it stands out from the rest of its track."""
    looks = {person.id: person.second_look for person in persons}
    for segment in segments:
        look = looks.get(segment.person)
        if look and any(one.start <= segment.end and one.end >= segment.start for one in look.contrasts):
            return "; it counted that the face there differs from the same person's before and after"
    return ""


def _too_few(persons: Sequence[Person], best: int, parameters: Parameters) -> str:
    """Nobody was seen long enough to be cleared, though perhaps long enough to look suspicious."""
    needed = f"at least {parameters.minimum_usable_frames} are needed"
    high = [
        person
        for person in persons
        if person.probability is not None and person.probability >= parameters.enter_threshold
    ]
    if not high:
        return (
            f"No person could be judged in more than {_count(best, 'sampled frame')}; "
            f"{needed} before silence means anything."
        )
    most = max(person.usable_frames for person in high)
    return (
        f"{_who([person.id for person in high])} scored high, but could be judged in "
        f"{'only ' if most == 1 else 'no more than '}{_count(most, 'sampled frame')}, too short to judge: "
        f"a finding takes {parameters.minimum_duration:g} s, and {needed} to find none."
    )


def _briefly(persons: Sequence[Person], parameters: Parameters) -> list[str]:
    """Who reached the threshold for a finding at some moment, to be asked where nothing was flagged."""
    return [
        person.id
        for person in persons
        if np.nanmax(person.scores.smoothed, initial=0.0) >= parameters.enter_threshold
    ]


def _doubt(image: bool, names: Sequence[str], briefly: Sequence[str], parameters: Parameters) -> str:
    if image:
        return (
            f"{_who(names)}: the score is below the threshold for a finding, yet is too high to rule one out."
        )
    reached = "no stretch reaches the threshold for a finding"
    if set(briefly) & set(names):
        reached = (
            "the threshold for a finding is reached, but for less than "
            f"{parameters.minimum_duration:g} s at a time"
        )
    return f"{_who(names)}: {reached}, but the score over all frames is too high to rule one out."


def _who(names: Sequence[str]) -> str:
    return ("Person " if len(names) == 1 else "Persons ") + ", ".join(names)


def _instability(persons: Sequence[Person]) -> str:
    looks = ((person.id, person.second_look) for person in persons)
    contradicted = [name for name, look in looks if look is not None and look.contradiction]
    near = [person.id for person in persons if person.id not in contradicted]
    said = []
    if contradicted:
        said.append(
            f"{_who(contradicted)}: the two networks contradict each other more than on anyone they were "
            "measured on, which happens with pictures made to mislead one of them."
        )
    if near:
        said.append(
            f"{_who(near)}: the score lies so near the threshold that small changes of the same pictures "
            "(mirrored, shifted, scaled, re-encoded) move it across."
        )
    return " ".join(said)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
