"""Synthetic halves of pairs: human speech taken apart and put together again, the same in all else.

As Wang and Yamagishi (2023, arXiv:2210.10570) do with neural vocoders; these need no training.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from scipy.linalg import solve_toeplitz
from scipy.signal import istft, lfilter, stft

from detector.voice.network import mel_filters
from detector.voice.samples import RATE, Samples

Vocoder = Callable[[Samples, np.random.Generator], Samples]


def _pyworld() -> Any:
    """Import pyworld, which asks the former ``pkg_resources`` of setuptools for nothing but its version."""
    if "pkg_resources" not in sys.modules:
        stand_in = ModuleType("pkg_resources")
        stand_in.get_distribution = lambda name: SimpleNamespace(version="")  # type: ignore[attr-defined]
        sys.modules["pkg_resources"] = stand_in
    import pyworld

    return pyworld


def world(samples: Samples, rng: np.random.Generator) -> Samples:
    """Analyse and synthesise with WORLD (Morise et al., 2016), half of the time from a coded envelope."""
    library, signal = _pyworld(), samples.astype(np.float64)
    pitch, times = library.dio(signal, RATE)
    pitch = library.stonemask(signal, pitch, times, RATE)
    envelope = library.cheaptrick(signal, pitch, times, RATE)
    aperiodicity = library.d4c(signal, pitch, times, RATE)
    if rng.random() < 0.5:
        coded = library.code_spectral_envelope(envelope, RATE, int(rng.choice([24, 40, 60])))
        envelope = library.decode_spectral_envelope(coded, RATE, 2 * (envelope.shape[1] - 1))
    if rng.random() < 0.4:
        pitch = pitch * rng.uniform(0.85, 1.2)
    return np.asarray(library.synthesize(pitch, envelope, aperiodicity, RATE), np.float32)[: len(samples)]


def griffin_lim(samples: Samples, rng: np.random.Generator) -> Samples:
    """Keep 80 mel bands, and find phases in 8 or 16 rounds (Griffin and Lim, 1984)."""
    size = 400
    filters = mel_filters().astype(np.float64)

    def analyse(signal: np.ndarray) -> np.ndarray:
        return np.asarray(stft(signal, RATE, nperseg=size, noverlap=size * 3 // 4)[2])

    magnitude = np.abs(analyse(samples))
    magnitude = np.maximum(np.linalg.pinv(filters) @ (filters @ magnitude), 1e-7)
    spectrum = magnitude * np.exp(1j * rng.uniform(0, 2 * np.pi, magnitude.shape))
    for _ in range(int(rng.choice([8, 16]))):
        signal = istft(spectrum, RATE, nperseg=size, noverlap=size * 3 // 4)[1]
        spectrum = magnitude * np.exp(1j * np.angle(analyse(signal)[:, : magnitude.shape[1]]))
    return istft(spectrum, RATE, nperseg=size, noverlap=size * 3 // 4)[1][: len(samples)].astype(np.float32)


def linear_prediction(samples: Samples, rng: np.random.Generator) -> Samples:
    """Excite the filter of linear prediction (Atal and Hanauer, 1971) with pulses or noise."""
    order, size, step = int(rng.choice([12, 16, 20])), 480, 240
    window, out = np.hanning(size), np.zeros(len(samples) + size)
    pitch, _ = _pyworld().dio(samples.astype(np.float64), RATE, frame_period=1000 * step / RATE)
    for number, start in enumerate(range(0, len(samples) - size, step)):
        part = samples[start : start + size] * window
        correlation = np.correlate(part, part, "full")[size - 1 : size + order]
        if correlation[0] < 1e-7:
            continue
        correlation[0] *= 1.0001
        predictor = solve_toeplitz(correlation[:order], correlation[1:])
        gain = np.sqrt(max(1e-12, correlation[0] - predictor @ correlation[1:]) / size)
        excitation, hertz = rng.standard_normal(size), pitch[min(number, len(pitch) - 1)]
        if hertz > 0:
            period = int(RATE / hertz)
            excitation = np.zeros(size)
            excitation[(-start) % period :: period] = np.sqrt(period)
        out[start : start + size] += lfilter([gain], np.r_[1, -predictor], excitation) * window
    return out[: len(samples)].astype(np.float32)


VOCODERS: dict[str, Vocoder] = {
    "WORLD": world,
    "Griffin-Lim": griffin_lim,
    "linear prediction": linear_prediction,
}
