"""What evaluation got wrong (``failures.json``), as material for a further pass over it.

The worse the error, the heavier it weighs, which is the idea of online hard example
mining (Shrivastava et al., CVPR 2016) done between runs instead of within one. What was
measured once must not be learned: nothing of a test split is taken.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from detector.training.data.labelled_sets import DataSetError, Item

_NAMED = 5  # examples given in a message
_UNJUDGED = 0.5  # the error of what got no probability
# Sets and splits with such a word in their name are there to measure on.
_RESERVED = {"test", "develop"}


class _Entry(BaseModel):
    """What is needed of an entry of ``failures.json``; it holds more."""

    path: str = Field(min_length=1)
    member: str | None = None
    label: Literal[0, 1, "real", "fake"]
    probability: float | None = Field(ge=0, le=1)
    group: str
    data: str = ""

    @property
    def place(self) -> str:
        return self.path if self.member is None else f"{self.path}/{self.member}"

    @property
    def truth(self) -> int:
        return int(self.label in {1, "fake"})


class Hard(NamedTuple):
    """An item to train on again; ``weight`` is positive, 1 on average over a list."""

    item: Item
    weight: float


def read_failures(path: Path, known: Sequence[Item]) -> list[Hard]:
    """The failures at ``path`` as weighted items, in their order, all of split ``train`` from now on.

    ``known`` are the items of every set evaluation was run on; a failure is found there by
    the end of its path, of which evaluation may have been given more or less, and takes
    its split from there. Those out of a validation split leave it: take their groups out
    of validation too, which :func:`~detector.training.data.labelled_sets.check_leakage` over both
    insists on. The weight is in proportion to how far the probability lay from the label.

    Raises :class:`DataSetError` when the file is no such list or lists nothing, when a
    failure cannot be found or not told apart, or has another label, and when one comes
    from a set or a split to measure on (test, develop) or shares its group with one.
    """
    entries = _read(path)
    by_file: dict[str, list[Item]] = defaultdict(list)
    for item in known:
        by_file[_place(item).rpartition("/")[2]].append(item)
    tested = {item.group for item in known if item.split == "test"}
    hard, unknown, forbidden = [], [], []
    for entry in entries:
        ending = "/" + entry.place.removeprefix("./").lstrip("/")
        found = [i for i in by_file[ending.rpartition("/")[2]] if _place(i).endswith(ending)]
        reserved = _RESERVED & set(re.split(r"[^a-z]+", entry.data.lower()))
        if reserved or {entry.group, *(item.group for item in found)} & tested:
            forbidden.append(entry.place)
        elif len(found) != 1:
            unknown.append(entry.place)
        elif found[0].label != entry.truth:
            raise DataSetError(f"{path}: {entry.place} has another label now. Evaluate the model again.")
        else:
            error = _UNJUDGED if entry.probability is None else abs(entry.truth - entry.probability)
            hard.append(Hard(replace(found[0], split="train"), error))
    _refuse(path, forbidden, unknown)
    mean = sum(error for _, error in hard) / len(hard)
    if not mean:
        raise DataSetError(f"{path}: each probability in it is exactly right; there is nothing to learn.")
    return [Hard(item, error / mean) for item, error in hard if error]


def _refuse(path: Path, forbidden: Sequence[str], unknown: Sequence[str]) -> None:
    """Raise :class:`DataSetError` for failures that may not be trained on, or that nobody can place."""
    if forbidden:
        raise DataSetError(
            f"{path}: {len(forbidden)} failures belong to data that is there to measure on: "
            f"{', '.join(forbidden[:_NAMED])}. Once trained on, a test split measures nothing any more. "
            "Evaluate on train or val, and give those failures."
        )
    if unknown:
        raise DataSetError(
            f"{path}: {len(unknown)} failures are in none of the data sets given, or in several, so that "
            f"nobody can tell whether they belong to a test split: {', '.join(unknown[:_NAMED])}. Give the "
            "sets that were evaluated."
        )


def _read(path: Path) -> list[_Entry]:
    try:
        entries = TypeAdapter(list[_Entry]).validate_json(path.read_bytes())
    except OSError as error:
        raise DataSetError(f"{path} cannot be read: {error.strerror}. Evaluate a model first.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its top level"
        raise DataSetError(f"{path}: not a list of failures, at {place}: {first['msg']}.") from None
    if not entries:
        raise DataSetError(f"{path} lists no failures: there is nothing to train on again.")
    return entries


def _place(item: Item) -> str:
    file = item.path.absolute().as_posix()
    return file if item.member is None else f"{file}/{item.member}"
