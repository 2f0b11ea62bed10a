"""Trained models: weights in safetensors, and beside them a card that says what they are.

Loading runs no code from the file. The card carries the preprocessing, the calibration
and the measured figures, and the SHA-256 of the weights it belongs to; weights that do
not fit their card are refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from detector.analysis import Model, Sha256, Value
from detector.errors import ModelError

if TYPE_CHECKING:
    from detector.networks import Network

MODELS = Path(__file__).resolve().parent.parent / "models"
DEFAULT = "reelproof-lite0"


class Input(Value):
    """What the network is fed: square crops of ``size`` pixels, RGB in [0, 1], normalised."""

    size: int = Field(ge=32, le=1024)
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Card(Value):
    """``models/NAME.json``. The Markdown beside it is generated from this."""

    name: str
    title: str
    architecture: str
    sha256: Sha256
    input: Input
    temperature: float = Field(gt=0, description="logits are divided by this before the sigmoid")
    data: tuple[str, ...]
    terms: str
    recipe: tuple[str, ...]
    figures: dict[str, float]
    domain: str
    limits: tuple[str, ...]

    def as_model(self) -> Model:
        """The part of the card that goes into an analysis."""
        shared = set(Model.model_fields)
        return Model(**{name: value for name, value in self if name in shared})


@dataclass(frozen=True)
class LoadedModel:
    """A network in evaluation mode, float32 on the CPU, and its card."""

    card: Card
    network: Network


def load_card(model: str | Path | None = None) -> tuple[Card, Path]:
    """The card named or pointed at by ``model`` (default: the shipped one), and its weights' path.

    ``model`` is a name in ``models/`` or the path of a ``.json`` card or a ``.safetensors``
    file. Raises :class:`ModelError` when either is missing or the card is malformed.
    """
    given = Path(model) if model is not None else Path(DEFAULT)
    path = given if given.suffix in {".json", ".safetensors"} else MODELS / f"{given}.json"
    card_path, weights = path.with_suffix(".json"), path.with_suffix(".safetensors")
    for needed in (card_path, weights):
        if not needed.is_file():
            known = ", ".join(sorted(card.stem for card in MODELS.glob("*.json")))
            raise ModelError(f"Model file {needed.name} not found. Models here: {known or 'none'}.")
    try:
        return Card.model_validate_json(card_path.read_bytes()), weights
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its top level"
        raise ModelError(f"Model card {card_path.name} is malformed at {place}: {first['msg']}.") from None


def load_model(model: str | Path | None = None) -> LoadedModel:
    """Load and check a model; see :func:`load_card` for what ``model`` may be.

    Raises :class:`ModelError` when the weights' SHA-256 is not the card's, or when
    tensors do not fit the architecture.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    from detector.networks import create

    card, weights = load_card(model)
    data = weights.read_bytes()
    if hashlib.sha256(data).hexdigest() != card.sha256:
        raise ModelError(
            f"{weights.name} is not the file its card describes (SHA-256 differs). Fetch both files again."
        )
    network = create(card.architecture)
    try:
        state = {
            name: tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in load(data).items()
        }
        network.load_state_dict(state)
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{weights.name} does not fit architecture {card.architecture}: {reason}. "
            "Only safetensors files are read; fetch or publish the model again."
        ) from None
    network.eval()
    network.requires_grad_(False)
    return LoadedModel(card, network.to(memory_format=torch.channels_last))
