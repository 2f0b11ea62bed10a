"""Measure the whole examination: heatmaps against their check, seconds of a processor, and memory."""

from __future__ import annotations

import resource
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from detector.voice.maps import explain_window
from detector.voice.model import LoadedVoiceModel
from detector.voice.network import CELL, CELLS_AT_ONCE
from detector.voice.outline import Outline
from detector.voice.samples import RATE, Samples, SoundReader
from detector.voice.speech import SpeechFinder, share_in_cells
from detector.voice.windows import LEAST_SHARE, LEAST_SPEECH, STEP, Window, listen
from training.voice.recordings import Recording

_COSTED = 600  # seconds of speech
_HOURS, _SPOKEN = 8, 60  # hours, and the seconds of speech in each
_NARROW = 8000  # samples a second of the long recording
_PAGE = resource.getpagesize()


def confirmed_maps(
    recordings: Sequence[Recording], model_of: Callable[[Recording], LoadedVoiceModel], count: int
) -> dict[str, float]:
    """Explain the first window of ``count`` synthetic recordings that reach the threshold.

    Returns the share of maps that their check confirms.
    """
    confirmed: list[bool] = []
    for recording in recordings:
        if len(confirmed) == count:
            break
        model, samples = model_of(recording), recording.samples()
        cells = min(CELLS_AT_ONCE, len(samples) // CELL)
        samples = samples[: cells * CELL]
        shares = share_in_cells(SpeechFinder()(samples), CELL, cells)
        shares[shares < LEAST_SHARE] = 0
        if not recording.synthetic or shares.sum() * STEP < LEAST_SPEECH:
            continue
        window = Window(cells * STEP / 2, 0.0, cells * STEP, float(shares.sum()) * STEP, 0.0)
        explained = explain_window(model, window, samples, shares, seed=0)
        if explained.probability >= model.card.enter:
            confirmed.append(explained.check.confirmed)
            print(f"map {len(confirmed)} of {count}: {np.mean(confirmed):.2f} confirmed", flush=True)
    return {f"maps confirmed, of {len(confirmed)}": float(np.mean(confirmed))}


def cost(recordings: Sequence[Recording], model: LoadedVoiceModel, folder: Path) -> dict[str, float]:
    """Return the seconds of a processor that decoding, finding and scoring an hour of speech takes.

    Ten minutes are measured: recordings one after the other.
    """
    path = folder / "ten-minutes.wav"
    _write(path, _repeated(recordings, _COSTED), RATE)
    list(_listened(path, model, 8 * RATE))  # what is compiled once is not counted
    processor, wall = time.process_time(), time.perf_counter()
    list(_listened(path, model))
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    hour = 3600 / _COSTED
    return {
        "processor seconds, an hour of speech": processor * hour,
        "seconds, an hour of speech, as measured": wall * hour,
    }


def eight_hours(recordings: Sequence[Recording], model: LoadedVoiceModel, folder: Path) -> dict[str, float]:
    """Return the resident memory, MB, in the first of eight hours and in the last.

    A minute of each hour is speech, the rest faint noise.
    """
    path = folder / "eight-hours.wav"
    spoken = _repeated(recordings, _SPOKEN)[:: RATE // _NARROW]
    noise = 1e-4 * np.random.default_rng(0).standard_normal((3600 - _SPOKEN) * _NARROW)
    _write(path, np.concatenate([spoken, noise.astype(np.float32)]), _NARROW, _HOURS)
    resident = list(_listened(path, model))
    path.unlink()
    each = len(resident) // _HOURS
    return {
        "resident memory in the first of eight hours, MB": max(resident[:each]) / 1e6,
        "resident memory in the last of eight hours, MB": max(resident[-each:]) / 1e6,
    }


def _listened(path: Path, model: LoadedVoiceModel, most: float = float("inf")) -> Iterator[int]:
    """Listen as the engine does; yield the resident memory, bytes, after each block of ``most`` samples."""
    outline, seen = Outline(), 0
    resident: list[int] = []

    def look(block: Samples) -> None:
        nonlocal seen
        outline.add(block)
        seen += len(block)
        resident.append(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE)

    def blocks() -> Iterator[Samples]:
        for block in SoundReader(path).blocks():
            if seen >= most:
                return
            yield block

    listen(blocks(), model.network, look)
    yield from resident


def _repeated(recordings: Sequence[Recording], seconds: int) -> Samples:
    parts: list[Samples] = []
    while sum(map(len, parts)) < seconds * RATE:
        parts.append(recordings[len(parts) % len(recordings)].samples())
    return np.concatenate(parts)[: seconds * RATE]


def _write(path: Path, samples: Samples, rate: int, times: int = 1) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        for _ in range(times):
            file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
