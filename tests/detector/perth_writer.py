"""Write the mark of Chatterbox into sound, as ``resemble-perth`` does, and sound into a file."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import torch
from made_speech import RATE as BABBLE_RATE
from made_speech import babble
from numpy.typing import NDArray
from torch.nn import functional

from detector.marks.perth import RATE, weights_path

_WINDOW, _HOP, _BINS, _LOWEST, _HEADROOM = 2048, 320, 128, -180.0, 15.0


def write_mark(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``samples`` (n,) at 32 kHz with the mark; the encoder adds to the spectrogram up to 2 kHz."""
    path = weights_path()
    assert path is not None
    state = torch.load(path, map_location="cpu", weights_only=True)["model"]
    window = torch.hann_window(_WINDOW)
    spectrum = torch.stft(torch.from_numpy(samples), _WINDOW, _HOP, window=window, return_complex=True)
    level = 20 * torch.log10(spectrum.abs().clamp(min=1e-9))
    magnitudes = ((level - _LOWEST) / (_HEADROOM - _LOWEST))[None]
    loudness = magnitudes.sum(dim=1)
    mask = (loudness > 0.05 * loudness.max()).float()[:, None]
    values = magnitudes[:, :_BINS]
    for number in range(7):
        weight = state[f"encoder.layers.{number}.conv.weight"]
        bias = state[f"encoder.layers.{number}.conv.bias"]
        values = functional.conv1d(values, weight, bias, padding=weight.shape[2] // 2)
        if number < 6:
            values = functional.leaky_relu(values)
    magnitudes[:, :_BINS] += values * mask
    amplitude = 10 ** ((magnitudes[0] * (_HEADROOM - _LOWEST) + _LOWEST) / 20).clamp(max=10)
    phase = torch.exp(1j * torch.angle(spectrum))
    return torch.istft(amplitude * phase, _WINDOW, _HOP, window=window, length=len(samples)).numpy()


def speech_like(seconds: int, seed: int = 0) -> NDArray[np.float32]:
    """Return syllables (n,) at 32 kHz that pass for speech."""
    return np.repeat(babble(seconds, seed), RATE // BABBLE_RATE)


def write_sound(path: Path, samples: NDArray[np.float32]) -> Path:
    """Write ``samples`` at 32 kHz as AAC of 64 kbit/s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.bit_rate = 64_000
        for start in range(0, len(samples), 1024):
            part = np.ascontiguousarray(samples[None, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def through_codec(
    samples: NDArray[np.float32], codec: str, container_format: str, rate: int, bit_rate: int
) -> NDArray[np.float32]:
    """Return ``samples`` at 32 kHz after encoding them at ``rate`` and ``bit_rate``."""
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.bit_rate = bit_rate
        resampler = av.AudioResampler(stream.codec_context.format, "mono", rate, 960)
        for frame in (*resampler.resample(_frame(samples, RATE)), *resampler.resample(None)):
            frame.pts = None
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as container:
        return _converted(container.decode(audio=0), RATE)


def resampled(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Return ``samples`` at 32 kHz after resampling them to ``rate`` and back."""
    return _converted([_frame(at_rate(samples, rate), rate)], RATE)


def at_rate(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Return ``samples`` at 32 kHz resampled to ``rate``."""
    return _converted([_frame(samples, RATE)], rate)


def _frame(samples: NDArray[np.float32], rate: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
    frame.sample_rate = rate
    return frame


def _converted(frames: Iterable[av.AudioFrame], rate: int) -> NDArray[np.float32]:
    resampler = av.AudioResampler("flt", "mono", rate)
    parts = [part for frame in frames for part in resampler.resample(frame)]
    return np.concatenate([part.to_ndarray()[0] for part in (*parts, *resampler.resample(None))])
