"""Apply the rules of the verdict in order, for one model and for several together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import assert_never

from detector.schema.analysis import Answers, Joint, Media, Person, Segment, Verdict
from detector.schema.causes.cause import Cause
from detector.schema.causes.joint import JointCode
from detector.schema.joint import JointRule
from detector.verdict import judged_persons, reasons
from detector.verdict.judged_persons import (
    JudgedExhibit,
    eligible_faces,
    flagged_persons,
    flagged_segments,
    high_scores_rarely_judged,
    is_covered,
    motionless_persons,
    persons_reaching_threshold,
    persons_with_covered_segments_only,
    rarely_judged_persons,
    representative_persons,
)
from detector.verdict.left_open import Undecided, left_open, person_ids


def exhibit_probability(exhibit: JudgedExhibit, verdict: Verdict) -> float | None:
    """Return the probability that some face was manipulated; None if nobody was judged."""
    counting = representative_persons(exhibit, verdict)
    figures = [person.probability for person in counting if person.probability is not None]
    return _together(exhibit, figures) if figures else None


def exhibit_answers(exhibit: JudgedExhibit, verdict: Verdict) -> Answers | None:
    """Return the second look's answers over the persons who represent the exhibit; None without one."""
    counting = representative_persons(exhibit, verdict)
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
    """Return the lowest stability of the persons on whom ``verdict`` rests; None if none was measured."""
    flagged = flagged_persons(persons, segments)
    rests_on = [person for person in persons if verdict is not Verdict.MANIPULATED or person.id in flagged]
    looks = (person.second_look for person in rests_on)
    return min((look.stability for look in looks if look and look.stability is not None), default=None)


def _together(exhibit: JudgedExhibit, figures: Sequence[float]) -> float:
    """Combine scores of persons: the highest, or in photos the averaged odds."""
    averages = judged_persons.averages_odds(exhibit.kind, exhibit.parameters)
    return judged_persons.average_of_odds(figures) if averages else max(figures)


def is_outweighed(exhibit: JudgedExhibit, over: Collection[str], threshold: float) -> bool:
    """Check whether the persons ``over`` the threshold are outweighed by other faces of their photo.

    ``threshold`` is a probability of the exhibit.
    """
    weighed = {person.id for person in eligible_faces(exhibit.persons)}
    figure = exhibit_probability(exhibit, Verdict.MANIPULATED)
    applies = judged_persons.averages_odds(exhibit.kind, exhibit.parameters) and bool(weighed & set(over))
    return applies and figure is not None and figure < threshold


def decide(exhibit: JudgedExhibit, in_few_frames: Mapping[str, int]) -> tuple[Verdict, tuple[Cause, ...]]:
    """Return verdict and its causes. Without usable faces it is inconclusive, never "no manipulation found".

    ``in_few_frames`` are persons who reached the threshold for the minimum duration, but in so few frames
    that they can neither be flagged nor ignored.
    """
    image, parameters = exhibit.is_photo, exhibit.parameters
    persons, segments = exhibit.persons, exhibit.segments
    if flagged_persons(persons, segments):
        cause = reasons.manipulated(image, persons, flagged_segments(persons, segments))
        covered = persons_with_covered_segments_only(persons, segments)
        return Verdict.MANIPULATED, (cause, *reasons.covered_doubt(covered))
    why = left_open(exhibit)
    undecided = Undecided(exhibit, in_few_frames)
    causes, mentioned = undecided.why_open(why)
    high = [person for person in high_scores_rarely_judged(parameters, persons) if person.id not in mentioned]
    if high:
        causes = [*causes, reasons.too_few_frames(parameters, high)]
        mentioned = [*mentioned, *person_ids(high)]
    reaching = (
        []
        if image
        else [name for name in persons_reaching_threshold(persons, parameters) if name not in mentioned]
    )
    if why or in_few_frames:
        causes = [*causes, *reasons.reached(parameters, reaching, in_few_frames)]
        return Verdict.INCONCLUSIVE, tuple(causes)
    cause = reasons.nothing_found(exhibit, reaching)
    unjudged_note = reasons.nothing_said_of(parameters, rarely_judged_persons(parameters, persons))
    return Verdict.NOT_FOUND, (cause, *unjudged_note)


def following_remarks(exhibit: JudgedExhibit, media: Media) -> list[Cause]:
    """Return the causes that follow the reason, whatever the verdict."""
    mentioned = {segment.person for segment in exhibit.segments}  # the reason already mentions these
    covered_persons = [
        person.id for person in exhibit.persons if is_covered(person) and person.id not in mentioned
    ]
    motionless = motionless_persons(exhibit.parameters, exhibit.persons)
    notes = [*reasons.motionless_note(motionless), *reasons.covered_note(covered_persons)]
    if media.still:
        return notes
    return [
        *reasons.mostly_grey_note(exhibit.coverage),
        *reasons.bars_note(exhibit.coverage),
        *reasons.enlarged_note(media, exhibit.coverage),
        *reasons.other_codec_note(media.codec, exhibit.coverage),
        *notes,
    ]


def joint_verdict(rule: JointRule, verdicts: Sequence[tuple[str, Verdict]]) -> Joint:
    """Return the joint verdict of models, given by title and verdict, primary model first."""
    decisions = [verdict for _, verdict in verdicts]
    return Joint(
        rule=rule, verdict=combine_verdicts(rule, decisions), causes=tuple(_joint_causes(rule, verdicts))
    )


def combine_verdicts(rule: JointRule, verdicts: Sequence[Verdict]) -> Verdict:
    """Combine the models' verdicts by ``rule``, primary model first."""
    verdict, count = Counter(verdicts).most_common(1)[0]
    match rule:
        case JointRule.FIRST:
            return verdicts[0]
        case JointRule.ANY if Verdict.MANIPULATED in verdicts:
            return Verdict.MANIPULATED
        case JointRule.ANY | JointRule.ALL:
            return verdict if count == len(verdicts) else Verdict.INCONCLUSIVE
        case JointRule.MAJORITY:
            return verdict if 2 * count > len(verdicts) else Verdict.INCONCLUSIVE
        case _:
            assert_never(rule)


_RULES = {
    JointRule.FIRST: JointCode.RULE_FIRST,
    JointRule.ANY: JointCode.RULE_ANY,
    JointRule.MAJORITY: JointCode.RULE_MAJORITY,
    JointRule.ALL: JointCode.RULE_ALL,
}


def _joint_causes(rule: JointRule, verdicts: Sequence[tuple[str, Verdict]]) -> Iterator[Cause]:
    yield _RULES[rule].cause()
    by_verdict: dict[Verdict, list[str]] = {}
    for title, verdict in verdicts:
        by_verdict.setdefault(verdict, []).append(title)
    for verdict, titles in by_verdict.items():
        yield JointCode.MODELS_SAY.cause(verdict=str(verdict), models=tuple(titles))
