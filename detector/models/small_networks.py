"""Small networks beside the models, which judge nothing: each a folder with an ONNX file and its card."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from detector.errors import ModelError
from detector.files import hashed
from detector.models.weights import refuse_wrong_weights
from detector.paths import FILES
from detector.schema.base import Value


class SmallNetworkCard(Value):
    """What is known of one, beside its weights."""

    name: str
    sha256: str
    taught_by: str
    data: tuple[str, ...]
    terms: str
    figures: dict[str, float]


@dataclass(frozen=True)
class SmallNetwork:
    """One of them, by the name of its folder and of its files."""

    name: str

    def file(self, models: Path = FILES / "models") -> Path:
        """The ONNX file among ``models``; raises :class:`ModelError` if it is not its card's."""
        weights, card = self.files_in(models)
        try:
            known = SmallNetworkCard.model_validate_json(card.read_bytes())
            found = hashed(weights)[1]
        except FileNotFoundError as error:
            missing = f"{models.name}/{self.name}/{Path(error.filename).name}"
            raise ModelError(f"{missing} is missing. Fetch both files of this folder again.") from None
        refuse_wrong_weights(weights.name, found, known.sha256)
        return weights

    @lru_cache(maxsize=4)  # noqa: B019  # of constants, which stay
    def sha256(self) -> str | None:
        """Of the network that is there, as its card has it; None without one."""
        try:
            return SmallNetworkCard.model_validate_json(
                self.files_in(FILES / "models")[1].read_bytes()
            ).sha256
        except FileNotFoundError:
            return None

    def files_in(self, models: Path) -> tuple[Path, Path]:
        """Where the network and its card lie among ``models``."""
        path = models / self.name / self.name
        return path.with_suffix(".onnx"), path.with_suffix(".json")


FACE_PROPOSALS = SmallNetwork("face-proposals")
"""Where faces may be (:mod:`detector.faces.search.proposals`)."""
COVERED_FACES = SmallNetwork("covered-faces")
"""Which are covered in part (:mod:`detector.faces.covered`)."""
