"""Heads that judge single patches: their masks, what they learn, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from second_look_cases import SIZE, TINY, patch, state_of, tiny_network

from detector.faces.crop import INNER
from detector.networks.graphs import ALTERED, outputs_of
from detector.networks.vit_small_14 import ViTSmall14PatchHeads
from training.second_look.examples.pairs import BlendPair, blend_pairs
from training.second_look.examples.sampling import degrade_crop_with_mask, plain_crop
from training.second_look.fitting.patch_scores import read_network
from training.second_look.patch_heads import SHARE, PatchTraining, fit_patch_heads, with_patch_heads

ROW = outputs_of(INNER)[ALTERED]


@pytest.fixture
def network() -> ViTSmall14PatchHeads:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return with_patch_heads(tiny_network())


def crops_of(patches: list) -> torch.Tensor:
    return torch.from_numpy(np.stack([plain_crop(example, INNER, SIZE) for example in patches]))


def test_new_heads_add_nothing(network: ViTSmall14PatchHeads) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        before = tiny_network().eval()
    crops = network.normalise(crops_of([patch(1), patch(2)]))
    assert torch.equal(network(crops), before(crops))


def test_heads_that_were_trained_are_begun_anew(learnt: tuple[ViTSmall14PatchHeads, dict, list[str]]) -> None:
    trained, before, _ = learnt
    anew = with_patch_heads(trained).state_dict()
    assert all(torch.equal(anew[name], kept) for name, kept in before.items() if "patch_" not in name)
    assert trained.patch_centre.any() and not anew["patch_centre"].any()
    assert trained.patch_judge.weight.any() and not anew["patch_judge.weight"].any()


def test_a_mask_is_mirrored_as_its_crop_is() -> None:
    image, mask = np.zeros((96, 96, 3), np.uint8), np.zeros((12, 12), np.float32)
    image[:, :48], mask[:, :6] = 255, 1.0
    sides = set()
    for seed in range(12):
        crop, moved = degrade_crop_with_mask(image, mask, patch(1), 56, np.random.default_rng(seed))
        bright = crop[:, :14].mean() > 128
        assert bool(moved[0, 0]) == bright and bool(moved[0, -1]) != bright
        sides.add(bright)
    assert sides == {True, False}


def test_a_pair_with_its_mask_is_the_pair() -> None:
    pair = BlendPair(patch(3), 3)
    without, blend, mask = pair.masked(96, 12)
    assert mask.shape == (12, 12) and mask.min() >= 0 and 0.5 < mask.max() <= 1.001
    assert all(np.array_equal(*both) for both in zip(pair.crops(96), (without, blend), strict=True))


@pytest.fixture
def learnt(network: ViTSmall14PatchHeads, tmp_path: Path) -> tuple[ViTSmall14PatchHeads, dict, list[str]]:
    """A network trained on blends, what it was before, and what was reported."""
    before, lines = state_of(network), list[str]()
    faces = [patch(seed, file=f"{seed}.mp4") for seed in range(40)]
    pairs = blend_pairs(faces, {"clips": 40}, 3)
    held_out = [patch(seed, file=f"{seed}.mp4") for seed in range(100, 112)]
    fit_patch_heads(network, pairs, held_out, tmp_path, lines.append, PatchTraining(passes=12, pairs=8))
    assert not list(tmp_path.iterdir())
    return network, before, lines


def test_nothing_else_changes(learnt: tuple[ViTSmall14PatchHeads, dict, list[str]]) -> None:
    network, before, _ = learnt
    for name, value in network.state_dict().items():
        if not name.startswith("patch_"):
            assert torch.equal(value, before[name]), name
    others = [row for row in range(len(network.patch_judge.bias)) if row != ROW]
    assert not network.patch_judge.weight[others].any() and not network.patch_judge.bias[others].any()
    assert network.patch_judge.weight[ROW].any()


def test_what_is_added_has_a_share_of_the_spread_and_no_mean(
    learnt: tuple[ViTSmall14PatchHeads, dict, list[str]],
) -> None:
    network, _, _ = learnt
    faces = [patch(seed, file=f"{seed}.mp4") for seed in range(100, 112)]
    with torch.no_grad():
        crops = network.normalise(crops_of(faces))
        linear = network.classify(network.features(crops))[:, ROW]
        added = network(crops)[:, ROW] - linear
    assert added.mean().abs() < 0.05 * linear.std()
    assert added.std() / linear.std() == pytest.approx(SHARE, rel=0.05)


def test_the_loss_falls(learnt: tuple[ViTSmall14PatchHeads, dict, list[str]]) -> None:
    losses = [float(line.rsplit(" ", 1)[1]) for line in learnt[2] if "loss" in line]
    assert len(losses) >= 1 and losses[-1] < 0.69


def test_a_checkpoint_is_known_by_its_heads(tmp_path: Path) -> None:
    torch.save(ViTSmall14PatchHeads().state_dict(), tmp_path / "patch-heads.pt")
    assert type(read_network(tmp_path / "patch-heads.pt")) is ViTSmall14PatchHeads
    assert TINY.features == 3 * 2 * 24
