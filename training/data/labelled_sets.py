"""Read labelled data sets (folders, CSV files, zips), and recognise files a model learned from."""

from __future__ import annotations

import csv
import hashlib
import os
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from safetensors import safe_open

from detector.batch.input_files import UNREADABLE_ZIP
from detector.errors import ParameterError

SPLITS = ("train", "val", "test")
FRACTIONS = (0.8, 0.1, 0.1)  # of the groups, in the order of SPLITS
# Fewer than an analysis takes: crops are read by OpenCV, and a set that was trained on must not grow by
# files that merely lie beside it.
IMAGES = {".jpg", ".jpeg", ".png", ".webp"}
VIDEOS = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"}
_LABELS = {"real": 0, "0": 0, "fake": 1, "1": 1}
_FOLDERS = {"real": 0, "fake": 1}
_COLUMNS = {"file": "path", "source": "group"}  # names in the archives of this project
_MOST_NAMED = 5  # examples in a message

Fractions = tuple[float, float, float]


class DataSetError(ParameterError):
    """A data set cannot be used for training or measuring; the message says what to change."""


@dataclass(frozen=True)
class Item:
    """One image or video: its file or, inside the zip ``path``, its ``member``; label 1 is manipulated."""

    path: Path
    member: str | None
    label: int
    group: str
    split: str  # one of SPLITS

    @property
    def name(self) -> str:
        """The name used in messages."""
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"

    @property
    def is_video(self) -> bool:
        return Path(self.member or self.path).suffix.lower() in VIDEOS


class _Listed(NamedTuple):
    name: str
    label: int
    group: str
    split: str


