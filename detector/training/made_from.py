"""What a checkpoint was made from, so that a run goes on only with what it would have made itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.errors import ParameterError
from detector.training.config import FREE, Config
from detector.training.data.file_marks import marks
from detector.training.data.own_set_examples import divided


class OtherOriginError(ParameterError):
    """A checkpoint of this name was made from another recipe or other data; the message says what to do."""


@dataclass(frozen=True)
class MadeFrom:
    """A recipe and, of a data set of one's own, the examples.

    ``data`` is a digest of what is learnt from and validated on, as often as it is drawn: contents, labels,
    groups; empty for the research data. ``files`` are the marks of their files.
    """

    recipe: dict[str, Any]
    data: str = ""
    files: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Config, data: Path, failures: Path | None) -> MadeFrom:
        """Reads every file of a set at both ends."""
        recipe = config.model_dump(mode="json", exclude=FREE)
        if config.set is None:
            return cls(recipe)
        parts = divided(data, failures)
        every = list(dict.fromkeys([*parts.train, *parts.held_out]))
        known = dict(zip(every, marks(every), strict=True))
        digest = hashlib.sha256()
        for name, items in (("train", parts.train), ("val", parts.held_out)):
            for item in items:
                digest.update(f"{name} {known[item]} {item.label} {item.group}\n".encode())
        return cls(recipe, digest.hexdigest(), tuple(sorted(set(known.values()))))

    @property
    def kept(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {"recipe": self.recipe, "data": self.data}

    def refuse_other(self, kept: Mapping[str, Any], checkpoint: Path) -> None:
        """Raise :class:`OtherOriginError` unless the ``checkpoint`` was made from the same, as it ``kept``.

        A key that is new since then does not count.
        """
        recipe = kept["recipe"]
        other = [key for key, value in self.recipe.items() if key in recipe and recipe[key] != value]
        if not other and kept["data"] == self.data:
            return
        what = f"another recipe ({', '.join(other)})" if other else "other data, labels or failures"
        raise OtherOriginError(
            f"{checkpoint} was made from {what}. Give the recipe another name, or remove {checkpoint}."
        )
