"""Scores of folds: of clips that all sets show, by heads that learned neither from their family nor group."""

from __future__ import annotations

import numpy as np
import pytest

from detector.models.loaded import load_model
from detector.networks.graphs import QUESTIONS, READINGS
from detector.scoring.fusion import Fusion
from training.unseen.evaluation import families
from training.unseen.families import REAL, TALKING
from training.unseen.features import FeatureSet
from training.unseen.fold_models import Caches, fold_scores
from training.unseen.samples import Sample

WIDTH = 10


def _set(variant: str, only_train: bool = False) -> FeatureSet:
    """Twelve families of four clips and forty unmanipulated ones, two frames each; feature 0 tells them."""
    rng = np.random.default_rng(len(variant))
    samples = []
    for frame in range(2):
        for number in range(48):
            role = "develop" if number % 4 == 0 else "train"
            family = f"family {number // 4}"
            samples.append(
                Sample(f"f{number}", frame, family, TALKING, f"g{number}", role, "clips", "", variant)
            )
        for number in range(40):
            role = "develop" if number % 2 else "train"
            samples.append(Sample(f"r{number}", frame, REAL, REAL, f"r{number}", role, "clips", "", variant))
    if only_train:
        samples = [sample for sample in samples if sample.role == "train"]
    features = rng.normal(size=(len(samples), WIDTH)).astype(np.float32)
    features[[sample.fake for sample in samples], 0] += 3.0
    logits = np.full((len(samples), READINGS * QUESTIONS), -1.0, np.float32)
    return FeatureSet(samples, features, logits)


def _twins() -> FeatureSet:
    rng = np.random.default_rng(4)
    samples = [
        Sample(f"r{2 * n}", 5, REAL, REAL, f"r{2 * n}", "train", "clips", "", variant, n)
        for n in range(20)
        for variant in ("original", "twin")
    ]
    features = rng.normal(size=(len(samples), WIDTH)).astype(np.float32)
    return FeatureSet(samples, features, np.full((len(samples), READINGS * QUESTIONS), np.nan, np.float32))


@pytest.mark.parametrize("lacking", [0, 100])
def test_clips_that_all_sets_show_are_scored_once(lacking: int) -> None:
    card = load_model().card.second_look
    assert card is not None
    inner = _set("inner")
    inner = inner.of(np.arange(len(inner)) < len(inner) - lacking)
    caches = Caches(
        _set("head"), _set("head augmented", True), inner, _set("inner augmented", True), _twins(),
        np.full(len(inner), -3.0),
    )  # fmt: skip
    folds, items = fold_scores(caches, Fusion.of(card))
    shown = {sample.file for sample in inner.samples}
    assert {item.file for item in items} == shown
    assert sorted(item.file for fold in folds for item in fold.items) == sorted(
        file for file in shown if file.startswith("f")
    )
    for fold in folds:
        assert all(item.role == "develop" and not item.fake for item in fold.real_items)
    rows = families(folds)
    assert len(rows) == 12
    assert np.mean([row.auc for row in rows]) > 0.9
