"""Other models asked for beside the first one, by name or path, for every file of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.errors import ModelError, ParameterError
from detector.models.card_files import load_card
from detector.schema.joint_rule import MOST_OTHERS, JointRule


@dataclass(frozen=True)
class OtherModelNames:
    """Names or paths of the models beside the first one, not yet loaded, and the rule by which all decide."""

    models: Sequence[str] = ()
    rule: JointRule = JointRule.FIRST

    def refuse(self, first: str | None) -> None:
        """Raise before the first file what would otherwise be said of each of them."""
        if len(self.models) > MOST_OTHERS:
            raise ParameterError(f"At most {MOST_OTHERS} other models can be asked for in one analysis.")
        names = [load_card(first)[0].name] if self.models else []
        for one in self.models:
            name = load_card(one)[0].name
            if name in names:
                raise ModelError(f"The model {name} is named twice. Name each model once.")
            names.append(name)


ALONE = OtherModelNames()
"""The first model alone."""


def with_absolute_path(model: str | None) -> str | None:
    """A model given as a file by its whole path, for processes in another folder."""
    return str(Path(model).absolute()) if model and Path(model).suffix else model
