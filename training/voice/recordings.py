"""The research recordings of ``voices``: labels, samples, and folds of whole pages."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detector.voice.samples import Samples, SoundReader

FOLDS = 6
EDITING = "editing"
"""Kind of recordings that are synthetic at unknown times; they teach nothing and are not counted."""


@dataclass(frozen=True)
class Recording:
    """One labelled recording of the research folder."""

    path: Path
    synthetic: bool
    kind: str
    page: str
    language: str
    role: str

    @property
    def name(self) -> str:
        return self.path.stem

    def samples(self) -> Samples:
        """Decode it as the engine does."""
        return np.concatenate([*SoundReader(self.path).blocks(), np.zeros(0, np.float32)])


def read_recordings(data: Path) -> list[Recording]:
    """Return the recordings of the research folder, without those of kind *editing*, in order of the list."""
    with (data / "voices" / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Recording(
            path=data / "voices" / row["file"],
            synthetic=row["label"] == "fake",
            kind=row["kind"],
            page=row["page"],
            language=row["language"],
            role=row["role"],
        )
        for row in rows
        if row["kind"] != EDITING
    ]


def folds_of_pages(recordings: Iterable[Recording], count: int = FOLDS) -> dict[str, int]:
    """Return the fold of each page; folds have about as many recordings each."""
    sizes = Counter(recording.page for recording in recordings)
    filled = [0] * count
    folds = {}
    for page in sorted(sorted(sizes), key=lambda page: -sizes[page]):
        folds[page] = int(np.argmin(filled))
        filled[folds[page]] += sizes[page]
    return folds


def balanced_weights(recordings: Sequence[Recording]) -> np.ndarray:
    """Return a weight for each recording: large pages count less, and both classes the same in total."""
    sizes = Counter(recording.page for recording in recordings)
    weights = np.array([sizes[recording.page] ** -0.5 for recording in recordings])
    synthetic = np.array([recording.synthetic for recording in recordings])
    for side in (synthetic, ~synthetic):
        weights[side] *= len(recordings) / (2 * weights[side].sum())
    return weights
