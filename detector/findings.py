"""Turn scored faces into findings and a verdict, for the primary model and for further models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from detector.environment import backend_title
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
from detector.schema.causes.cause import Cause
from detector.schema.joint import JointRule, refuse_without_others
from detector.schema.method import Ran
from detector.scoring.first_pass import FirstPassResult
from detector.scoring.moments import MomentKeeper
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import fill_in_fused, run_second_look
from detector.segments import candidates
from detector.segments import candidates as segments_candidates
from detector.segments.candidates import Candidate, seconds_shown
from detector.segments.explained_peaks import Explainable, without_peaks
from detector.verdict.coverage import DAMAGED
from detector.verdict.judged_persons import JudgedExhibit
from detector.verdict.verdict import (
    decide,
    exhibit_answers,
    exhibit_probability,
    following_remarks,
    is_outweighed,
    joint_verdict,
)


@dataclass(frozen=True)
class ModelFindings:
    """The findings of one model and its verdict."""

    verdict: Verdict
    causes: tuple[Cause, ...]
    probability: float | None
    answers: Answers | None
    segments: tuple[Segment, ...]
    persons: tuple[Person, ...]
    candidates: Sequence[Candidate]
    """Those of the segments, in the same order, with the frames to explain."""


def judge(
    first_pass: FirstPassResult,
    scorer: Scorer,
    parameters: Parameters,
    media: Media,
    coverage: Coverage,
) -> ModelFindings:
    """Decide the verdict from a first pass that ``scorer`` has scored.

    The ``coverage`` of the primary model decides what is judged. Segments have no peaks yet. Fills in the
    smoothed probabilities of ``first_pass``.
    """
    candidates.fill_in_smoothed(first_pass.detections, scorer, parameters)
    times = first_pass.times
    damaged_spans = [span for span in coverage.not_examined if span.cause and span.cause.code in DAMAGED]
    seconds = seconds_shown(times, media.duration, parameters.sample_rate, damaged_spans)
    groups = segments_candidates.group_persons(first_pass, seconds)
    found_candidates = candidates.find_all_candidates(
        groups, parameters, media.kind, scorer.frame_logit(parameters.enter_threshold)
    )
    persons = segments_candidates.published_persons(
        groups, found_candidates, scorer, parameters.sample_rate, first_pass, seconds
    )
    without_segments = JudgedExhibit(media.kind, parameters, coverage, persons, ())
    threshold = scorer.person_probability(scorer.frame_logit(parameters.enter_threshold))
    over_threshold = {candidate.person for candidate in found_candidates}
    if outweighed := is_outweighed(without_segments, over_threshold, threshold):
        found_candidates = []
    segments = without_peaks(found_candidates, scorer)
    exhibit = replace(without_segments, segments=segments)
    in_few_frames: dict[str, int] = {}
    if not media.still:
        in_few_frames = candidates.reaching_in_few_frames(
            groups, found_candidates, parameters, times, seconds
        )
    verdict, causes = decide(exhibit, in_few_frames)
    # Report the probability on which the decision was based. If one of twenty faces of a photograph is above
    # the threshold but outweighed, this is the averaged odds of the faces eligible for a finding.
    decisive_verdict = Verdict.MANIPULATED if outweighed else verdict
    return ModelFindings(
        verdict,
        (*causes, *following_remarks(exhibit, media)),
        exhibit_probability(exhibit, decisive_verdict),
        exhibit_answers(exhibit, decisive_verdict),
        segments,
        persons,
        found_candidates,
    )


@dataclass(frozen=True)
class OtherModels:
    """Further models of an analysis, and the rule by which all models decide together."""

    models: Sequence[str | Path | LoadedModel] = ()
    rule: JointRule = JointRule.FIRST

    def loaded(self, first: LoadedModel, parameters: Parameters) -> list[LoadedModel]:
        """Load the models; raises what :func:`~detector.models.loaded.refuse_model_combination` raises."""
        refuse_without_others(self.rule, self.models)
        refuse_model_combination(first.card.name, self.models, _name_of)
        models = [model if isinstance(model, LoadedModel) else load_model(model) for model in self.models]
        return models if parameters.second_look else [model.alone for model in models]


def _name_of(model: str | Path | LoadedModel) -> str:
    return (model.card if isinstance(model, LoadedModel) else load_card(model)[0]).name


@dataclass(frozen=True, eq=False)
class OtherVerdicts:
    """Judges an exhibit with further models, after the primary model has made ``analysis``.

    The second look uses the moments of ``keeper``.
    """

    analysis: Analysis
    keeper: MomentKeeper | None

    def judge_all(
        self, first_passes: Sequence[FirstPassResult], scorers: Sequence[Scorer], rule: JointRule
    ) -> tuple[dict[str, object], list[Explainable]]:
        """Return the fields of the analysis about further models, and what of each can be explained.

        ``scorers`` scored ``first_passes``.
        """
        judged = [
            self._judged(first_pass, scorer, number)
            for number, (first_pass, scorer) in enumerate(zip(first_passes, scorers, strict=True), start=2)
        ]
        others = tuple(other for other, _ in judged)
        verdicts = [(self.analysis.model.title, self.analysis.verdict)]
        verdicts += [(other.model.title, other.verdict) for other in others]
        fields = {"others": others, "joint": joint_verdict(rule, verdicts)}
        return fields, [explainable for _, explainable in judged]

    def _judged(
        self, first_pass: FirstPassResult, scorer: Scorer, number: int
    ) -> tuple[OtherModel, Explainable]:
        """Judge by the rules of the primary model, on sampled frames only."""
        analysis = self.analysis
        parameters = analysis.parameters
        backend = scorer.backend
        if self.keeper is not None and scorer.loaded.second_look is not None:
            scorer = run_second_look(
                scorer.loaded, scorer, first_pass, self.keeper, parameters, lambda share: None
            )
            fill_in_fused(first_pass.detections, scorer)
        findings = judge(first_pass, scorer, parameters, analysis.media, analysis.coverage)
        other = OtherModel(
            model=scorer.card.as_model(),  # with the calibration used here
            verdict=findings.verdict,
            causes=findings.causes,
            probability=findings.probability,
            segments=findings.segments,
            persons=findings.persons,
            ran=Ran(backend=backend_title(backend), precision=backend.precision, device=backend.device),
        )
        return other, Explainable(findings.candidates, scorer, f"model{number}-")
