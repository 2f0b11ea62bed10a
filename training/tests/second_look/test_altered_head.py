"""What inner faces say of alteration: blends and their pairs, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from second_look_cases import assert_only_heads_changed, patch, state_of, tiny_network

from detector.faces.crop import INNER
from detector.networks.graphs import ALTERED, outputs_of
from training.second_look import linear_heads
from training.second_look.examples.pairs import BlendPair, blend_pairs
from training.second_look.examples.patches import RoleError
from training.second_look.linear_heads import fit_altered_head, head_with_pairs, linear_head


def test_only_unmanipulated_faces_are_blended_and_as_many_as_asked() -> None:
    real = [patch(seed, file=f"{seed}.mp4") for seed in range(5)]
    fake = [patch(seed, fake=True, generator="deepfakes", file=f"f{seed}.mp4") for seed in range(3)]
    pairs = blend_pairs([*real, *fake], {"clips": 3, "videos": 2})
    assert len(pairs) == 3 and not any(pair.patch.fake for pair in pairs)
    assert pairs == blend_pairs([*real, *fake], {"clips": 3, "videos": 2})


def test_a_pair_follows_from_its_seed_and_differs_in_the_blend() -> None:
    first, again = (BlendPair(patch(1), 5).crops(56) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[0].shape == first[1].shape == (56, 56, 3) and not np.array_equal(*first)


def test_other_roles_are_refused() -> None:
    with pytest.raises(RoleError):
        BlendPair(replace(patch(1), role="develop"), 1)


def test_the_head_becomes_mostly_the_mean_of_two_that_learnt_from_the_same_examples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linear_heads, "_EXAMPLES", 24)
    learnt: dict[str, tuple[np.ndarray, float]] = {}
    of_examples: list[np.ndarray] = []

    def noted(name: str, fitted: Callable[..., tuple[np.ndarray, float]]) -> None:
        def fit(z: np.ndarray, *rest: object) -> tuple[np.ndarray, float]:
            of_examples.append(z)
            learnt[name] = fitted(z, *rest)
            return learnt[name]

        monkeypatch.setattr(linear_heads, name, fit)

    noted("linear_head", linear_head)
    noted("head_with_pairs", head_with_pairs)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = tiny_network()
    aligned = {"group": "ffpp:1", "aligned": "a"}
    real = [patch(seed, file=f"{seed}.mp4", **aligned) for seed in range(4)]
    fake = [
        patch(seed, fake=True, generator="deepfakes", family="swap", file=f"f{seed}.mp4", **aligned)
        for seed in range(20, 24)
    ]
    before = state_of(network)
    fit_altered_head(network, real + fake, lambda line: None)
    row = outputs_of(INNER)[ALTERED]
    assert_only_heads_changed(network, before, row)
    assert np.array_equal(*of_examples)
    (weight, bias), (weight_of_both, bias_of_both) = learnt["linear_head"], learnt["head_with_pairs"]
    assert not np.allclose(weight, weight_of_both)
    now, was = network.judge.weight[row].detach().numpy(), before["judge.weight"][row].numpy()
    assert np.allclose(8 * now, 2 * was + 3 * weight + 3 * weight_of_both, atol=1e-5)
    bias_now, bias_was = network.judge.bias[row].item(), before["judge.bias"][row].item()
    assert np.isclose(8 * bias_now, 2 * bias_was + 3 * bias + 3 * bias_of_both, atol=1e-5)
