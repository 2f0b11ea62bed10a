"""Sound files of every accepted kind, made for tests."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

RATE = 16_000

# Name, encoder, sampling rate, and the container where the name does not tell it.
KINDS: tuple[tuple[str, str, int, str | None], ...] = (
    ("a.wav", "pcm_s16le", 16_000, None),
    ("a.mp3", "libmp3lame", 16_000, None),
    ("a.m4a", "aac", 16_000, None),
    ("a.aac", "aac", 16_000, "adts"),
    ("a.opus", "libopus", 48_000, None),
    ("a.ogg", "libopus", 48_000, None),
    ("a.flac", "flac", 16_000, None),
    ("a.amr", "libopencore_amrnb", 8_000, None),
    ("a.caf", "pcm_s16be", 16_000, None),
    ("a.weba", "libopus", 48_000, "webm"),
    ("a.mka", "aac", 16_000, "matroska"),
)


def hum(seconds: float) -> np.ndarray:
    """A swelling tone, (samples,) at 16 kHz."""
    time = np.arange(int(RATE * seconds)) / RATE
    tone: np.ndarray = 0.3 * np.sin(2 * np.pi * 220 * time) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
    return tone.astype(np.float32)


def write_recording(
    path: Path,
    wave: np.ndarray | None = None,
    *,
    codec: str = "pcm_s16le",
    rate: int = RATE,
    container: str | None = None,
    layout: str = "mono",
) -> Path:
    """Write ``wave``, (samples,) at 16 kHz, two seconds of a tone unless given."""
    wave = hum(2.0) if wave is None else wave
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
        queue = av.AudioFifo()
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            queue.write(part)
        size = stream.codec_context.frame_size or 1024
        while (part := queue.read(size)) is not None:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path


def of_kind(folder: Path, name: str) -> Path:
    """Write the file called ``name`` of :data:`KINDS`."""
    name, codec, rate, container = next(kind for kind in KINDS if kind[0] == name)
    return write_recording(folder / name, codec=codec, rate=rate, container=container)
