"""How several models decide together."""

from __future__ import annotations

from collections.abc import Sized
from enum import StrEnum

from detector.errors import ParameterError
from detector.schema.translatable import N_


class JointRule(StrEnum):
    """The rule, by the name that commands and programs use."""

    FIRST = "first"
    ANY = "any"
    MAJORITY = "majority"
    ALL = "all"

    @property
    def words(self) -> str:
        """The rule in words, which end a sentence."""
        return _WORDS[self]


_WORDS = {
    JointRule.FIRST: "the first model decides; the others are shown.",
    JointRule.ANY: "manipulated if any model says so.",
    JointRule.MAJORITY: "what more than half of the models say; else inconclusive.",
    JointRule.ALL: "what all models say; else inconclusive.",
}
MOST_OTHERS = 8
"""Models of one analysis beside the first."""


def refuse_without_others(rule: JointRule, others: Sized) -> None:
    """Raise :class:`ParameterError` for a rule by which several models are to decide where there is one."""
    if rule != JointRule.FIRST and not others:
        raise ParameterError(
            N_("The rule “%(rule)s” is for several models. Name others beside the first, or leave it out.")
            % {"rule": str(rule)}
        )
