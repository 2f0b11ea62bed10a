"""Sounds without a mark, 5 s at 32 kHz: tones, chords, telephone signals, hum, music, noise and silence."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

RATE, SECONDS = 32_000, 5
Sound = NDArray[np.float32]
_TIME = np.arange(SECONDS * RATE) / RATE
_CHORDS = (0, 4, 7), (0, 3, 7), (0, 5, 7), (0, 4, 7, 10), (0, 3, 6)  # semitones
# Hertz, seconds on and off (ITU-T E.180 and E.182); keys of a telephone last a tenth of a second.
_SIGNALS = (
    ((425,), 1, 4),
    ((425,), 5, 0),
    ((425,), 0.5, 0.5),
    ((440, 480), 2, 4),
    ((400, 450), 0.4, 0.2),
    ((350, 440), 5, 0),
    ((480, 620), 0.5, 0.5),
    ((440,), 1.5, 3.5),
    ((950,), 0.33, 0.03),
    ((2100,), 5, 0),
    ((1400, 2060, 2450, 2600), 0.1, 0.1),
    ((697, 1209), 0.1, 0.1),
    ((852, 1477), 0.1, 0.1),
    ((941, 1336), 0.1, 0.1),
)
# Waves and tremolo of sox; the MIDI programs of fluidsynth are drawn.
_WAVES = ("sine", "square", "triangle", "sawtooth", "trapezium", "pluck")


def tone(hertz: float, loudness: float = 0.3) -> Sound:
    """Return a pure tone, as 16 bits hold it."""
    return _rounded(loudness * np.sin(2 * np.pi * hertz * _TIME))


def tones() -> Iterator[tuple[str, Sound]]:
    for hertz in range(20, 4001, 5):
        yield f"tone of {hertz} Hz", tone(hertz)


def chords() -> Iterator[tuple[str, Sound]]:
    rng = np.random.default_rng(1)
    for number in range(150):
        root, highest = 110 * 2 ** (rng.integers(0, 36) / 12), (1, 1, 7)[number % 3]
        parts = itertools.product(_CHORDS[number % 5], range(1, highest + 1))
        sound = sum(
            np.sin(2 * np.pi * h * root * 2 ** (i / 12) * _TIME + rng.uniform(0, 6)) / h for i, h in parts
        )
        yield f"chord {number}", _levelled(sound, 0.3)


def signals() -> Iterator[tuple[str, Sound]]:
    for (hertz, on, off), loudness in itertools.product(_SIGNALS, (0.05, 0.3, 0.9)):
        sound = sum(np.sin(2 * np.pi * value * _TIME) for value in hertz) / len(hertz)
        yield f"signal {hertz} {loudness}", _rounded(loudness * sound * (_TIME % (on + off) < on))


def hum() -> Iterator[tuple[str, Sound]]:
    rng = np.random.default_rng(2)
    for number in range(100):
        mains = (50, 60)[number % 2] * (1 + rng.normal(0, 1e-3))
        sound = sum(
            rng.uniform(0.2, 1) * np.sin(2 * np.pi * mains * h * _TIME + rng.uniform(0, 6)) / h
            for h in range(1, int(rng.integers(2, 30)))
        )
        noise = 10 ** rng.uniform(-5, -2.5) * rng.standard_normal(len(_TIME))
        yield f"hum {number}", _rounded(_levelled(sound, 10 ** rng.uniform(-2.5, -0.3)) + noise)


def music() -> Iterator[tuple[str, Sound]]:
    """Yield what sox synthesises: waves, chords, tremolo, reverberation, sweeps."""
    rng = np.random.default_rng(3)
    for number in range(60):
        note, wave = int(rng.integers(-24, 24)), _WAVES[number % 6]
        effects = [part for notes in (0, 4, 7)[: 1 + number % 3] for part in (wave, f"%{note + notes}")]
        effects += ["gain", "-6"] + ["tremolo", "5"] * (number % 4 == 0) + ["reverb"] * (number % 5 == 0)
        yield f"{wave} {number}", _sox(effects)
    for number in range(20):
        low, high = rng.uniform(50, 4000, 2)
        yield f"sweep {number}", _sox(["sine", f"{low:.0f}:{high:.0f}", "gain", "-6"])


def silence() -> Iterator[tuple[str, Sound]]:
    """Yield silence with dither of one to 32 steps of 16 bits, and noise."""
    rng = np.random.default_rng(4)
    for number in range(60):
        steps = (1, 2, 4, 8, 16, 32)[number % 6]
        dither = np.round(rng.triangular(-steps, 0, steps, len(_TIME)))
        yield f"dither {number}", (dither / 32_767).astype(np.float32)
    for number in range(30):
        spectrum = np.fft.rfft(rng.standard_normal(len(_TIME)))
        slope = np.maximum(np.arange(len(spectrum)), 8) ** (number % 3 / 2)
        yield (
            f"noise {number}",
            _levelled(np.fft.irfft(spectrum / slope, len(_TIME)), 10 ** -rng.uniform(0.5, 3)),
        )


KINDS = {"tones": tones, "chords": chords, "signals": signals, "hum": hum, "music": music, "silence": silence}


def mixed(speech: Sound, other: Sound, ratio: float) -> Sound:
    """Return ``speech`` over ``other``, which is ``ratio`` dB below it."""
    length = min(len(speech), len(other))
    speech, other = speech[:length], other[:length]
    gain = np.sqrt(np.mean(speech**2) / max(1e-12, float(np.mean(other**2)))) * 10 ** (-ratio / 20)
    return _levelled(speech + gain * other, 0.8)


def _sox(synth: list[str]) -> Sound:
    command = ["sox", "-n", "-t", "f32", "-r", str(RATE), "-c", "1", "-", "synth", str(SECONDS), *synth]
    made = subprocess.run(command, check=True, capture_output=True)
    return _rounded(np.frombuffer(made.stdout, np.float32)[: SECONDS * RATE])


def _levelled(sound: NDArray[np.floating], highest: float) -> Sound:
    return _rounded(highest * sound / max(1e-9, float(np.abs(sound).max())))


def _rounded(sound: NDArray[np.floating]) -> Sound:
    rounded: Sound = (np.round(np.clip(sound, -1, 1) * 32_767) / 32_767).astype(np.float32)
    return rounded
