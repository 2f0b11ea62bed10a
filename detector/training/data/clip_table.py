"""The tables of the clip folders, each clip with the people it was made of.

FaceForensics++ clips made of the same two people belong together, originals included, whatever their
compression and folder: what is chosen on one of them was chosen on all (Roessler et al., 2019, part their
set by these pairs). ``clips/labels.csv`` names them; ``videos/labels.csv`` has file names alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from detector.training.data.face_samples import read_csv

_PAIR = re.compile(r"(\d{3})_(\d{3})")
_ONE = re.compile(r"(?:original|control)-(\d{3})\b")


def clip_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of ``folder``'s ``labels.csv``, each with a ``group``."""
    rows = read_csv(folder / "labels.csv")
    pairs = identity_pairs([row["file"] for row in rows])
    return [{**row, "group": row.get("group") or pairs[row["file"]]} for row in rows]


def identity_pairs(files: Sequence[str]) -> dict[str, str]:
    """The group of each file: the two people it was made of, as ``ffpp-183-253``, or its own name."""
    pairs = {file: "-".join(["ffpp", *sorted(m.groups())]) for file in files if (m := _PAIR.search(file))}
    of_one = {number: pair for pair in pairs.values() for number in pair.split("-")[1:]}
    singles = {file: of_one.get(m[1], file) for file in files if (m := _ONE.search(file))}
    return {file: pairs.get(file) or singles.get(file) or file for file in files}
