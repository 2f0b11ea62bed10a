"""Further models that judge the same faces: rates of each, and of all together by each rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detector.schema.analysis import Model, Verdict
from detector.schema.joint import JointRule
from detector.schema.laboratory import (
    ByOther,
    ByRule,
    Level,
    OtherValidated,
    SaidByOther,
    Subject,
    ValidationItem,
)
from detector.validation.rates import compute_levels
from detector.verdict.verdict import combine_verdicts

_OF_VERDICTS = ("false positive rate", "false negative rate")


def other_model_fields(model: Model) -> dict[str, str | None]:
    """Return what the line of a file stores of another model."""
    look = model.second_look
    return {
        "name": model.name,
        "title": model.title,
        "architecture": model.architecture,
        "sha256": model.sha256,
        "second_look_sha256": look.sha256 if look else None,
    }


def read_other_results(line: Mapping[str, Any]) -> tuple[SaidByOther, ...]:
    """Read the results of other models from the line of a file."""
    return tuple(
        SaidByOther(verdict=Verdict(result["verdict"]), probability=result["probability"])
        for result in line.get("others", ())
    )


def side_by_side(
    items: Sequence[ValidationItem], lines: Sequence[Mapping[str, Any]], threshold: float
) -> tuple[tuple[ByOther, ...], tuple[ByRule, ...]]:
    """Compute the rates of each further model and of all together, if all files have the same ones."""
    model_lists = [line.get("models", []) for line in lines if "error" not in line]
    if not model_lists or not model_lists[0] or any(item != model_lists[0] for item in model_lists):
        return (), ()
    models = [OtherValidated(**item) for item in model_lists[0]]
    analysed = [item for item in items if item.error is None and item.kind is not Subject.VOICE]
    beside = tuple(
        ByOther(model=model, levels=_levels(analysed, number, threshold))
        for number, model in enumerate(models)
    )
    rules = [JointRule.ANY, JointRule.MAJORITY, JointRule.ALL]
    if len(models) == 1:
        rules.remove(JointRule.MAJORITY)  # a majority of two is all
    return beside, tuple(ByRule(rule=rule, levels=_together(analysed, rule, threshold)) for rule in rules)


def _levels(items: Sequence[ValidationItem], number: int, threshold: float) -> tuple[Level, ...]:
    """Compute the levels of another model, over all of each kind and by generator."""
    own = [
        item.model_copy(
            update={
                "verdict": item.others[number].verdict,
                "probability": item.others[number].probability,
            }
        )
        for item in items
    ]
    return tuple(level for level in compute_levels(own, threshold) if level.attribute in ("", "generator"))


def _together(items: Sequence[ValidationItem], rule: JointRule, threshold: float) -> tuple[Level, ...]:
    """Compute the error rates of the joint verdict, which has no probability."""
    own = [
        item.model_copy(
            update={
                "verdict": combine_verdicts(
                    rule, [_verdict(item), *(other.verdict for other in item.others)]
                ),
                # The value is irrelevant: it only makes the file count if one of the models judged it.
                "probability": next(
                    (
                        p
                        for p in (item.probability, *(other.probability for other in item.others))
                        if p is not None
                    ),
                    None,
                ),
            }
        )
        for item in items
    ]
    return tuple(
        level.model_copy(update={"rates": tuple(r for r in level.rates if r.figure in _OF_VERDICTS)})
        for level in compute_levels(own, threshold)
        if not level.attribute
    )


def _verdict(item: ValidationItem) -> Verdict:
    return Verdict(item.verdict or Verdict.INCONCLUSIVE)
