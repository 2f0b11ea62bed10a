"""What inner faces say of alteration: blends and their pairs, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from second_look_cases import assert_only_heads_changed, patch, state_of, tiny_network

from detector.faces.framing import INNER
from detector.networks.readings import ALTERED, HEADS
from detector.training.second_look import altered_head
from detector.training.second_look.altered_head import BlendPair, blend_pairs, fit_altered_head
from detector.training.second_look.examples.patches import RoleError


def test_only_unmanipulated_faces_are_blended_and_as_many_as_asked() -> None:
    real = [patch(seed, file=f"{seed}.mp4") for seed in range(5)]
    fake = [patch(seed, fake=True, generator="deepfakes", file=f"f{seed}.mp4") for seed in range(3)]
    pairs = blend_pairs([*real, *fake], {"clips": 3, "videos": 2})
    assert len(pairs) == 3 and not any(pair.patch.fake for pair in pairs)
    assert pairs == blend_pairs([*real, *fake], {"clips": 3, "videos": 2})


def test_a_pair_follows_from_its_seed_and_differs_in_the_blend() -> None:
    one, again = (BlendPair(patch(1), 5).crops(56) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert one[0].shape == one[1].shape == (56, 56, 3) and not np.array_equal(*one)


def test_other_roles_are_refused() -> None:
    with pytest.raises(RoleError):
        BlendPair(replace(patch(1), role="develop"), 1)


def test_it_is_fitted_and_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(altered_head, "_EXAMPLES", 24)
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
    row = HEADS * INNER + ALTERED
    assert_only_heads_changed(network, before, row)


def test_blends_have_their_share_of_the_weight() -> None:
    """With the whole weight only pairs are learnt from, without any only the examples."""
    rng = np.random.default_rng(0)
    told = np.array([0, 1] * 20)
    known = rng.normal(size=(40, 2)).astype(np.float32) + np.c_[4.0 * told, np.zeros(40)].astype(np.float32)
    pairs = rng.normal(size=(40, 2)).astype(np.float32) + np.c_[np.zeros(40), 4.0 * told].astype(np.float32)
    z = np.concatenate([known, pairs]).astype(np.float32)
    of_examples, of_pairs = (altered_head.with_blends(z, told, share)[0] for share in (0.0, 1.0))
    assert of_examples[0] > 3 * abs(of_examples[1]) and of_pairs[1] > 3 * abs(of_pairs[0])
