"""Outline of a whole recording for drawing: waveform and spectrogram, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.explain.overlays import write_png
from detector.schema.voice import Spectrogram, Waveform
from detector.voice.network import Floats, mel_filters, power_spectrum
from detector.voice.samples import RATE, Samples

MOST_COLUMNS = 4096
"""Columns kept before every two are joined."""
FINEST = 160
"""Samples of a column at first, 10 ms."""
_HEIGHT = 160  # px of the spectrogram
_RANGE = 80.0  # dB shown below the loudest place
SPECTROGRAM = "voice-spectrogram"
"""Name of the picture, to which that of a further channel adds its number."""
_Joiner = Callable[[Floats, Floats], Floats]


class _Columns:
    """Columns of values at equal steps; where they become too many, every two are joined."""

    def __init__(self, join: _Joiner) -> None:
        self._join, self._parts, self._count = join, [], 0  # type: ignore[var-annotated]
        self.factor = 1
        self._odd: Floats | None = None  # columns that wait for more, at the finest step

    def add(self, columns: Floats) -> None:
        """Add columns (d, n) of the finest step."""
        if self._odd is not None:
            columns = np.concatenate([self._odd, columns], axis=1)
        whole = columns.shape[1] // self.factor * self.factor
        self._odd, columns = columns[:, whole:], columns[:, :whole]
        step = 1
        while step < self.factor:
            columns, step = self._join(columns[:, ::2], columns[:, 1::2]), 2 * step
        self._parts.append(columns)
        self._count += columns.shape[1]
        while self._count >= 2 * MOST_COLUMNS:
            joined = np.concatenate(self._parts, axis=1)
            if joined.shape[1] % 2:  # its last column waits, repeated as often as it counts
                last = np.repeat(joined[:, -1:], self.factor, axis=1)
                self._odd, joined = np.concatenate([last, self._odd], axis=1), joined[:, :-1]
            self.factor *= 2
            self._parts = [self._join(joined[:, ::2], joined[:, 1::2])]
            self._count = self._parts[0].shape[1]

    def all(self) -> Floats:
        """Return all whole columns (d, n)."""
        return np.concatenate(self._parts, axis=1) if self._parts else np.zeros((0, 0), np.float32)


class Outline:
    """Collects the outline while a recording is read; give it every block."""

    def __init__(self) -> None:
        self._wave = _Columns(_outer)
        self._mel = _Columns(np.maximum)

    def add(self, block: Samples) -> None:
        """Add the next samples; what is less than 10 ms at the end is left out."""
        count = len(block) // FINEST
        if count < 2:  # too short for a spectrum
            return
        parts = block[: count * FINEST].reshape(count, FINEST)
        self._wave.add(np.stack([parts.min(axis=1), parts.max(axis=1)]))
        self._mel.add(10 * np.log10(np.maximum(mel_filters() @ power_spectrum(block), 1e-10)))

    def waveform(self, start: float) -> Waveform | None:
        """Return the waveform, whose first sample is at ``start``; None without sound."""
        columns = self._wave.all()
        if not columns.size:
            return None
        low, high = (np.round(1000 * row).astype(int) for row in columns)
        step = self._wave.factor * FINEST / RATE
        return Waveform(start=start, step=step, low=tuple(low.tolist()), high=tuple(high.tolist()))

    def spectrogram(self, start: float, images: Path | None, name: str = SPECTROGRAM) -> Spectrogram | None:
        """Write the spectrogram called ``name`` below ``images``; None without sound or folder."""
        columns = self._mel.all()
        if not columns.size or images is None:
            return None
        picture = cv2.resize(
            spectrum_levels(columns, float(columns.max())),
            (columns.shape[1], _HEIGHT),
            interpolation=cv2.INTER_LINEAR,
        )
        file = f"overlays/{name}.png"
        path = images / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, np.dstack([picture] * 3))
        end = start + columns.shape[1] * self._mel.factor * FINEST / RATE
        return Spectrogram(path=file, start=start, end=end, highest=RATE / 2)


def spectrum_levels(decibels: Floats, top: float) -> NDArray[np.uint8]:
    """Return grey levels of a spectrogram (bands, n), low bands at the bottom, dark where loud."""
    share = np.clip((decibels - top) / _RANGE + 1, 0, 1)
    levels: NDArray[np.uint8] = (255 - 235 * share + 0.5).astype(np.uint8)[::-1]
    return np.ascontiguousarray(levels)


def _outer(first: Floats, second: Floats) -> Floats:
    return np.stack([np.minimum(first[0], second[0]), np.maximum(first[1], second[1])])
