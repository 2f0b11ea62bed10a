"""The network of voices: two encoders, whose tokens are pooled over speech, and a linear head.

One has the architecture of Whisper (Radford et al., 2022, arXiv:2212.04356) up to its second block, the other
that of Distill-MOS (Stahl and Gamper, 2025, arXiv:2502.05356), which hears how natural and clean speech is.
Both see 4 s at a time. Mean and mean square of their tokens are kept in *cells* of half a second; any window
of cells is judged from these, so that overlapping windows cost one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from detector.voice.graphs import BINS, MELS, Weights, encoder_graph
from detector.voice.runtime import Runner, open_graph
from detector.voice.samples import RATE, Samples

CELL = RATE // 2
"""Samples of a cell."""
CELLS_AT_ONCE = 8
"""Cells that the encoder sees together."""
HIGHEST = 7000.0
"""Hertz above which nothing is seen: many codecs remove it, so it would tell the codec, not the voice."""
_FFT, _HOP = 400, 160
_SHORT = 320  # samples of a frame of the compressed spectrum
_POWER = 0.3  # to which its magnitudes are raised
_LOUDEST = 1.25  # logarithm of the power of the loudest place: the mean of the recordings learned from

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Spectra:
    """What the encoders are given of some sound, n frames of 10 ms."""

    mel: Floats
    """Log-mel spectrogram (80, n)."""
    compressed: Floats
    """Real and imaginary part (2, 161, n) of a spectrum with compressed magnitudes."""


@cache
def mel_filters() -> Floats:
    """Return the triangular filters (80, 201) of Whisper's log-mel spectrogram (Slaney, 1998)."""
    step, corner, ratio = 200 / 3, 1000.0, np.log(6.4) / 27

    def to_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(mel >= 15, corner * np.exp(ratio * (mel - 15)), mel * step)

    top = 15 + np.log(RATE / 2 / corner) / ratio
    points = to_hertz(np.linspace(0, top, MELS + 2))
    hertz = np.linspace(0, RATE / 2, _FFT // 2 + 1)
    rise = (hertz - points[:-2, None]) / np.diff(points)[:-1, None]
    fall = (points[2:, None] - hertz) / np.diff(points)[1:, None]
    filters = np.maximum(0, np.minimum(rise, fall)) * (2 / (points[2:] - points[:-2]))[:, None]
    filters[:, hertz > HIGHEST] = 0
    return filters.astype(np.float32)


def power_spectrum(samples: Samples) -> Floats:
    """Return the power (201, n) of frames of 25 ms every 10 ms; n is the number of samples / 160."""
    padded = np.pad(samples, _FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP][: len(samples) // _HOP]
    window = np.hanning(_FFT + 1)[:-1].astype(np.float32)
    spectrum = np.fft.rfft(frames * window)
    power: Floats = (spectrum.real**2 + spectrum.imag**2).T.astype(np.float32)
    return power


def log_mel(power: Floats) -> Floats:
    """Return Whisper's log-mel spectrogram (80, n) of a power spectrum, raised to one loudness.

    Whisper's depends on the volume, which would tell recordings apart that were levelled by machines.
    """
    mel = mel_filters() @ power
    levelled = np.log10(np.maximum(mel / max(float(mel.max()), 1e-20), 1e-8)) + _LOUDEST
    out: Floats = ((levelled + 4) / 4).astype(np.float32)
    return out


def compressed_spectrum(samples: Samples) -> Floats:
    """Return real and imaginary part (2, 161, n) of frames of 20 ms every 10 ms, raised to one loudness.

    Magnitudes are compressed, phases are kept; above :data:`HIGHEST` it is zero.
    """
    loudest = float(np.abs(samples).max(initial=0)) + 1e-8
    padded = np.pad(samples / np.float32(loudest), (_SHORT - _HOP) // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _SHORT)[::_HOP][: len(samples) // _HOP]
    spectrum = np.fft.rfft(frames * np.hanning(_SHORT + 1)[:-1].astype(np.float32)).T
    magnitude = np.maximum(np.abs(spectrum), 1e-12)
    compressed = spectrum * magnitude ** (_POWER - 1)
    compressed[np.linspace(0, RATE / 2, BINS) > HIGHEST] = 0
    return np.stack([compressed.real, compressed.imag]).astype(np.float32)


def spectra(samples: Samples) -> Spectra:
    """Return what the encoders are given of ``samples``."""
    return Spectra(log_mel(power_spectrum(samples)), compressed_spectrum(samples))


class VoiceNetwork:
    """Both encoders and the head, from the tensors of a weight file."""

    def __init__(self, weights: Weights) -> None:
        self._encoder: Runner = open_graph(encoder_graph(weights), may_round=True)
        self._weight = weights["head.weight"].astype(np.float32)
        self._bias = float(weights["head.bias"].reshape(-1)[0])

    def cells(self, sounds: Sequence[Spectra]) -> Floats:
        """Return the cells (n, c, 2, 2424), mean and mean square, of ``sounds`` of c whole cells each."""
        mels = np.stack([sound.mel for sound in sounds])
        (out,) = self._encoder(mels, np.stack([sound.compressed for sound in sounds]))
        return np.asarray(out, np.float32)

    def logit(self, cells: Floats, shares: Floats) -> float:
        """Return the raw score of ``cells`` (c, 2, 2424), weighted by their ``shares`` of speech."""
        return float(pooled(cells, shares) @ self._weight + self._bias)


def pooled(cells: Floats, shares: Floats) -> Floats:
    """Return mean and deviation (4848,) of the tokens of ``cells``, weighted by the ``shares`` of speech."""
    weights = shares / shares.sum()
    mean, square = np.tensordot(weights, cells, 1)
    return np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 1e-6))])
