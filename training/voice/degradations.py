"""What happens to sound on its way: rooms, noise, filters, telephones and codecs, for both classes alike."""

from __future__ import annotations

import io
from collections.abc import Callable

import av
import numpy as np
from scipy.signal import butter, fftconvolve, resample_poly, sosfiltfilt

from detector.voice.samples import RATE, Samples

Degradation = Callable[[Samples], Samples]
_MU = 255.0  # of G.711's µ-law


def encode(samples: Samples, codec: str, container: str, bit_rate: int, rate: int = RATE) -> Samples:
    """Encode and decode at ``bit_rate`` (bit/s), first resampled to ``rate``; as long as before."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = bit_rate
        to_codec = av.AudioResampler(stream.format.name, "mono", rate)
        frame = av.AudioFrame.from_ndarray(np.clip(samples, -1, 1)[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = RATE, 0
        for part in (*to_codec.resample(frame), *to_codec.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    file.seek(0)
    back, parts = av.AudioResampler("flt", "mono", RATE), []
    with av.open(file) as again:
        for decoded in again.decode(audio=0):
            decoded.pts = None
            parts += [part.to_ndarray()[0] for part in back.resample(decoded)]
    parts += [part.to_ndarray()[0] for part in back.resample(None)]
    joined = np.concatenate(parts)[: len(samples)]
    return np.pad(joined, (0, len(samples) - len(joined))).astype(np.float32)


def aac(samples: Samples, kilobits: int) -> Samples:
    return encode(samples, "aac", "adts", 1000 * kilobits, RATE if kilobits < 48 else 44_100)


def opus(samples: Samples, kilobits: int) -> Samples:
    return encode(samples, "libopus", "ogg", 1000 * kilobits, 48_000)


def mp3(samples: Samples, kilobits: int) -> Samples:
    return encode(samples, "libmp3lame", "mp3", 1000 * kilobits, RATE if kilobits <= 32 else 44_100)


def telephone(samples: Samples) -> Samples:
    """Limit to 300 to 3,400 Hz at 8 kHz, with eight bits of µ-law (ITU-T G.711)."""
    narrow = np.clip(resample_poly(_telephone_band(samples), 1, 2), -1, 1)
    coded = np.round(127 * np.sign(narrow) * np.log1p(_MU * np.abs(narrow)) / np.log1p(_MU)) / 127
    wide = np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(_MU)) / _MU
    return resample_poly(wide, 2, 1)[: len(samples)].astype(np.float32)


def mobile(samples: Samples, kilobits: float) -> Samples:
    """Limit to a telephone's band, with AMR-NB (3GPP TS 26.071), as mobile networks and voice messages do."""
    return encode(_telephone_band(samples), "libopencore_amrnb", "amr", round(1000 * kilobits), 8000)


def _telephone_band(samples: Samples) -> Samples:
    return sosfiltfilt(butter(6, [300, 3400], "band", fs=RATE, output="sos"), samples).astype(np.float32)


def noise(samples: Samples, ratio: float, slope: float, rng: np.random.Generator) -> Samples:
    """Add noise ``ratio`` dB below the speech, whose spectrum falls with frequency to the power ``slope``."""
    spectrum = np.fft.rfft(rng.standard_normal(len(samples)))
    added = np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 8.0) ** slope, len(samples))
    level = np.sqrt((np.mean(samples**2) + 1e-12) / 10 ** (ratio / 10) / np.mean(added**2))
    return (samples + added * level).astype(np.float32)


def room(samples: Samples, rng: np.random.Generator) -> Samples:
    """Add the decaying noise of a room: 0.1 to 0.5 s of reverberation after the direct sound."""
    length = int(rng.uniform(0.1, 0.5) * RATE)
    response = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    response[:8] = 0
    response *= rng.uniform(0.1, 0.6) / np.sqrt(np.sum(response**2))
    response[0] = 1
    return fftconvolve(samples, response)[: len(samples)].astype(np.float32)


