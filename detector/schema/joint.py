"""The rule by which several models decide together. Imports nothing heavy: command-line parsers need it."""

from __future__ import annotations

from collections.abc import Sized
from enum import StrEnum

from detector.errors import ParameterError
from detector.schema.formatting import N_


class JointRule(StrEnum):
    """The rule that combines the verdicts of several models, by its name in commands and programs."""

    FIRST = "first"
    ANY = "any"
    MAJORITY = "majority"
    ALL = "all"


MOST_OTHERS = 8  # models of one analysis besides the first


def refuse_without_others(rule: JointRule, others: Sized) -> None:
    """Raise :class:`ParameterError` if a rule for several models is given for one."""
    if rule != JointRule.FIRST and not others:
        raise ParameterError(
            N_("The rule “%(rule)s” is for several models. Name others beside the first, or omit the rule.")
            % {"rule": str(rule)}
        )
