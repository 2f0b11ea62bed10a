"""The shipped network of voices: weights and card, ``models/voice/reelproof-voice``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from detector.errors import ModelError
from detector.files import FILES
from detector.models.model_files import read_arrays, refuse_wrong_weights
from detector.schema.base import Value, optional
from detector.schema.formatting import N_
from detector.schema.model import Platt, Range
from detector.schema.scores import logit_of, sigmoid
from detector.schema.voice import VoiceModel
from detector.voice.network import VoiceNetwork

VOICE_MODEL = "reelproof-voice"


class VoiceCard(Value):
    """The card of a network of voices."""

    name: str
    title: str
    architecture: str
    sha256: str
    start: str
    """What it was trained from: authors and licence."""
    data: tuple[str, ...]
    terms: str
    domain: str
    limits: tuple[str, ...]
    window: Platt
    """Calibration of one window's raw score."""
    enter: float
    """Smoothed probability that opens a segment."""
    leave: float
    doubt: float
    """Probability over all speech from which nothing is ruled out."""
    validated: tuple[Range, ...]
    figures: dict[str, float]
    recipe: dict[str, float | int | str] = optional("parameters of the training", {})


@dataclass(frozen=True)
class LoadedVoiceModel:
    """The network with its card."""

    card: VoiceCard
    network: VoiceNetwork

    def probability(self, raw: float) -> float:
        """Return the calibrated probability of a raw score."""
        return float(sigmoid(self.card.window.scale * raw + self.card.window.offset))

    def logit(self, raw: float) -> float:
        """Return the calibrated logit of a raw score."""
        return self.card.window.scale * raw + self.card.window.offset

    @property
    def threshold(self) -> float:
        """The logit at which a finding begins."""
        return logit_of(self.card.enter)

    def as_published(self) -> VoiceModel:
        """Return the part of the card that an analysis states."""
        card = self.card
        return VoiceModel(
            name=card.name,
            title=card.title,
            architecture=card.architecture,
            sha256=card.sha256,
            figures=card.figures,
            domain=card.domain,
            limits=card.limits,
        )


def voice_model_files(models: Path = FILES / "models") -> tuple[Path, Path]:
    """Return the paths of weights and card."""
    path = models / "voice" / VOICE_MODEL
    return path.with_suffix(".safetensors"), path.with_suffix(".json")


@cache
def load_voice_model() -> LoadedVoiceModel:
    """Load the network; raise :class:`ModelError` if a file is missing or does not match the card."""
    weights, card_file = voice_model_files()
    try:
        card = VoiceCard.model_validate_json(card_file.read_bytes())
        data = weights.read_bytes()
    except FileNotFoundError as error:
        missing = f"models/voice/{Path(error.filename).name}"
        raise ModelError(
            N_("%(file)s is missing. Fetch both files of this folder again.") % {"file": missing}
        ) from None
    except ValueError as error:
        raise ModelError(
            N_("The card models/voice/%(file)s cannot be read. Fetch it again.") % {"file": card_file.name}
        ) from error
    refuse_wrong_weights(weights.name, sha256(data).hexdigest(), card.sha256)
    arrays = {name: array.astype(np.float32) for name, array in read_arrays(data).items()}
    return LoadedVoiceModel(card, VoiceNetwork(arrays))
