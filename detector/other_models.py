"""Other models beside the first in one analysis: loaded, asked of the same faces, and what each concludes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.environment import titled
from detector.media.reader import MediaReader
from detector.model_findings import judge
from detector.models.card_files import load_card
from detector.models.loaded import LoadedModel, load_model
from detector.models.together import refuse_names
from detector.schema.analysis import Analysis, OtherModel, Parameters, Segment
from detector.schema.joint_rule import JointRule, refuse_without_others
from detector.schema.method.software import Ran
from detector.scoring.first_pass.first_pass import FirstPassResult
from detector.scoring.first_pass.moments import MomentKeeper
from detector.scoring.scorer import Scorer
from detector.scoring.second_look.second_look import fill_in_fused, look_again
from detector.segments.candidates import Candidate
from detector.segments.explained_peaks import explain_peaks
from detector.verdict.joint import joint


@dataclass(frozen=True)
class OtherModels:
    """The models that judge beside the first one, and the rule by which all decide together."""

    models: Sequence[str | Path | LoadedModel] = ()
    rule: JointRule = JointRule.FIRST

    def loaded(self, first: LoadedModel, parameters: Parameters) -> list[LoadedModel]:
        """Each with its weights; see :func:`~detector.models.together.refuse_names` for what it raises."""
        refuse_without_others(self.rule, self.models)
        refuse_names(first.card.name, self.models, _name_of)
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
            ran=Ran(backend=titled(backend), precision=backend.precision, device=backend.device),
        )
