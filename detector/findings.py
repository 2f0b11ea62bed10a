"""Turn scored faces into findings and a verdict, for the primary model and for further models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from detector.environment import backend_title
from detector.media.reader import MediaReader
from detector.models.loaded import LoadedModel, load_model, refuse_model_combination
from detector.models.model_files import load_card
from detector.schema.analysis import (
    Analysis,
    Answers,
    Coverage,
    Media,
    OtherModel,
    Parameters,
    Person,
    Segment,
    Verdict,
)
from detector.schema.method import JointRule, Ran, refuse_without_others
from detector.scoring.first_pass import FirstPassResult
from detector.scoring.moments import MomentKeeper
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import fill_in_fused, look_again
from detector.segments import candidates
from detector.segments import candidates as segments_candidates
from detector.segments.candidates import Candidate, seconds_shown
from detector.segments.explained_peaks import explain_peaks
from detector.verdict import reasons
from detector.verdict.coverage import DAMAGED
from detector.verdict.judged_persons import JudgedExhibit, is_covered, motionless_persons
from detector.verdict.verdict import answers, decide, exhibit_probability, is_outweighed, joint


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
    people = segments_candidates.group_persons(first_pass, seconds)
    found = candidates.candidates_of_all(people, parameters, media.kind)
    persons = segments_candidates.published_persons(
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
    following = [*reasons.motionless_note(still), *reasons.covered_note(hidden)]
    if media.still:
        return following
    return [
        *reasons.mostly_grey_note(exhibit.coverage),
        *reasons.other_codec_note(media.codec, exhibit.coverage),
        *following,
    ]


@dataclass(frozen=True)
class OtherModels:
    """The models that judge beside the first one, and the rule by which all decide together."""

    models: Sequence[str | Path | LoadedModel] = ()
    rule: JointRule = JointRule.FIRST

    def loaded(self, first: LoadedModel, parameters: Parameters) -> list[LoadedModel]:
        """Each with its weights.

        See :func:`~detector.models.loaded.refuse_model_combination` for what it raises.
        """
        refuse_without_others(self.rule, self.models)
        refuse_model_combination(first.card.name, self.models, _name_of)
        loaded = [one if isinstance(one, LoadedModel) else load_model(one) for one in self.models]
        return loaded if parameters.second_look else [one.alone for one in loaded]


def _name_of(model: str | Path | LoadedModel) -> str:
    return (model.card if isinstance(model, LoadedModel) else load_card(model)[0]).name


@dataclass(frozen=True, eq=False)
class OtherVerdicts:
    """What other models say of an exhibit that the first one has judged, in ``analysis``.

    They take the second look at what ``keeper`` kept, if any of them takes one. Peaks are read again from
    ``reader``, and drawn below ``images``, if given.
    """

    analysis: Analysis
    keeper: MomentKeeper | None
    reader: MediaReader
    images: Path | None

    def fields(
        self, first_passes: Sequence[FirstPassResult], scorers: Sequence[Scorer], rule: JointRule
    ) -> dict[str, object]:
        """The fields of the analysis that speak of other models; ``scorers`` gave ``first_passes``."""
        others = tuple(
            self._judged(first_pass, scorer, number)
            for number, (first_pass, scorer) in enumerate(zip(first_passes, scorers, strict=True), start=2)
        )
        verdicts = [(self.analysis.model.title, self.analysis.verdict)]
        verdicts += [(other.model.title, other.verdict) for other in others]
        return {"others": others, "joint": joint(rule, verdicts)}

    def _judged(self, first_pass: FirstPassResult, scorer: Scorer, number: int) -> OtherModel:
        """By the rules of the first model, on sampled frames alone."""
        analysis = self.analysis
        parameters = analysis.parameters
        backend = scorer.backend
        if self.keeper is not None and scorer.loaded.second_look is not None:
            scorer = look_again(
                scorer.loaded, scorer, first_pass, self.keeper, parameters, lambda share: None
            )
            fill_in_fused(first_pass.detections, scorer)

        def explained(found: Sequence[Candidate]) -> tuple[Segment, ...]:
            return explain_peaks(
                found,
                self.reader,
                scorer,
                self.images,
                parameters.seed,
                lambda share: None,
                prefix=f"model{number}-",
            )

        judged = judge(first_pass, scorer, parameters, analysis.media, analysis.coverage, explained)
        return OtherModel(
            model=scorer.card.as_model(),  # with the calibration that made these figures
            verdict=judged.verdict,
            reason=judged.reason,
            probability=judged.probability,
            segments=judged.segments,
            persons=judged.persons,
            ran=Ran(backend=backend_title(backend), precision=backend.precision, device=backend.device),
        )
