"""What ships, with each fold of families held out: heads fitted anew without it, fused as the card fuses.

The branch's blocks have learnt from no label, so features of them are kept once for all folds. The scan and
the inner face's *altered* come as they ship. They have learnt from generators of the first collection of
clips; families of the second alone (*new*) are those that nothing in the fusion has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.models.card import FUSION_INPUTS
from detector.networks.graphs import ALTERED, INNER, outputs_of
from detector.scoring.fusion import Fusion
from training.unseen.evaluation import Floats, FoldScores
from training.unseen.features import FeatureSet
from training.unseen.folds import FOLDS, Item, fold_of_families, held_out, learnable
from training.unseen.heads import LinearHead, fitted, mean_of

HEAD_STRENGTH, INNER_STRENGTH, TWIN_STRENGTH = 1e-2, 1e-2, 1e-3
"""C of the regressions, for weights that add up to 5,000."""
TWIN_SHARE = 0.5
"""Of the weight, in the head that learns from twins."""
WITH_TWINS = 0.3
"""Share of that head in the mean, in spreads over unmanipulated faces."""


@dataclass(frozen=True)
class Caches:
    """Sets that heads are fitted on, with features of the branch; ``scan`` (n,) are the scan's logits of the
    plain inner faces."""

    head: FeatureSet
    head_augmented: FeatureSet
    inner: FeatureSet
    inner_augmented: FeatureSet
    twins: FeatureSet
    scan: Floats


def head_model(learnt: FeatureSet, twins: FeatureSet) -> LinearHead:
    """What the whole head says of synthesis: mostly a head on clips, a share of one on twins as well."""
    alone = fitted(learnt.samples, learnt.features, HEAD_STRENGTH)
    both = learnt + twins
    with_twins = fitted(both.samples, both.features, TWIN_STRENGTH, TWIN_SHARE)
    real = learnt.features[[not sample.fake for sample in learnt.samples]]
    wider = float(alone(real).std() / with_twins(real).std())
    return mean_of([alone, with_twins], [1 - WITH_TWINS, WITH_TWINS * wider])


def inner_model(learnt: FeatureSet) -> LinearHead:
    """What the inner face says of synthesis."""
    return fitted(learnt.samples, learnt.features, INNER_STRENGTH)


def without(chosen: FeatureSet, folds: dict[str, int], fold: int, groups: set[str]) -> FeatureSet:
    """Those of ``chosen`` that may be learnt from while ``fold`` and ``groups`` are held out."""
    items = [sample.item for sample in chosen.samples]
    kept = learnable(items, folds, fold) & np.array([item.group not in groups for item in items])
    return chosen.of(kept)


def fold_scores(caches: Caches, formula: Fusion) -> tuple[list[FoldScores], list[Item]]:
    """Fused scores of each fold's clips held out and of the unmanipulated develop clips; and all clips."""
    of_file = {sample.file: sample.item for of in (caches.head, caches.inner) for sample in of.samples}
    everything = list(of_file.values())
    folds = fold_of_families(everything)
    # Sets that are not complete yet may lack the later clips.
    scored = [{sample.file for sample in of.samples} for of in (caches.head, caches.inner)]
    files = sorted(set.intersection(*scored))
    items = [of_file[file] for file in files]
    real = np.array([not item.fake and item.role == "develop" for item in items])
    inner_altered = caches.inner.logits[:, outputs_of(INNER)[ALTERED]]
    known = np.column_stack([_mean(column, caches.inner, files) for column in (caches.scan, inner_altered)])
    out = []
    for fold in range(FOLDS):
        outside = held_out(items, folds, fold)
        out_of_all = _those(everything, held_out(everything, folds, fold))
        groups = {item.group for item in out_of_all if item.group}
        head = head_model(
            without(caches.head, folds, fold, groups) + without(caches.head_augmented, folds, fold, groups),
            without(caches.twins, folds, fold, groups),
        )
        inner = inner_model(
            without(caches.inner, folds, fold, groups) + without(caches.inner_augmented, folds, fold, groups)
        )
        inputs = np.zeros((len(files), len(FUSION_INPUTS)))
        inputs[:, [FUSION_INPUTS.index("fast"), FUSION_INPUTS.index("inner altered")]] = known
        for name, model, of in (
            ("head synthesised", head, caches.head),
            ("inner synthesised", inner, caches.inner),
        ):
            inputs[:, FUSION_INPUTS.index(name)] = _mean(model(of.features), of, files)
        scores = formula.logit(inputs)
        out.append(FoldScores(_those(items, outside), scores[outside], _those(items, real), scores[real]))
    return out, items


def new_families(items: Sequence[Item]) -> set[str]:
    """Families that none but clips of the second collection show."""
    return {item.family for item in items if item.fake} - {
        item.family for item in items if item.fake and not item.group.startswith("t3-")
    }


def only(folds: Sequence[FoldScores], families: set[str]) -> list[FoldScores]:
    """The same without clips of other families."""
    out = []
    for fold in folds:
        kept = np.array([item.family in families for item in fold.items])
        out.append(FoldScores(_those(fold.items, kept), fold.scores[kept], fold.real_items, fold.real))
    return out


def _mean(values: NDArray[np.floating], of: FeatureSet, files: Sequence[str]) -> Floats:
    """Means of the ``values`` (n,) of samples ``of`` a set, by clip."""
    number = {file: row for row, file in enumerate(files)}
    rows = np.array([number.get(sample.file, -1) for sample in of.samples])
    there = rows >= 0
    totals = np.bincount(rows[there], values[there], len(files))
    means: Floats = totals / np.bincount(rows[there], minlength=len(files))
    return means


def _those(items: Sequence[Item], chosen: NDArray[np.bool_]) -> list[Item]:
    return [item for item, keep in zip(items, chosen, strict=True) if keep]
