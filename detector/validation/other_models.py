"""Other models beside the one validated: what each says of the same files, and all together by each rule.

The parameters and thresholds are those of the first model; a validation speaks for the first alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detector.schema.analysis import Model, Verdict
from detector.schema.joint_rule import JointRule
from detector.schema.laboratory.validation import (
    ByOther,
    ByRule,
    Level,
    OtherValidated,
    SaidByOther,
    ValidationItem,
)
from detector.validation import rates
from detector.verdict.joint import decided

_OF_VERDICTS = ("false positive rate", "false negative rate")


def of_other(model: Model) -> dict[str, str | None]:
    """What the line of a file keeps of another model, beside what it says."""
    look = model.second_look
    return {
        "name": model.name,
        "title": model.title,
        "architecture": model.architecture,
        "sha256": model.sha256,
        "second_look_sha256": look.sha256 if look else None,
    }


def said(line: Mapping[str, Any]) -> tuple[SaidByOther, ...]:
    """What other models say, of the line of a file that was analysed."""
    return tuple(
        SaidByOther(verdict=Verdict(one["verdict"]), probability=one["probability"])
        for one in line.get("others", ())
    )


def side_by_side(
    items: Sequence[ValidationItem], lines: Sequence[Mapping[str, Any]], threshold: float
) -> tuple[tuple[ByOther, ...], tuple[ByRule, ...]]:
    """Figures of each other model, and of all together; nothing unless all files were judged by the same."""
    named = [line.get("models", []) for line in lines if "error" not in line]
    if not named or not named[0] or any(each != named[0] for each in named):
        return (), ()
    models = [OtherValidated(**each) for each in named[0]]
    judged = [each for each in items if each.error is None]
    beside = tuple(
        ByOther(model=model, levels=_levels(judged, number, threshold)) for number, model in enumerate(models)
    )
    rules = [JointRule.ANY, JointRule.MAJORITY, JointRule.ALL]
    if len(models) == 1:
        rules.remove(JointRule.MAJORITY)  # more than half of two is both
    return beside, tuple(ByRule(rule=rule, levels=_together(judged, rule, threshold)) for rule in rules)


def _levels(items: Sequence[ValidationItem], number: int, threshold: float) -> tuple[Level, ...]:
    """Of what another model says, over all of each kind and by generator."""
    own = [
        each.model_copy(
            update={
                "verdict": each.others[number].verdict,
                "probability": each.others[number].probability,
            }
        )
        for each in items
    ]
    return tuple(each for each in rates.levels(own, threshold) if each.attribute in ("", "generator"))


def _together(items: Sequence[ValidationItem], rule: JointRule, threshold: float) -> tuple[Level, ...]:
    """Of the joint verdict: rates of verdicts alone, since all together give no probability."""
    own = [
        each.model_copy(
            update={
                "verdict": decided(rule, [_verdict(each), *(one.verdict for one in each.others)]),
                # Any number: it says only that the file counts, as soon as one of the models judged it.
                "probability": next(
                    (p for p in (each.probability, *(o.probability for o in each.others)) if p is not None),
                    None,
                ),
            }
        )
        for each in items
    ]
    return tuple(
        level.model_copy(update={"rates": tuple(r for r in level.rates if r.figure in _OF_VERDICTS)})
        for level in rates.levels(own, threshold)
        if not level.attribute
    )


def _verdict(item: ValidationItem) -> Verdict:
    return item.verdict or Verdict.INCONCLUSIVE
