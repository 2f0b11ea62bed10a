"""A network of voices made up for tests: speech with much treble is synthetic to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from made_speech import babble

from detector.voice.card import read_voice_card, voice_model_files
from detector.voice.model import LoadedVoiceModel
from detector.voice.network import CELL, Spectra


class Network:
    """Scores how loud the upper bands are; ``encoded`` counts blocks."""

    encoded = 0

    def cells(self, sounds: Sequence[Spectra]) -> np.ndarray:
        self.encoded += len(sounds)
        means = [sound.mel[40:].mean() for sound in sounds]
        count = sounds[0].mel.shape[1] * 160 // CELL
        return np.array(means, np.float32)[:, None, None, None] * np.ones((1, count, 2, 1), np.float32)

    def logit(self, cells: np.ndarray, shares: np.ndarray) -> float:
        return float(cells.mean())


def bright_model() -> LoadedVoiceModel:
    """The shipped card with that network, calibrated so that :func:`bright` speech is flagged."""
    card = read_voice_card(voice_model_files()[1])
    window = card.window.model_copy(update={"scale": 60.0, "offset": -2.0})
    network: object = Network()
    return LoadedVoiceModel(card.model_copy(update={"window": window}), network)  # type: ignore[arg-type]


def bright(seconds: float, seed: int = 0) -> np.ndarray:
    """Return speech with much treble."""
    return np.diff(babble(seconds, seed), prepend=0.0).astype(np.float32)
