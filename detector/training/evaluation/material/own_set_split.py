"""Which of a data set of one's own is measured: where nothing else is asked, what was not learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.training.data.file_marks import marks
from detector.training.data.labelled_sets import SPLITS, DataSetError, Item, contents, read_set
from detector.training.evaluation.material.clips import Listed
from detector.training.evaluation.material.crops import EncodedCrop
from detector.training.publish.origin import DATA_SET

ALL = "all"
_ALL_TO_MEASURE_ON = (0.0, 0.0, 1.0)  # shares of train, val and test where the set names no splits


@dataclass(frozen=True)
class OwnSetPart:
    """What of the set at ``data`` is measured; ``learnt`` says of how many the model learnt.

    It also counts those that it was chosen by or calibrated on. ``notes`` say what was left out, and that.
    """

    data: Path
    items: tuple[Item, ...]
    learnt: int
    notes: tuple[str, ...]


def own_set_part(data: Path, split: str | None, learnt_from: frozenset[str]) -> OwnSetPart:
    """Items of the set at ``data``; ``learnt_from`` are the marks of what the model learnt from.

    ``split`` is one of :data:`~detector.training.data.labelled_sets.SPLITS`, by which training divides a set
    that names none, or :data:`ALL`. None: of a set that names splits the test split; of others all but groups
    that were learnt from. A folder ``train``, ``val`` or ``test`` is a split itself, and taken whole.

    Raises :class:`~detector.training.data.labelled_sets.DataSetError` for a set that cannot be read, and
    where nothing is left.
    """
    every = read_set(data, _ALL_TO_MEASURE_ON)
    known = {item.group: False for item in every}
    seen = [mark in learnt_from for mark in marks(every)] if learnt_from else [False] * len(every)
    for item, one in zip(every, seen, strict=True):
        known[item.group] |= one
    names_splits = any(item.split != "test" for item in every)
    if split is None and data.is_dir() and data.resolve().name.lower() in SPLITS:
        split = ALL
    elif split is None and names_splits:
        split = "test"
    if split is None:
        what, places = "new to the model", {i.name for i in every if not known[i.group]}
    elif split == ALL:
        what, places = "there", {item.name for item in every}
    else:
        what, places = f"in the {split} split", {i.name for i in read_set(data) if i.split == split}
    chosen = [(item, one) for item, one in zip(every, seen, strict=True) if item.name in places]
    if not chosen:
        raise DataSetError(
            f"{data}: nothing of it is {what}. Name the part to measure: --split {', --split '.join(SPLITS)} "
            f"or --split {ALL}."
        )
    learnt = sum(one for _, one in chosen)
    notes = []
    if len(chosen) < len(every):
        notes.append(f"Measured: what is {what}, {len(chosen):,} of {len(every):,} files.")
    if learnt:
        notes.append(
            f"The model learnt from {learnt:,} of these {len(chosen):,} files, or was chosen or calibrated "
            "on them: the figures flatter."
        )
    return OwnSetPart(data, tuple(item for item, _ in chosen), learnt, tuple(notes))


def unmarked(described: Sequence[str], learnt_from: frozenset[str]) -> tuple[str, ...]:
    """What to note of a model whose card ``described`` a set of one's own while its weights mark no file."""
    if learnt_from or not any(line.startswith(DATA_SET) for line in described):
        return ()
    return (
        "An earlier version trained this model and did not note from which files: of a set that it learnt "
        "from, name the part to measure (--split test).",
    )


def own_set_clips(part: OwnSetPart) -> list[Listed]:
    """Its videos and photos; raises :class:`DataSetError` for a zip, which holds crops."""
    if any(item.member is not None for item in part.items):
        raise DataSetError(f"{part.data}: a zip holds face crops. Measure it with --crops.")
    return [
        Listed(_named(i, part.data), i.path, bool(i.label), "given" if i.label else "none", group=i.group)
        for i in part.items
    ]


def own_set_crops(part: OwnSetPart) -> list[EncodedCrop]:
    """Its pictures, which are themselves crops of one face each."""
    items: Sequence[Item] = [item for item in part.items if not item.is_video]
    return [EncodedCrop(_named(i, part.data), content, i.label, i.group) for i, content in contents(items)]


def _named(item: Item, data: Path) -> str:
    base = data if data.is_dir() else data.parent
    place = item.path.relative_to(base).as_posix()
    return place if item.member is None else f"{place}/{item.member}"
