"""What several models amount to together, by a rule that the analysis states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import assert_never

from detector.schema.analysis import Joint, Verdict
from detector.schema.joint_rule import JointRule


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
