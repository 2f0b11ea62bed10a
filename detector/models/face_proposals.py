"""The small network that proposes where faces may be, and its card."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from detector.errors import ModelError
from detector.files import hashed
from detector.models.weights import refuse_wrong_weights
from detector.paths import FILES
from detector.schema.base import Value

FOLDER = "face-proposals"
"""Beside the models."""
_NAME = "face-proposals"


class FaceProposalsCard(Value):
    """What is known of the network, beside its weights."""

    name: str
    sha256: str
    taught_by: str
    data: tuple[str, ...]
    terms: str
    figures: dict[str, float]


def proposals_file(models: Path = FILES / "models") -> Path:
    """The network among ``models``, an ONNX file; raises :class:`ModelError` if it is not its card's."""
    weights, card = files_in(models)
    try:
        known = FaceProposalsCard.model_validate_json(card.read_bytes())
        found = hashed(weights)[1]
    except FileNotFoundError as error:
        missing = f"{models.name}/{FOLDER}/{Path(error.filename).name}"
        raise ModelError(f"{missing} is missing. Fetch both files of this folder again.") from None
    refuse_wrong_weights(weights.name, found, known.sha256)
    return weights


@lru_cache(maxsize=1)
def proposals_sha256() -> str | None:
    """Of the network that is there, as its card has it; None without one."""
    try:
        return FaceProposalsCard.model_validate_json(files_in(FILES / "models")[1].read_bytes()).sha256
    except FileNotFoundError:
        return None


def files_in(models: Path) -> tuple[Path, Path]:
    """Where the network and its card lie among ``models``."""
    path = models / FOLDER / _NAME
    return path.with_suffix(".onnx"), path.with_suffix(".json")
