"""From scored faces to a verdict: what one model concludes, the first of an analysis like any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from detector.schema.analysis import Answers, Coverage, Media, Parameters, Person, Segment, Verdict
from detector.scoring.first_pass.first_pass import FirstPassResult
from detector.scoring.scorer import Scorer
from detector.segments import candidates, published_persons
from detector.segments.frame_seconds import seconds_shown
from detector.verdict.examined.coverage import DAMAGED
from detector.verdict.examined.motion import motionless_persons
from detector.verdict.judged_exhibit import JudgedExhibit
from detector.verdict.persons.finding_basis import is_covered
from detector.verdict.reasons import beside
from detector.verdict.verdict import answers, decide, exhibit_probability, is_outweighed


@dataclass(frozen=True)
class ModelFindings:
    """The findings of one model, and what they amount to."""

    verdict: Verdict
    reason: str
    probability: float | None
    answers: Answers | None
    segments: tuple[Segment, ...]
    persons: tuple[Person, ...]


def judge(
    first_pass: FirstPassResult,
    scorer: Scorer,
    parameters: Parameters,
    media: Media,
    coverage: Coverage,
    explained: Callable[[Sequence[candidates.Candidate]], tuple[Segment, ...]],
) -> ModelFindings:
    """What ``scorer`` concludes of a first pass whose rows have its logits.

    ``coverage`` is that of the first model, which decides what is judged; ``explained`` makes segments of
    candidates. Smoothed probabilities are filled in, in ``first_pass``.
    """
    candidates.fill_in_smoothed(first_pass.detections, scorer, parameters)
    times = first_pass.times
    damaged = [span for span in coverage.not_examined if span.reason in DAMAGED]
    seconds = seconds_shown(times, media.duration, parameters.sample_rate, damaged)
    people = published_persons.group_persons(first_pass, seconds)
    found = candidates.candidates_of_all(people, parameters, media.kind)
    persons = published_persons.published_persons(
        people, found, scorer, parameters.sample_rate, first_pass, seconds
    )
    without_segments = JudgedExhibit(media.kind, parameters, coverage, persons, ())
    threshold = scorer.person_probability(scorer.frame_logit(parameters.enter_threshold))
    over = {one.person for one in found}
    if outweighed := is_outweighed(without_segments, over, threshold):
        found = []
    segments = explained(found)
    exhibit = replace(without_segments, segments=segments)
    in_few_frames: dict[str, int] = {}
    if not media.still:
        in_few_frames = candidates.reaching_in_few_frames(people, found, parameters, times, seconds)
    verdict, reason = decide(exhibit, in_few_frames)
    # The figures are those by which it was asked whether there is a finding: a photograph in which one of
    # twenty faces lies above the threshold alone is not manipulated, but has the averaged odds that said so.
    counting = Verdict.MANIPULATED if outweighed else verdict
    return ModelFindings(
        verdict,
        " ".join([reason, *_following(exhibit, media)]),
        exhibit_probability(exhibit, counting),
        answers(exhibit, counting),
        segments,
        persons,
    )


def _following(exhibit: JudgedExhibit, media: Media) -> list[str]:
    """What follows the reason, whatever the verdict is."""
    told = {segment.person for segment in exhibit.segments}  # of those whom it is about, the reason speaks
    hidden = [each.id for each in exhibit.persons if is_covered(each) and each.id not in told]
    still = motionless_persons(exhibit.parameters, exhibit.persons)
    following = [*beside.motionless(still), *beside.covered(hidden)]
    if media.still:
        return following
    return [
        *beside.mostly_grey(exhibit.coverage),
        *beside.other_codec(media.codec, exhibit.coverage),
        *following,
    ]
