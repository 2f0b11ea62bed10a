"""The research recordings of ``voices``: labels, samples, and folds of whole pages."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from detector.voice.samples import Samples, SoundReader

FOLDS = 6
EDITING = "editing"
"""Kind of recordings that are synthetic at unknown times; they teach nothing and are not counted."""
_CORPORA = {
    "vctk": "VCTK",
    "libri": "LibriSpeech",
    "ljspeech": "LJSpeech",
    "cmu": "CMU ARCTIC",
    "vcc2018": "VCC2018",
    "vcc2020": "VCC2020",
    "esd": "ESD",
    "gigaspeech": "GigaSpeech",
    "aishell": "AISHELL",
    "css10": "CSS10",
    "daps": "DAPS",
    "line-ja": "LINE",
    "tmsv": "TMSV",
}  # in names of groups
# What tells versions and uses of one system apart: "copy-synthesis HiFi-GAN V1".
_VERSION = re.compile(r"^(copy-synthesis|codec) | \(.*?\)| V[123]$| speech editing$")


@dataclass(frozen=True)
class Recording:
    """One labelled recording of the research folder."""

    path: Path
    synthetic: bool
    kind: str
    page: str
    group: str
    """Speaker, or the corpus of speakers who are not named."""
    language: str
    role: str
    system: str = ""
    """What made it, whatever version and use; empty for human speech."""

    @property
    def corpus(self) -> str:
        """The published collection of speakers that it was read for, or taken from."""
        return next((name for part, name in _CORPORA.items() if part in self.group.lower()), self.group)

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
            group=row["group"],
            language=row["language"],
            role=row["role"],
            system=_VERSION.sub("", row["system"]) if row["label"] == "fake" else "",
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


def parted(
    recordings: Sequence[Recording], folds: Mapping[str, int], fold: int
) -> tuple[list[Recording], list[Recording]]:
    """Return the recordings to learn from, and those of the pages of ``fold``.

    What shares a speaker, a corpus or a system with a page left out is in neither.
    """
    left_out = [recording for recording in recordings if folds[recording.page] == fold]
    corpora, systems = ({getattr(r, kind) for r in left_out} - {""} for kind in ("corpus", "system"))
    kept = [
        r for r in recordings if folds[r.page] != fold and r.corpus not in corpora and r.system not in systems
    ]
    return kept, left_out


def evenly_chosen(recordings: Sequence[Recording], count: int) -> list[Recording]:
    """Return at most ``count`` recordings of each class, chosen by a hash of their names."""
    in_order = sorted(recordings, key=lambda recording: crc32(recording.name.encode()))
    return [
        recording
        for side in (False, True)
        for recording in [r for r in in_order if r.synthetic is side][:count]
    ]


def balanced_weights(recordings: Sequence[Recording]) -> np.ndarray:
    """Return a weight for each recording: large pages count less, and both classes the same in total."""
    sizes = Counter(recording.page for recording in recordings)
    weights = np.array([sizes[recording.page] ** -0.5 for recording in recordings])
    synthetic = np.array([recording.synthetic for recording in recordings])
    for side in (side for side in (synthetic, ~synthetic) if side.any()):
        weights[side] *= len(recordings) / (2 * weights[side].sum())
    return weights
