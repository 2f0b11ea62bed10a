"""The shipped network of voices: the weights with their card."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256

import numpy as np

from detector.models.model_files import read_arrays, refuse_wrong_weights
from detector.schema.scores import logit_of, sigmoid
from detector.schema.voice import VoiceModel
from detector.voice.card import VoiceCard, missing_file, read_voice_card, voice_model_files
from detector.voice.network import VoiceNetwork


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
        return self.card.as_model()


@cache
def load_voice_model() -> LoadedVoiceModel:
    """Load the network; raise :class:`ModelError` if a file is missing or does not match the card."""
    weights, card_file = voice_model_files()
    card = read_voice_card(card_file)
    try:
        data = weights.read_bytes()
    except FileNotFoundError:
        raise missing_file(weights) from None
    refuse_wrong_weights(weights.name, sha256(data).hexdigest(), card.sha256)
    arrays = {name: array.astype(np.float32) for name, array in read_arrays(data).items()}
    return LoadedVoiceModel(card, VoiceNetwork(arrays))
