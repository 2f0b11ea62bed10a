"""Marks by which files are known again: whether a model learnt from one, wherever it lies by then.

Those of all that a model learnt from, was chosen by or calibrated on stand in the head of its weights, so
that they go wherever it goes. Only who has a file can tell that its mark is among them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from safetensors import safe_open

from detector.training.data.labelled_sets import Item, opened_zip

_END = 1 << 20  # bytes read at either end: whole sets of videos are marked whenever training starts
_DIGITS = 16
_KEY = "learnt_from"


def marks(items: Sequence[Item]) -> list[str]:
    """A mark for each item's bytes, in their order: of their number, and the first and the last MiB."""
    return list(_marked(items))


def _marked(items: Sequence[Item]) -> Iterator[str]:
    for (path, zipped), some in groupby(items, key=lambda item: (item.path, item.member is not None)):
        if not zipped:
            yield from (_of_file(path) for _ in some)
            continue
        with opened_zip(path) as archive:
            for item in some:
                data = archive.read(item.member or "")
                yield _mark(len(data), data[:_END], data[-_END:])


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        first = file.read(_END)
        file.seek(max(0, size - _END))
        return _mark(size, first, file.read(_END))


def _mark(size: int, first: bytes, last: bytes) -> str:
    return hashlib.sha256(b"%d " % size + first + last).hexdigest()[:_DIGITS]


def as_metadata(learnt_from: Sequence[str]) -> dict[str, str] | None:
    """What to write into the head of weights: nothing for a model that learnt from no set of one's own."""
    return {_KEY: " ".join(learnt_from)} if learnt_from else None


def learnt_from(weights: Path) -> frozenset[str]:
    """The marks in the head of ``weights``; none of ONNX files, and of models that were published without."""
    if weights.suffix != ".safetensors":
        return frozenset()
    with safe_open(weights, "numpy") as head:
        return frozenset(((head.metadata() or {}).get(_KEY) or "").split())
