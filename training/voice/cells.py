"""Keep the encoder's cells of recordings on disk, once for each condition."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detector.voice.network import CELL, CELLS_AT_ONCE, Floats, VoiceNetwork, pooled, spectra
from detector.voice.samples import Samples
from detector.voice.speech import SpeechFinder, share_in_cells
from detector.voice.windows import LEAST_SHARE
from training.voice.recordings import Recording

Change = Callable[[Samples, np.random.Generator], Samples]
_SAVED_EVERY = 50


@dataclass(frozen=True)
class Cells:
    """The cells (c, 2, 2424) of one recording's first 4 s, and the share of speech in each."""

    values: Floats
    shares: Floats

    def cleaned(self) -> Floats:
        """Return the shares without those that the engine leaves out."""
        return np.where(self.shares < LEAST_SHARE, 0, self.shares).astype(np.float32)

    def window(self) -> Floats:
        """Return the pooled features of all cells with speech; of all cells if nobody speaks."""
        shares = self.cleaned()
        if not shares.any():
            shares = np.ones_like(shares)
        return pooled(self.values[shares > 0], shares[shares > 0])


def encode(network: VoiceNetwork, samples: Samples) -> Cells:
    """Encode the first 4 s of ``samples``."""
    count = min(CELLS_AT_ONCE, len(samples) // CELL)
    if not count:
        samples, count = np.pad(samples, (0, CELL - len(samples))), 1
    samples = samples[: count * CELL]
    shares = share_in_cells(SpeechFinder()(samples), CELL, count)
    return Cells(network.cells([spectra(samples)])[0], shares)


def cells_of(
    recordings: Sequence[Recording], network: VoiceNetwork, change: Change | None, file: Path
) -> dict[str, Cells]:
    """Return the cells of ``recordings`` by name, after ``change``; kept in ``file``, which it resumes."""
    stored = dict(np.load(file)) if file.is_file() else {}
    missing = [recording for recording in recordings if f"{recording.name}.cells" not in stored]
    for count, recording in enumerate(missing, start=1):
        samples = recording.samples()
        if change is not None:
            rng = np.random.default_rng(zlib.crc32(f"{file.stem} {recording.name}".encode()))
            samples = change(samples, rng)
        encoded = encode(network, samples)
        stored[f"{recording.name}.cells"] = encoded.values.astype(np.float16)
        stored[f"{recording.name}.shares"] = encoded.shares
        if count % _SAVED_EVERY == 0 or count == len(missing):
            _save(stored, file)
            print(f"{file.stem}: {count} of {len(missing)}", flush=True)
    return dict(_read(stored, recordings))


def _save(stored: dict[str, np.ndarray], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp.npz")
    np.savez(temporary, **stored)  # type: ignore[arg-type]
    os.replace(temporary, file)


def _read(stored: dict[str, np.ndarray], recordings: Sequence[Recording]) -> Iterator[tuple[str, Cells]]:
    for recording in recordings:
        values, shares = stored[f"{recording.name}.cells"], stored[f"{recording.name}.shares"]
        yield recording.name, Cells(values.astype(np.float32), shares)