def colour(samples: Samples, rng: np.random.Generator) -> Samples:
    """Apply a random smooth filter of at most 8 dB."""
    spectrum = np.fft.rfft(samples)
    places = np.linspace(0, 1, len(spectrum))
    gain = np.interp(places, np.linspace(0, 1, 7), rng.uniform(-8, 8, 7))
    return np.fft.irfft(spectrum * 10 ** (gain / 20), len(samples)).astype(np.float32)


def low_pass(samples: Samples, hertz: float) -> Samples:
    return sosfiltfilt(butter(8, hertz, fs=RATE, output="sos"), samples).astype(np.float32)


def clip(samples: Samples) -> Samples:
    """Overdrive: cut the loudest two samples of a hundred."""
    most = float(np.quantile(np.abs(samples), 0.98))
    return np.clip(samples, -most, most)


def at_random(samples: Samples, rng: np.random.Generator) -> Samples:
    """Apply a random chain; what it is says nothing about the class."""
    if rng.random() < 0.4:
        samples = colour(samples, rng)
    if rng.random() < 0.25:
        samples = room(samples, rng)
    if rng.random() < 0.15:
        samples = resample_poly(samples, 100, int(rng.choice([95, 97, 103, 105]))).astype(np.float32)
    if rng.random() < 0.35:
        samples = noise(samples, rng.uniform(8, 35), float(rng.choice([0.0, 0.5, 1.0])), rng)
    if rng.random() < 0.1:
        samples = clip(samples)
    if rng.random() < 0.2:
        samples = low_pass(samples, rng.uniform(3400, 7500))
    samples = 0.7 * samples / max(1e-4, float(np.abs(samples).max()))
    drawn = rng.random()
    if drawn < 0.2:
        return aac(samples, int(rng.choice([24, 32, 48, 64])))
    if drawn < 0.4:
        return opus(samples, int(rng.choice([12, 16, 24, 32])))
    if drawn < 0.55:
        return mp3(samples, int(rng.choice([24, 32, 48, 64])))
    return telephone(samples) if drawn < 0.7 else samples


LINES: dict[str, Degradation] = {
    "G.711": telephone,
    "AMR-NB 12.2 kbit/s": lambda samples: mobile(samples, 12.2),
    "AMR-NB 7.4 kbit/s": lambda samples: mobile(samples, 7.4),
    "AMR-NB 5.15 kbit/s": lambda samples: mobile(samples, 5.15),
}
"""Telephones."""
MESSAGES: dict[str, Degradation] = {
    "Opus 12 kbit/s": lambda samples: opus(samples, 12),
    "Opus 16 kbit/s": lambda samples: opus(samples, 16),
    "Opus 24 kbit/s": lambda samples: opus(samples, 24),
    "AAC 24 kbit/s": lambda samples: aac(samples, 24),
    "AAC 48 kbit/s": lambda samples: aac(samples, 48),
    "MP3 32 kbit/s": lambda samples: mp3(samples, 32),
}
"""What a telephone call is sent on in."""


def telephone_message(samples: Samples, rng: np.random.Generator) -> Samples:
    """Send through a telephone drawn from :data:`LINES`, then in a message drawn from :data:`MESSAGES`."""
    line, message = rng.choice(list(LINES)), rng.choice(list(MESSAGES))
    samples = 0.7 * samples / max(1e-4, float(np.abs(samples).max()))
    return MESSAGES[message](LINES[line](samples))


CHANNELS: dict[str, Degradation] = {
    "AAC 64 kbit/s": lambda samples: aac(samples, 64),
    "Opus 24 kbit/s": lambda samples: opus(samples, 24),
    "telephone band": telephone,
    "noise at 15 dB": lambda samples: noise(samples, 15, 0.5, np.random.default_rng(len(samples))),
}
"""What recordings are measured after."""
