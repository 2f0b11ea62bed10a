"""Heads of windows: what they learn from, that they level pages, and the network that has them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from detector.networks.graphs import QUESTIONS, READINGS
from detector.networks.vit_small_14 import Shape, ViTSmall14PatchHeads
from training.unseen.distillation import Branch
from training.unseen.families import REAL, TALKING
from training.unseen.features import FeatureSet
from training.unseen.heads import LinearHead, fitted, network_with
from training.unseen.linear import example_weights, regression
from training.unseen.samples import Sample

WIDTH = 12


def _set() -> FeatureSet:
    """Forty samples of each class, of ten pages; feature 0 tells classes, feature 1 some pages."""
    rng = np.random.default_rng(2)
    samples = [
        Sample(f"{label}{n}", 0, REAL if label == "r" else f"family {n % 4}", TALKING, f"{label}{n}", "train",
               "native", f"page {label}{n % 5}", "plain")
        for label in "rf"
        for n in range(40)
    ]  # fmt: skip
    features = rng.normal(size=(len(samples), WIDTH)).astype(np.float32)
    features[[sample.fake for sample in samples], 0] += 2.0
    features[[sample.origin in ("page r0", "page f1", "page f2") for sample in samples], 1] += 4.0
    return FeatureSet(samples, features)


def test_classes_count_alike_and_large_pages_less() -> None:
    samples = [
        *(Sample(f"a{n}", 0, REAL, REAL, "", "train", "native", "large", "plain") for n in range(16)),
        *(Sample("b", frame, REAL, REAL, "", "train", "native", "small", "plain") for frame in range(2)),
        *(Sample("c", frame, "F", TALKING, "", "train", "native", "large", "plain") for frame in range(2)),
    ]
    weights = example_weights(samples)
    assert weights.sum() == pytest.approx(1) and weights[18:].sum() == pytest.approx(0.5)
    assert weights[:16].sum() == pytest.approx(4 * weights[16:18].sum())
    assert weights[16] == weights[17]


def test_a_head_is_in_deviations_from_unmanipulated_faces() -> None:
    native = _set()
    head = fitted(native)
    real = np.array([not sample.fake for sample in native.samples])
    logits = head(native.features)
    assert logits[real].mean() == pytest.approx(0, abs=1e-3) and logits[real].std() == pytest.approx(
        1, abs=1e-3
    )
    assert np.mean(logits[~real]) > 1.5
    older = dataclasses.replace(native, features=-native.features)
    assert not np.allclose(fitted(native, older).weight, head.weight)


def test_levelling_lets_less_be_said_of_pages() -> None:
    native = _set()
    labels = np.array([sample.fake for sample in native.samples])
    weights, pages = example_weights(native.samples), [sample.origin for sample in native.samples]

    def apart(levelling: float) -> float:
        """Return how far pages of a class lie apart, in units of how far classes do."""
        weight, _ = regression(native.features, labels, weights, 1.0, pages, levelling)
        logits = native.features @ weight
        means = [
            [logits[[sample.origin == page for sample in native.samples]].mean() for page in sorted(of_class)]
            for of_class in ({p for p in pages if p[5] == label} for label in "rf")
        ]
        return float(
            np.mean([np.std(of_class) for of_class in means]) / (np.mean(means[1]) - np.mean(means[0]))
        )

    assert apart(1.0) < 0.7 * apart(0.0)


def test_a_sample_of_another_role_is_refused() -> None:
    native = _set()
    native.samples[3] = dataclasses.replace(native.samples[3], role="develop")
    with pytest.raises(ValueError, match="another role"):
        fitted(native)


def test_the_network_says_what_heads_say_and_the_rest_as_before() -> None:
    torch.manual_seed(1)
    shape = Shape(size=56, width=48, attention_heads=3)
    shipped = ViTSmall14PatchHeads(shape).eval()
    branch = Branch(ViTSmall14PatchHeads(shape).eval()).state_dict()
    rng = np.random.default_rng(5)

    def head() -> LinearHead:
        weight, centre = (rng.normal(size=shape.features).astype(np.float32) * 0.01 for _ in range(2))
        return LinearHead(weight, 0.5, centre, np.full(shape.features, 2.0, np.float32))

    first, second = head(), head()
    before = network_with(shipped, branch, {2: first})
    network = network_with(before, branch, {1: second})
    crops, tuned = torch.randn(3, 3, 56, 56), READINGS * QUESTIONS
    with torch.no_grad():
        given, features = network(crops).numpy(), network.branch_features(crops).numpy()
        assert np.allclose(given[:, :tuned], shipped(crops).numpy(), atol=1e-5)
    assert np.allclose(given[:, tuned + 1], second(features), atol=1e-4)
    assert np.allclose(given[:, tuned + 2], first(features), atol=1e-4)
