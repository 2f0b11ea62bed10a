"""The second network's branch: beside the tuned blocks, on the same lower ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detector.explain.heatmaps import _of_network
from detector.models.card import Input
from detector.networks.base import create
from detector.networks.graphs import ALTERED, HEAD, INNER, SYNTHESISED, outputs_of
from detector.networks.vit_small_14 import Shape, ViTSmall14PatchHeads
from detector.networks.vit_small_14_branch import ViTSmall14Branch
from detector.scoring.fusion import SeenCrop

SMALL = Shape(size=56, width=48, attention_heads=3)


@pytest.fixture
def network() -> ViTSmall14Branch:
    torch.manual_seed(4)
    return ViTSmall14Branch(SMALL).eval().requires_grad_(False)


def test_it_is_known_by_its_name() -> None:
    assert isinstance(create("vit_small_14_branch"), ViTSmall14Branch)


def test_a_branch_that_says_nothing_changes_no_logit(network: ViTSmall14Branch) -> None:
    tuned = ViTSmall14PatchHeads(SMALL).eval()
    tuned.load_state_dict({n: v for n, v in network.state_dict().items() if not n.startswith("branch_")})
    crops = torch.randn(2, 3, 56, 56)
    assert torch.allclose(network(crops), tuned(crops), atol=1e-5)


def test_a_branch_with_the_tuned_blocks_gives_their_features(network: ViTSmall14Branch) -> None:
    crops = torch.randn(2, 3, 56, 56)
    assert torch.allclose(network.branch_features(crops), network.features(crops), atol=1e-5)


@pytest.mark.parametrize(
    ("reading", "question", "of_branch"), [(HEAD, SYNTHESISED, True), (INNER, ALTERED, False)]
)
def test_a_heatmap_is_of_the_blocks_that_say_the_output(
    network: ViTSmall14Branch, reading: int, question: int, of_branch: bool
) -> None:
    row = outputs_of(reading)[question]
    network.judge.weight.zero_()
    (network.branch_judge if of_branch else network.judge).weight[row] = torch.randn(SMALL.features)
    crop = np.random.default_rng(1).integers(0, 256, (56, 56, 3), np.uint8)
    seen = SeenCrop(crop, network, Input(size=56, mean=network.mean, std=network.std), row)
    first = _of_network(seen)
    assert first.shape == (56, 56) and first.any()
    silent = network.backbone.blocks[-1] if of_branch else network.branch_blocks[-1]
    for parameter in silent.parameters():
        parameter.mul_(0.5)
    assert np.allclose(_of_network(seen), first)
