"""How several models decide together."""

from __future__ import annotations

from enum import StrEnum


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
