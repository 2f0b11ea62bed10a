"""Six folds of families of generators, and what may be learnt from while one of them is held out.

A clip is held out with its family. Everything that shares a group with a clip held out (its driving clip, its
target, the same person) is left out of training as well, whatever made it. So neither a generator nor a
person crosses. Families of one kind are spread evenly, larger ones first; a family with two kinds counts for
the one that has more of its clips.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.unseen.families import REAL

FOLDS = 6


@dataclass(frozen=True)
class Item:
    """A clip or photograph, as far as folds are concerned; ``family`` and ``kind`` of real ones are REAL."""

    file: str
    family: str
    kind: str
    group: str
    role: str

    @property
    def fake(self) -> bool:
        """Whether it is manipulated."""
        return self.family != REAL


def fold_of_families(items: Iterable[Item], count: int = FOLDS) -> dict[str, int]:
    """The fold, from 0 to ``count`` - 1, of each family among ``items``."""
    sizes: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        if item.fake:
            sizes[item.family][item.kind] += 1
    kinds: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for family, by_kind in sizes.items():
        kind = min(by_kind, key=lambda name: (-by_kind[name], name))
        kinds[kind].append((by_kind.total(), family))
    folds: dict[str, int] = {}
    total = [0] * count
    for kind in sorted(kinds):
        of_kind = [0] * count
        for size, family in sorted(kinds[kind], key=lambda row: (-row[0], row[1])):
            fold = min(range(count), key=lambda number: (of_kind[number], total[number], number))
            folds[family] = fold
            of_kind[fold] += size
            total[fold] += size
    return folds


def held_out(items: Sequence[Item], folds: dict[str, int], fold: int) -> NDArray[np.bool_]:
    """Which of ``items`` (n,) are of a family of ``fold``, of any role."""
    return np.array([item.fake and folds[item.family] == fold for item in items])


def learnable(items: Sequence[Item], folds: dict[str, int], fold: int) -> NDArray[np.bool_]:
    """Which of ``items`` (n,) may be learnt from while ``fold`` is held out.

    They have role ``train``, another family, and a group that none of those held out has. An empty group is
    no group.
    """
    outside = held_out(items, folds, fold)
    groups = {item.group for item, out in zip(items, outside, strict=True) if out and item.group}
    return np.array(
        [
            item.role == "train" and not out and item.group not in groups
            for item, out in zip(items, outside, strict=True)
        ]
    )
