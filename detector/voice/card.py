"""The card of the network of voices, ``models/voice/reelproof-voice.json``."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from detector.errors import ModelError
from detector.files import FILES
from detector.schema.base import optional
from detector.schema.formatting import N_
from detector.schema.model import Described, Platt, Range
from detector.schema.voice import VoiceModel

VOICE_MODEL = "reelproof-voice"
_DECIDING = {"sha256", "window", "enter", "leave", "doubt", "validated", "short_lowered"}


class VoiceCard(Described):
    """The card of a network of voices."""

    name: str
    title: str
    architecture: str
    sha256: str
    start: str
    """What it was trained from: authors and licence."""
    data: tuple[str, ...]
    terms: str
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
    short_lowered: float = optional("by which the logits of short windows are lowered", 0.0)

    @property
    def deciding_sha256(self) -> str:
        """SHA-256 of all fields that affect results."""
        facts = self.model_dump(mode="json", include=_DECIDING)
        return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def as_model(self) -> VoiceModel:
        """Return the part that an analysis states."""
        own = {name: getattr(self, name) for name in VoiceModel.model_fields if name != "card_sha256"}
        return VoiceModel(**own, card_sha256=self.deciding_sha256)


def voice_model_files(models: Path = FILES / "models") -> tuple[Path, Path]:
    """Return the paths of weights and card."""
    path = models / "voice" / VOICE_MODEL
    return path.with_suffix(".safetensors"), path.with_suffix(".json")


def read_voice_card(path: Path | None = None) -> VoiceCard:
    """Read the shipped card, or that at ``path``; raise :class:`ModelError` if it is missing or invalid."""
    path = path or voice_model_files()[1]
    try:
        return VoiceCard.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise missing_file(path) from None
    except ValueError as error:
        raise ModelError(
            N_("The card models/voice/%(file)s cannot be read. Fetch it again.") % {"file": path.name}
        ) from error


def missing_file(path: Path) -> ModelError:
    """Return the error for a missing file of the network."""
    return ModelError(
        N_("%(file)s is missing. Fetch both files of this folder again.")
        % {"file": f"models/voice/{path.name}"}
    )
