"""Other models asked for beside the first one, by name or path, for every file of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detector.models.card_files import load_card
from detector.models.together import refuse_names
from detector.schema.joint_rule import JointRule, refuse_without_others


@dataclass(frozen=True)
class OtherModelNames:
    """Names or paths of the models beside the first one, not yet loaded, and the rule by which all decide."""

    models: Sequence[str] = ()
    rule: JointRule = JointRule.FIRST

    def refuse(self, first: str | None) -> None:
        """Raise before the first file what would otherwise be said of each of them."""
        refuse_without_others(self.rule, self.models)
        if self.models:
            refuse_names(load_card(first)[0].name, self.models, lambda one: load_card(one)[0].name)


ALONE = OtherModelNames()
"""The first model alone."""
