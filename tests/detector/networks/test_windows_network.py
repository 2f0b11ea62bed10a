"""The second network's branch: beside the tuned blocks, on the same lower ones, it reads windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detector.explain.heatmaps import _of_network
from detector.models.card import Input
from detector.models.loaded import LoadedModel
from detector.networks.base import create
from detector.networks.graphs import (
    ALTERED,
    HEAD,
    INNER,
    PHOTOGRAPH,
    PHOTOGRAPH_ALTERED,
    QUESTIONS,
    READINGS,
    WINDOW_OUTPUTS,
    outputs_of,
    window_outputs,
)
from detector.networks.vit_small_14 import Shape, ViTSmall14PatchHeads
from detector.networks.vit_small_14_windows import ViTSmall14WindowHeads, ViTSmall14Windows
from detector.scoring.fusion import SeenCrop

SMALL = Shape(size=56, width=48, attention_heads=3)
TUNED = READINGS * QUESTIONS


@pytest.fixture
def network() -> ViTSmall14Windows:
    torch.manual_seed(4)
    network = ViTSmall14Windows(SMALL).eval()
    torch.nn.init.normal_(network.window_judge.weight)
    return network.requires_grad_(False)


def test_it_is_known_by_its_name() -> None:
    assert isinstance(create("vit_small_14_windows"), ViTSmall14Windows)


def test_its_logits_are_those_of_both_parts(network: ViTSmall14Windows) -> None:
    tuned, windows = ViTSmall14PatchHeads(SMALL).eval(), ViTSmall14WindowHeads(SMALL).eval()
    state = network.state_dict()
    tuned.load_state_dict({name: state[name] for name in tuned.state_dict()})
    windows.load_state_dict(state)
    crops = torch.randn(2, 3, 56, 56)
    given, of_tuned, of_windows = network(crops), tuned(crops), windows(crops)
    assert given.shape == (2, TUNED + WINDOW_OUTPUTS)
    assert torch.allclose(given[:, TUNED:], of_windows, atol=1e-5)
    shared = outputs_of(PHOTOGRAPH)[ALTERED]
    of_tuned[:, shared] += of_windows[:, PHOTOGRAPH_ALTERED]
    assert torch.allclose(given[:, :TUNED], of_tuned, atol=1e-5)


def test_blocks_that_no_wanted_output_reads_are_skipped(network: ViTSmall14Windows) -> None:
    tokens = network.lower_tokens(torch.randn(1, 3, 56, 56))
    whole = network.score_patches(tokens)
    for output in (
        outputs_of(INNER)[ALTERED],
        outputs_of(PHOTOGRAPH)[ALTERED],
        TUNED + window_outputs(True)[1],
    ):
        assert torch.allclose(
            network.score_patches(tokens, (output,))[:, output], whole[:, output], atol=1e-5
        )


def test_a_branch_with_the_tuned_blocks_gives_their_features(network: ViTSmall14Windows) -> None:
    crops = torch.randn(2, 3, 56, 56)
    assert torch.allclose(network.branch_features(crops), network.features(crops), atol=1e-5)


@pytest.mark.parametrize(("output", "of_branch"), [(TUNED, True), (outputs_of(INNER)[ALTERED], False)])
def test_a_heatmap_is_of_the_blocks_that_say_the_output(
    network: ViTSmall14Windows, output: int, of_branch: bool
) -> None:
    torch.nn.init.normal_(network.judge.weight)
    crop = np.random.default_rng(1).integers(0, 256, (56, 56, 3), np.uint8)
    seen = SeenCrop(crop, network, Input(size=56, mean=network.mean, std=network.std), output)
    first = _of_network(seen)
    assert first.shape == (56, 56) and first.any()
    silent = network.backbone.blocks[-1] if of_branch else network.branch_blocks[-1]
    for parameter in silent.parameters():
        parameter.mul_(0.5)
    assert np.allclose(_of_network(seen), first)


def test_the_shipped_network_runs_as_two_parts(model: LoadedModel) -> None:
    assert model.second_look is not None and model.second_look.parts is not None
    faces, windows = model.second_look.parts
    assert faces.parts is None and windows.parts is None
    assert (faces.card.architecture, windows.card.architecture) == (
        "vit_small_14_patch_heads",
        "vit_small_14_window_heads",
    )
    assert outputs_of(HEAD)[0] < TUNED