def read_set(path: Path, fractions: Fractions = FRACTIONS) -> list[Item]:
    """Return the items of the set at ``path``, ordered by name or as in the table.

    Splits divide groups, never files: a group is what must not stand on both sides, such as a video and the
    fakes made of it. A set is

    - a folder: ``{train,val,test}/{real,fake}/…`` or only ``{real,fake}/…``, at any depth;
      a video is a group of its own, by its name without suffix; images of one folder below
      ``real`` or ``fake`` are one group, images directly in them are each their own;
    - a CSV: ``path,label[,group][,split]``, label real, fake, 0 or 1, paths relative to the
      CSV, group by default the file's name without suffix;
    - a zip: with a CSV of the same name beside it, or with folders as above inside it.

    ``fractions`` are the shares of groups in train, val and test if no split is given: each group's name is
    hashed into one, so that a growing set keeps its splits. Raises :class:`DataSetError` if files are
    missing, a label is unknown, the set is empty, a split holds only one class, or splits leak
    (:func:`check_leakage`).
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise DataSetError(f"Split fractions {fractions} must not be negative and must add up to 1.")
    if path.is_dir():
        names = (p.relative_to(path).as_posix() for p in sorted(path.rglob("*")) if p.is_file())
        items = [Item(path / row.name, None, *row[1:]) for row in _from_folders(names, fractions, path)]
    elif not path.is_file():
        raise DataSetError(f"{path}: there is no such data set. Name a folder, a CSV or a zip.")
    elif path.suffix.lower() == ".zip":
        items = _zip_items(path, fractions)
    elif path.suffix.lower() == ".csv":
        rows = list(_rows(path, fractions))
        _require_files([row.name for row in rows if not (path.parent / row.name).is_file()], path)
        items = [Item(path.parent / row.name, None, *row[1:]) for row in rows]
    else:
        raise DataSetError(f"{path}: a data set is a folder, a CSV or a zip of crops.")
    _check(items, path)
    check_leakage(items)
    return items


def check_leakage(items: Sequence[Item]) -> None:
    """Raise :class:`DataSetError` if splits overlap; pass all sets that are used together.

    Splits overlap if a group, or two files with the same bytes (SHA-256), stand in more than one.
    """
    splits: dict[str, set[str]] = defaultdict(set)
    for item in items:
        splits[item.group].add(item.split)
    shared = [f"{group} ({', '.join(sorted(of))})" for group, of in sorted(splits.items()) if len(of) > 1]
    if shared:
        raise DataSetError(
            f"Splits leak, groups that stand in more than one: {_examples(shared)}. Figures would be "
            "measured on training data. Move each group into one split, or name the groups in a CSV."
        )
    first: dict[bytes, Item] = {}
    twins = []
    for item, digest in _digests(_of_equal_size(items)):
        twin = first.setdefault(digest, item)
        if twin.split != item.split:
            twins.append(f"{twin.name} ({twin.split}) and {item.name} ({item.split})")
    if twins:
        raise DataSetError(
            f"Splits leak, the same bytes stand in two: {_examples(twins)}. Remove one of each, or put both "
            "into one group."
        )


def contents(items: Iterable[Item]) -> Iterator[tuple[Item, bytes]]:
    """Yield each item with its bytes, in order; neighbours from one zip share one opening of it."""
    for (path, zipped), group in groupby(items, key=_file_key):
        if not zipped:
            yield from ((item, path.read_bytes()) for item in group)
            continue
        with open_zip(path) as archive:
            yield from ((item, archive.read(item.member or "")) for item in group)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the zip at ``path``; raise :class:`DataSetError` if it, or a member that is read, is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except UNREADABLE_ZIP:
        raise DataSetError(f"{path}: not a zip, or damaged. Copy or download it again.") from None


def _file_key(item: Item) -> tuple[Path, bool]:
    return item.path, item.member is not None


def _from_folders(names: Iterable[str], fractions: Fractions, root: Path) -> Iterator[_Listed]:
    """Derive label, group and split of each image or video from the folders above it."""
    in_splits: set[bool] = set()
    for name in names:
        place = PurePosixPath(name)
        # Archives made on a Mac hold a shadow of each file.
        if place.parts[0] == "__MACOSX" or any(part.startswith(".") for part in place.parts):
            continue
        if place.suffix.lower() not in IMAGES | VIDEOS:
            continue
        folders = [part.lower() for part in place.parts[:-1]]
        labels = [i for i, folder in enumerate(folders) if folder in _FOLDERS]
        if len(labels) != 1:
            raise DataSetError(
                f"{root}: {name} has no known label: it must lie below one folder 'real' or 'fake'."
            )
        at = labels[0]
        splits = [folder for folder in folders[:at] if folder in SPLITS]
        in_splits.add(bool(splits))
        if len(splits) > 1 or len(in_splits) > 1:
            raise DataSetError(
                f"{root}: {name} lies in {len(splits)} split folders. Put all files into exactly one of "
                "train, val and test, or none of them."
            )
        below = place.parts[at + 1 : -1]
        group = "/".join(below) if below and place.suffix.lower() in IMAGES else place.stem
        split = splits[0] if splits else _split_of(group, fractions)
        yield _Listed(name, _FOLDERS[folders[at]], group, split)


def _zip_items(path: Path, fractions: Fractions) -> list[Item]:
    with open_zip(path) as archive:
        members = [info.filename for info in archive.infolist() if not info.is_dir()]
    table = path.with_suffix(".csv")
    if table.is_file():
        rows = list(_rows(table, fractions))
        present = set(members)
        _require_files([row.name for row in rows if row.name not in present], table)
    else:
        rows = list(_from_folders(sorted(members), fractions, path))
    return [Item(path, row.name, *row[1:]) for row in rows]


def _rows(table: Path, fractions: Fractions) -> Iterator[_Listed]:
    """Yield path, label, group and split of each row of a CSV, in order."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = {_COLUMNS.get(name, name): name for name in reader.fieldnames or ()}
            if not {"path", "label"} <= columns.keys():
                raise DataSetError(f"{table}: the first line must name at least the columns path,label.")
            for row in reader:
                cells = {column: (row[name] or "").strip() for column, name in columns.items()}
                label = _LABELS.get(cells["label"].lower())
                if label is None:
                    raise DataSetError(
                        f"{table}, line {reader.line_num}: unknown label {cells['label']!r}. "
                        "Labels are real, fake, 0 or 1."
                    )
                group = cells.get("group") or PurePosixPath(cells["path"]).stem
                split = cells.get("split", _split_of(group, fractions))
                if split not in SPLITS:
                    raise DataSetError(
                        f"{table}, line {reader.line_num}: unknown split {split!r}. "
                        "Splits are train, val and test."
                    )
                yield _Listed(cells["path"], label, group, split)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataSetError(f"{table}: cannot be read as a CSV in UTF-8: {error}") from None


