"""Apply the rules of the verdict in order, for one model and for several together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import assert_never

from detector.schema.analysis import Answers, Joint, Person, Segment, Verdict
from detector.schema.method import JointRule
from detector.verdict import judged_persons, reasons
from detector.verdict.judged_persons import (
    JudgedExhibit,
    covered_alone,
    flagged_persons,
    flagged_segments,
    hardly_judged,
    high_if_hardly_judged,
    weighed_faces,
    who_counts,
    who_reaches,
)
from detector.verdict.left_open import Undecided, left_open, names_of


def exhibit_probability(exhibit: JudgedExhibit, verdict: Verdict) -> float | None:
    """That some face was manipulated, by the persons who count; None where nobody was judged."""
    counting = who_counts(exhibit, verdict)
    figures = [each.probability for each in counting if each.probability is not None]
    return _together(exhibit, figures) if figures else None


def answers(exhibit: JudgedExhibit, verdict: Verdict) -> Answers | None:
    """What the second look says of the persons who count together; None without one."""
    counting = who_counts(exhibit, verdict)
    looks = [person.second_look for person in counting if person.second_look is not None]
    if not looks:
        return None
    return Answers(
        altered=_together(exhibit, [look.altered for look in looks]),
        synthesised=_together(exhibit, [look.synthesised for look in looks]),
    )


def exhibit_stability(
    verdict: Verdict, persons: Sequence[Person], segments: Sequence[Segment]
) -> float | None:
    """The least stability of the persons on whom ``verdict`` rests; None where none was measured."""
    flagged = flagged_persons(persons, segments)
    rests_on = [each for each in persons if verdict is not Verdict.MANIPULATED or each.id in flagged]
    looks = (person.second_look for person in rests_on)
    return min((look.stability for look in looks if look and look.stability is not None), default=None)


def _together(exhibit: JudgedExhibit, figures: Sequence[float]) -> float:
    """What figures of persons amount to: the highest, in photos that of their averaged odds."""
    averages = judged_persons.applies(exhibit.kind, exhibit.parameters)
    return judged_persons.averaged(figures) if averages else max(figures)


def is_outweighed(exhibit: JudgedExhibit, over: Collection[str], threshold: float) -> bool:
    """Whether the persons ``over`` the threshold are no finding among the other faces of their photo.

    ``threshold`` is a probability of an exhibit. Some persons are no finding in any case
    (:func:`~detector.verdict.judged_persons.weighed_faces`).
    """
    weighed = {person.id for person in weighed_faces(exhibit.persons)}
    figure = exhibit_probability(exhibit, Verdict.MANIPULATED)
    applies = judged_persons.applies(exhibit.kind, exhibit.parameters) and bool(weighed & set(over))
    return applies and figure is not None and figure < threshold


def decide(exhibit: JudgedExhibit, in_few_frames: Mapping[str, int]) -> tuple[Verdict, str]:
    """Verdict and reason. Nothing usable is inconclusive, never "no manipulation found".

    What leaves it open is one of :class:`~detector.verdict.left_open.LeftOpen`, or ``in_few_frames``: who
    reached the threshold for as long as a finding takes, but in so few frames that there is none
    (:func:`~detector.segments.candidates.reaching_in_few_frames`). That can be neither flagged nor passed
    over.
    """
    image, parameters = exhibit.is_photo, exhibit.parameters
    persons, segments = exhibit.persons, exhibit.segments
    if flagged_persons(persons, segments):
        found = reasons.manipulated(image, persons, flagged_segments(persons, segments))
        return Verdict.MANIPULATED, " ".join(
            [found, *reasons.covered_doubt(covered_alone(persons, segments))]
        )
    cause = left_open(exhibit)
    undecided = Undecided(exhibit, in_few_frames)
    sentences, named = undecided.why_open(cause)
    high = [one for one in high_if_hardly_judged(parameters, persons) if one.id not in named]
    if high:
        sentences = [*sentences, reasons.too_few_frames(parameters, high)]
        named = [*named, *names_of(high)]
    reaching = [] if image else [name for name in who_reaches(persons, parameters) if name not in named]
    if cause or in_few_frames:
        sentences = [*sentences, *reasons.reached(parameters, reaching, in_few_frames)]
        return Verdict.INCONCLUSIVE, " ".join(sentences)
    found = reasons.nothing_found(exhibit, reaching)
    unsaid = reasons.nothing_said_of(parameters, hardly_judged(parameters, persons))
    return Verdict.NOT_FOUND, " ".join([found, *unsaid])


def joint(rule: JointRule, verdicts: Sequence[tuple[str, Verdict]]) -> Joint:
    """The joint verdict of models, each by its title with its own verdict, the first one first."""
    told = [verdict for _, verdict in verdicts]
    return Joint(rule=rule, verdict=decided(rule, told), reason=_reason(rule, verdicts))


def decided(rule: JointRule, told: Sequence[Verdict]) -> Verdict:
    """What the verdicts of models, the first one's first, amount to by ``rule``."""
    verdict, count = Counter(told).most_common(1)[0]
    match rule:
        case JointRule.FIRST:
            return told[0]
        case JointRule.ANY if Verdict.MANIPULATED in told:
            return Verdict.MANIPULATED
        case JointRule.ANY | JointRule.ALL:
            return verdict if count == len(told) else Verdict.INCONCLUSIVE
        case JointRule.MAJORITY:
            return verdict if 2 * count > len(told) else Verdict.INCONCLUSIVE
        case _:
            assert_never(rule)


def _reason(rule: JointRule, verdicts: Sequence[tuple[str, Verdict]]) -> str:
    by_verdict: dict[Verdict, list[str]] = {}
    for title, verdict in verdicts:
        by_verdict.setdefault(verdict, []).append(title)
    if len(by_verdict) == 1:
        every = "Both" if len(verdicts) == 2 else f"All {len(verdicts)}"
        said = f"{every} models say: {verdicts[0][1]}."
    else:
        said = "; ".join(f"{verdict}: {', '.join(titles)}" for verdict, titles in by_verdict.items())
        said = f"{said[:1].upper()}{said[1:]}."
    return f"Rule: {rule.words} {said}"
