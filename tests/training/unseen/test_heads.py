"""Heads of the branch: what they learn from, how they are mixed, and the network that has them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from detector.networks.graphs import HEAD, INNER, SYNTHESISED, outputs_of
from detector.networks.vit_small_14 import Shape, ViTSmall14PatchHeads
from training.unseen.distillation import Branch
from training.unseen.evaluation import FoldScores, auc, families, kinds, threshold
from training.unseen.families import REAL, TALKING
from training.unseen.folds import Item
from training.unseen.heads import LinearHead, fitted, mean_of, network_with
from training.unseen.linear import example_weights
from training.unseen.samples import Sample

WIDTH = 12


def _samples() -> tuple[list[Sample], np.ndarray]:
    """Forty unmanipulated and forty manipulated samples of four families, and twins; features tell them."""
    rng = np.random.default_rng(2)
    samples = [Sample(f"r{n}", 0, REAL, REAL, f"g{n // 4}", "train", "clips", "", "plain") for n in range(40)]
    samples += [
        Sample(f"f{n}", 0, f"family {n % 4}", TALKING, f"h{n}", "train", "clips", "", "plain")
        for n in range(40)
    ]
    for n in range(10):
        for variant in ("original", "twin"):
            samples.append(Sample(f"r{n}", 9, REAL, REAL, f"g{n // 4}", "train", "clips", "", variant, n))
    features = rng.normal(size=(len(samples), WIDTH)).astype(np.float32)
    features[[sample.fake and sample.pair < 0 for sample in samples], 0] += 2.0
    features[[sample.variant == "twin" for sample in samples], 1] += 2.0
    return samples, features


def test_classes_count_alike_and_twins_have_their_share() -> None:
    samples, _ = _samples()
    weights = example_weights(samples, twin_share=0.25)
    fake = np.array([sample.fake for sample in samples])
    pairs = np.array([sample.pair >= 0 for sample in samples])
    assert np.isclose(weights.mean(), 1.0)
    assert np.isclose(weights[fake].sum(), weights[~fake].sum())
    assert np.isclose(weights[pairs].sum() / weights.sum(), 0.25)


def test_a_head_learns_from_twins_only_where_they_have_a_share() -> None:
    samples, features = _samples()
    without, with_twins = (fitted(samples, features, 0.1, share) for share in (0.0, 0.5))
    assert without.weight[0] > 3 * abs(without.weight[1])
    assert with_twins.weight[1] > 0.5 * with_twins.weight[0] > 0


def test_a_sample_of_another_role_is_refused() -> None:
    samples, features = _samples()
    samples[3] = dataclasses.replace(samples[3], role="develop")
    with pytest.raises(ValueError, match="another role"):
        fitted(samples, features, 0.1)


def test_a_mean_of_heads_is_the_mean_of_their_logits() -> None:
    rng = np.random.default_rng(5)
    first, other = (
        LinearHead(
            rng.normal(size=WIDTH).astype(np.float32),
            float(rng.normal()),
            rng.normal(size=WIDTH).astype(np.float32),
            rng.uniform(0.5, 2, WIDTH).astype(np.float32),
        )
        for _ in range(2)
    )
    features = rng.normal(size=(20, WIDTH)).astype(np.float32)
    mixed = mean_of([first, other], [0.25, 0.75])
    assert np.allclose(mixed(features), 0.25 * first(features) + 0.75 * other(features), atol=1e-4)


def test_the_network_says_what_heads_say_and_the_rest_as_before() -> None:
    torch.manual_seed(1)
    shape = Shape(size=56, width=48, attention_heads=3)
    shipped = ViTSmall14PatchHeads(shape).eval()
    branch = Branch(ViTSmall14PatchHeads(shape).eval())
    width = shape.features
    head = LinearHead(
        np.full(width, 0.01, np.float32), 0.5, np.zeros(width, np.float32), np.full(width, 2.0, np.float32)
    )
    network = network_with(shipped, branch.state_dict(), {(HEAD, SYNTHESISED): head})
    crops = torch.randn(3, 3, 56, 56)
    with torch.no_grad():
        given, before = network(crops), shipped(crops)
        logits = head(network.branch_features(crops).numpy())
    row = outputs_of(HEAD)[SYNTHESISED]
    assert np.allclose(given[:, row].numpy(), logits, atol=1e-4)
    others = [n for n in range(given.shape[1]) if n != row]
    assert torch.allclose(given[:, others], before[:, others], atol=1e-5)
    assert outputs_of(INNER)[0] in others
    kept = network_with(shipped, branch.state_dict(), {(HEAD, SYNTHESISED): head}, {(HEAD, SYNTHESISED): 0.5})
    with torch.no_grad():
        assert np.allclose(kept(crops)[:, row].numpy(), logits + 0.5 * before[:, row].numpy(), atol=1e-4)


def test_figures_are_means_over_families_of_at_least_three_clips() -> None:
    items = [Item(f"a{n}", "A", TALKING, f"a{n}", "train") for n in range(4)]
    items += [Item(f"b{n}", "B", TALKING, f"b{n}", "train") for n in range(4)]
    items += [Item("c", "C", TALKING, "c", "train")]
    real = [Item(f"r{n}", REAL, REAL, f"r{n}", "develop") for n in range(40)]
    scores = np.array([1.0] * 4 + [-1.0] * 4 + [5.0])
    fold = FoldScores(items, scores, real, np.linspace(-0.9, 0.9, 40))
    rows = families([fold])
    assert {row.family: row.auc for row in rows} == {"A": 1.0, "B": 0.0, "C": 1.0}
    assert kinds(rows) == {TALKING: (0.5, 0.5, 2, 8)}


def test_a_threshold_flags_at_most_its_share() -> None:
    real = np.arange(40.0)
    assert (real > threshold(real)).sum() == 2
    assert auc(np.array([0.5, 38.5]), real) == pytest.approx((1 + 39) / 80)
