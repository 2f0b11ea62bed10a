"""What the analysis says of the whole exhibit: the rules, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from detector.schema.analysis import Answers, Coverage, MediaKind, Parameters, Person, Segment, Verdict
from detector.verdict import averaged_odds, reasons
from detector.verdict.judged_share import most_frames, mostly_judged, usable_of_all
from detector.verdict.stability import counted, flagged_persons, flagged_segments, is_unstable, who_reaches


def exhibit_probability(
    kind: MediaKind, parameters: Parameters, verdict: Verdict, persons: Sequence[Person]
) -> float | None:
    """That some face was manipulated, by the persons who count; None where nobody was judged."""
    figures = [each.probability for each in counted(verdict, persons) if each.probability is not None]
    return _together(kind, parameters, figures) if figures else None


def answers(
    kind: MediaKind, parameters: Parameters, verdict: Verdict, persons: Sequence[Person]
) -> Answers | None:
    """What the second look says of the persons who count together; None without one."""
    looks = [person.second_look for person in counted(verdict, persons) if person.second_look is not None]
    if not looks:
        return None
    return Answers(
        altered=_together(kind, parameters, [look.altered for look in looks]),
        synthesised=_together(kind, parameters, [look.synthesised for look in looks]),
    )


def _together(kind: MediaKind, parameters: Parameters, figures: Sequence[float]) -> float:
    """What figures of persons amount to: the highest, in photos that of their averaged odds."""
    return averaged_odds.averaged(figures) if averaged_odds.applies(kind, parameters) else max(figures)


def is_outweighed(
    kind: MediaKind,
    parameters: Parameters,
    persons: Sequence[Person],
    over: Collection[str],
    threshold: float,
) -> bool:
    """Whether the persons ``over`` the threshold are no finding among the other faces of their photo.

    ``threshold`` is a probability of an exhibit. Persons on whom views disagree are no finding in any case.
    """
    stable = {person.id for person in counted(Verdict.MANIPULATED, persons)}
    figure = exhibit_probability(kind, parameters, Verdict.MANIPULATED, persons)
    applies = averaged_odds.applies(kind, parameters) and bool(stable & set(over))
    return applies and figure is not None and figure < threshold


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
        return Verdict.INCONCLUSIVE, reasons.no_face(image, coverage)
    if coverage.faces_found == coverage.faces_unusable:
        return Verdict.INCONCLUSIVE, reasons.none_usable(image, parameters, coverage)
    unstable = sorted(filter(is_unstable, persons), key=lambda person: person.id)
    flagged = flagged_persons(persons, segments)
    if segments and not flagged:
        return Verdict.INCONCLUSIVE, reasons.unstable(parameters, unstable)
    if segments:
        return Verdict.MANIPULATED, reasons.manipulated(image, persons, flagged_segments(persons, segments))
    if not image and (best := most_frames(persons)) < parameters.minimum_usable_frames:
        return Verdict.INCONCLUSIVE, reasons.too_few_frames(parameters, persons, best)
    return _nothing_flagged(image, parameters, coverage, persons, unstable)


def _nothing_flagged(
    image: bool,
    parameters: Parameters,
    coverage: Coverage,
    persons: Sequence[Person],
    unstable: Sequence[Person],
) -> tuple[Verdict, str]:
    """What it means that no segment was found, though enough faces could be judged."""
    stable = counted(Verdict.MANIPULATED, persons)
    if image and (reaching := who_reaches(stable, parameters)):
        judged = len([person for person in stable if person.probability is not None])
        why = [reasons.one_of_many(reaching, judged)]
        why += [reasons.unstable(parameters, unstable)] if unstable else []
        return Verdict.INCONCLUSIVE, " ".join(why)
    if not mostly_judged(coverage):
        usable, faces = usable_of_all(coverage)
        return Verdict.INCONCLUSIVE, reasons.mostly_not_judged(image, coverage, faces - usable, faces)
    if unstable:
        return Verdict.INCONCLUSIVE, reasons.unstable(parameters, unstable)
    briefly = who_reaches(persons, parameters)
    doubtful = [
        person.id
        for person in persons
        if person.probability is not None
        and person.probability >= parameters.doubt_threshold
        and (image or person.usable_frames >= parameters.minimum_usable_frames)
    ]
    if doubtful:
        return Verdict.INCONCLUSIVE, reasons.doubtful(image, parameters, doubtful, briefly)
    return Verdict.NOT_FOUND, reasons.nothing_found(image, parameters, coverage, persons, briefly)
