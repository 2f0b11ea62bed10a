"""Figures over clips of families held out: AUC, and found where 5 % of unmanipulated ones are flagged.

Every family is told from the unmanipulated clips of role ``develop`` by the scores of its own fold, since
scores of different folds have different scales. A kind's figure is the mean over its families of at least
three clips; its interval resamples families, and the unmanipulated clips by group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.unseen.folds import Item

LEAST = 3  # clips of a family that counts in the mean of its kind
FALSE_FLAGS = 0.05
_RESAMPLES = 400

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FoldScores:
    """Scores of clips of a fold held out and of unmanipulated ones, by the model that learnt of neither."""

    items: Sequence[Item]
    scores: Floats  # (n,) of `items`, all manipulated
    real_items: Sequence[Item]
    real: Floats  # (m,)


@dataclass(frozen=True)
class FamilyFigures:
    """What is measured of a family."""

    family: str
    kind: str
    clips: int
    auc: float
    found: float


def by_file(files: Sequence[str], scores: Floats) -> dict[str, float]:
    """The mean score of each file."""
    of: dict[str, list[float]] = defaultdict(list)
    for file, score in zip(files, scores.tolist(), strict=True):
        of[file].append(score)
    return {file: float(np.mean(values)) for file, values in of.items()}


def auc(fake: Floats, real: Floats) -> float:
    """Area under the ROC curve; ties count half."""
    order = np.sort(real)
    below = np.searchsorted(order, fake, "left") + np.searchsorted(order, fake, "right")
    return float(below.mean() / 2 / len(real))


def threshold(real: Floats, share: float = FALSE_FLAGS) -> float:
    """The score that at most ``share`` of ``real`` reach or exceed, halfway to the next one below."""
    falling = np.sort(real)[::-1]
    allowed = int(np.floor(share * len(falling)))
    above = falling[allowed - 1] if allowed else falling[0] + 1e-6
    return float((falling[allowed] + above) / 2)


def families(folds: Sequence[FoldScores]) -> list[FamilyFigures]:
    """Figures of each family and kind."""
    out = []
    for fold in folds:
        limit = threshold(fold.real)
        keys = sorted({(item.family, item.kind) for item in fold.items})
        for family, kind in keys:
            mine = np.array([(item.family, item.kind) == (family, kind) for item in fold.items])
            scores = fold.scores[mine]
            share = float((scores > limit).mean())
            out.append(FamilyFigures(family, kind, int(mine.sum()), auc(scores, fold.real), share))
    return sorted(out, key=lambda row: (row.kind, row.family))


def kinds(rows: Sequence[FamilyFigures]) -> dict[str, tuple[float, float, int, int]]:
    """Mean AUC and mean share found over families of each kind, number of families and of their clips."""
    out = {}
    for kind in sorted({row.kind for row in rows}):
        of = [row for row in rows if row.kind == kind and row.clips >= LEAST]
        if of:
            means = (float(np.mean([row.auc for row in of])), float(np.mean([row.found for row in of])))
            out[kind] = (*means, len(of), sum(row.clips for row in of))
    return out


def intervals(
    folds: Sequence[FoldScores], seed: int = 0
) -> dict[str, tuple[tuple[float, float], tuple[float, float]]]:
    """95 % intervals of both means of :func:`kinds`, of resampled families and groups."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for _ in range(_RESAMPLES):
        again = []
        for fold in folds:
            groups = sorted({item.group for item in fold.real_items})
            rows_of = defaultdict(list)
            for row, item in enumerate(fold.real_items):
                rows_of[item.group].append(row)
            rows = [row for group in rng.choice(groups, len(groups)) for row in rows_of[group]]
            again.append(FoldScores(fold.items, fold.scores, fold.real_items, fold.real[rows]))
        figures = families(again)
        for kind in {row.kind for row in figures}:
            of = [row for row in figures if row.kind == kind and row.clips >= LEAST]
            if of:
                chosen = [of[place] for place in rng.integers(len(of), size=len(of))]
                drawn[kind].append(
                    (float(np.mean([r.auc for r in chosen])), float(np.mean([r.found for r in chosen])))
                )
    return {
        kind: tuple(  # type: ignore[misc]
            tuple(np.percentile([row[column] for row in values], [2.5, 97.5]).tolist()) for column in (0, 1)
        )
        for kind, values in drawn.items()
    }