def _split_of(group: str, fractions: Fractions) -> str:
    """Return the split by the group's name alone: the same in every run, whatever else the set holds."""
    place = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    if place < fractions[0]:
        return "train"
    # With nothing left for test, rounding must not put anything there.
    return "val" if place < fractions[0] + fractions[1] or not fractions[2] else "test"


def _check(items: Sequence[Item], path: Path) -> None:
    if not items:
        raise DataSetError(f"{path}: the data set is empty: it holds no images or videos that can be used.")
    repeated = [name for name, times in Counter(item.name for item in items).items() if times > 1]
    if repeated:
        raise DataSetError(f"{path}: listed more than once: {_examples(repeated)}.")
    classes: dict[str, set[int]] = defaultdict(set)
    for item in items:
        classes[item.split].add(item.label)
    for split, labels in sorted(classes.items()):
        if len(labels) == 1:
            lacking = "real" if labels == {1} else "fake"
            raise DataSetError(
                f"{path}: split {split} holds nothing labelled {lacking}. Both classes are needed: add "
                "files, or say which file is in which split."
            )


def _require_files(missing: Sequence[str], table: Path) -> None:
    if missing:
        raise DataSetError(f"{table}: {len(missing)} of its files are missing: {_examples(missing)}.")


def _of_equal_size(items: Sequence[Item]) -> list[Item]:
    """Return items whose size in bytes occurs in two splits: only they can be equal, and hashing is slow."""
    members: dict[Path, dict[str, int]] = {}
    sizes, splits = [], defaultdict(set)
    for item in items:
        if item.member is None:
            size = item.path.stat().st_size
        else:
            if item.path not in members:
                with open_zip(item.path) as archive:
                    members[item.path] = {info.filename: info.file_size for info in archive.infolist()}
            size = members[item.path][item.member]
        sizes.append(size)
        splits[size].add(item.split)
    return [item for item, size in zip(items, sizes, strict=True) if len(splits[size]) > 1]


def _digests(items: Iterable[Item]) -> Iterator[tuple[Item, bytes]]:
    """Yield the SHA-256 of each item's bytes, ordered by file; videos are not read into memory whole."""
    for (path, zipped), group in groupby(sorted(items, key=attrgetter("path")), key=_file_key):
        if not zipped:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            yield from ((item, digest) for item in group)
            continue
        with open_zip(path) as archive:
            yield from ((item, hashlib.sha256(archive.read(item.member or "")).digest()) for item in group)


def _examples(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


# Marks identify files that a model learned from, was chosen by or calibrated on, wherever they lie later.
# They are in the metadata of its weights; only the owner of a file can tell that its mark is among them.
_END = 1 << 20  # bytes read at either end: all videos of a set are marked whenever training starts
_DIGITS = 16
_KEY = "learnt_from"


def file_marks(items: Sequence[Item]) -> list[str]:
    """Return a mark for each item, in order: a digest of its size and its first and last MiB."""
    marks = []
    for (path, zipped), group in groupby(items, key=_file_key):
        if zipped:
            with open_zip(path) as archive:
                for item in group:
                    data = archive.read(item.member or "")
                    marks.append(_mark(len(data), data[:_END], data[-_END:]))
            continue
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            first = file.read(_END)
            file.seek(max(0, size - _END))
            mark = _mark(size, first, file.read(_END))
        marks += [mark for _ in group]
    return marks


def _mark(size: int, first: bytes, last: bytes) -> str:
    return hashlib.sha256(b"%d " % size + first + last).hexdigest()[:_DIGITS]


def marks_metadata(marks: Sequence[str]) -> dict[str, str] | None:
    """Return the metadata to write into weights; None for a model trained on the research data alone."""
    return {_KEY: " ".join(marks)} if marks else None


def marks_in_weights(weights: Path) -> frozenset[str]:
    """Return the marks in the metadata of ``weights``; ONNX files and older models have none."""
    if weights.suffix != ".safetensors":
        return frozenset()
    with safe_open(weights, "numpy") as head:
        return frozenset(((head.metadata() or {}).get(_KEY) or "").split())
