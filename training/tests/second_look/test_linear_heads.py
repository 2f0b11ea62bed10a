"""Heads fitted on examples and on pairs: each has its share, and classes count alike."""

from __future__ import annotations

import numpy as np
import pytest

from training.second_look.linear_heads import head_with_pairs, linear_head

LABELS = np.array([0, 1] * 200)


@pytest.fixture
def known_and_pairs() -> tuple[np.ndarray, np.ndarray]:
    """Each is told by a feature of its own; the third says nothing."""
    known, pairs = np.random.default_rng(0).normal(size=(2, 400, 3)).astype(np.float32)
    known[:, 0] += 4 * LABELS
    pairs[:, 1] += 4 * LABELS
    return known, pairs


def test_examples_and_pairs_are_learnt_from_by_their_share(
    known_and_pairs: tuple[np.ndarray, np.ndarray],
) -> None:
    known, pairs = known_and_pairs
    mostly_pairs, _ = head_with_pairs(known, LABELS, pairs, 0.8, 0.8)
    mostly_known, _ = head_with_pairs(known, LABELS, pairs, 0.2, 0.8)
    assert mostly_pairs[1] > mostly_pairs[0] > 2 * abs(mostly_pairs[2])
    assert mostly_known[0] > mostly_known[1] > 2 * abs(mostly_known[2])


def test_classes_count_alike_however_many_there_are(known_and_pairs: tuple[np.ndarray, np.ndarray]) -> None:
    known, pairs = known_and_pairs
    fewer = np.concatenate([known[LABELS == 0], known[LABELS == 1][:20]])
    labels = np.repeat([0, 1], (200, 20))
    _, bias = head_with_pairs(known, LABELS, pairs, 0.5, 0.8)
    _, bias_of_fewer = head_with_pairs(fewer, labels, pairs, 0.5, 0.8)
    assert abs(bias - bias_of_fewer) < 0.3


def test_an_example_without_weight_is_as_if_it_were_not_there(
    known_and_pairs: tuple[np.ndarray, np.ndarray],
) -> None:
    known, pairs = known_and_pairs
    wrong = np.arange(400) < 100
    labels = np.where(wrong, 1 - LABELS, LABELS)
    weight, _ = head_with_pairs(known, labels, pairs, 0.5, 0.8, weights=(~wrong).astype(float))
    right, _ = head_with_pairs(known[~wrong], labels[~wrong], pairs, 0.5, 0.8)
    assert np.allclose(weight, right, atol=1e-3)


def test_without_pairs_classes_count_alike_and_examples_by_their_weights(
    known_and_pairs: tuple[np.ndarray, np.ndarray],
) -> None:
    known, _ = known_and_pairs
    right, bias = linear_head(known, LABELS)
    fewer = np.concatenate([known[LABELS == 0], known[LABELS == 1][:20]])
    _, bias_of_fewer = linear_head(fewer, np.repeat([0, 1], (200, 20)), 0.001 * 400 / 220)
    assert abs(bias - bias_of_fewer) < 0.3
    wrong = np.arange(400) < 100
    labels = np.where(wrong, 1 - LABELS, LABELS)
    weight, _ = linear_head(known, labels, weights=(~wrong).astype(float))
    assert np.corrcoef(weight, right)[0, 1] > 0.99 > np.corrcoef(linear_head(known, labels)[0], right)[0, 1]
