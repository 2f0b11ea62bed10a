"""Data to measure on that is not the research folder: any set :func:`sets.read_set` reads."""

from __future__ import annotations

from pathlib import Path

from detector.training.data.labelled_sets import DataSetError, Item, contents, read_set
from detector.training.evaluation.clips import Listed
from detector.training.evaluation.crops import Crop

_ALL_TO_MEASURE_ON = (0.0, 0.0, 1.0)  # shares of train, val and test where the set names no splits


def given_clips(data: Path) -> list[Listed]:
    """Videos and photos of the set at ``data``, whatever their split.

    Raises :class:`~detector.training.data.labelled_sets.DataSetError` for a set that cannot be read, or
    a zip, which holds crops.
    """
    items = read_set(data, _ALL_TO_MEASURE_ON)
    if any(item.member is not None for item in items):
        raise DataSetError(f"{data}: a zip holds face crops. Measure it with --crops.")
    return [
        Listed(_named(i, data), i.path, bool(i.label), "given" if i.label else "none", group=i.group)
        for i in items
    ]


def given_crops(data: Path) -> list[Crop]:
    """Pictures of the set at ``data`` that are themselves crops of one face each."""
    items = [item for item in read_set(data, _ALL_TO_MEASURE_ON) if not item.is_video]
    return [Crop(_named(item, data), content, item.label, item.group) for item, content in contents(items)]


def _named(item: Item, data: Path) -> str:
    base = data if data.is_dir() else data.parent
    place = item.path.relative_to(base).as_posix()
    return place if item.member is None else f"{place}/{item.member}"
