"""Sound that Silero VAD takes for speech, made of pulses and formants: no recording of a person."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

RATE = 16_000
# Hertz of the first three formants of some vowels (Peterson and Barney, 1952).
_VOWELS = (730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410)


def babble(seconds: float, seed: int = 0) -> np.ndarray:
    """Return syllables of vowels with moving pitch, and short hisses between them, as float32."""
    rng = np.random.default_rng(seed)
    parts: list[np.ndarray] = []
    length = 0
    while length < seconds * RATE:
        count = int(rng.uniform(0.12, 0.25) * RATE)
        pitch = np.interp(np.arange(count), [0, count / 2, count], rng.uniform(95, 150, 3))
        pulses = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0.0)
        voiced = pulses + 0.002 * rng.standard_normal(count)
        for formant, width in zip(_VOWELS[rng.integers(len(_VOWELS))], (80, 110, 160), strict=True):
            radius = np.exp(-np.pi * width / RATE)
            poles = [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2]
            voiced = lfilter([sum(poles)], poles, voiced)
        voiced *= np.hanning(count) / np.abs(voiced).max()
        hiss = 0.05 * rng.standard_normal(int(rng.uniform(0.03, 0.08) * RATE))
        parts += [0.5 * voiced, np.diff(hiss, prepend=0.0)]
        length += count + len(hiss)
    return np.concatenate(parts)[: int(seconds * RATE)].astype(np.float32)
