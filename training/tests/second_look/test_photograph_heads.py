"""The heads for photographs: what they learn from, and that the others stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from second_look_cases import SIZE, assert_only_heads_changed, patch, state_of, tiny_network

from detector.faces.crop import HEAD
from detector.faces.patch import decode_jpeg
from detector.networks.graphs import PHOTOGRAPH, outputs_of
from training.second_look.examples.patches import Patch, RoleError
from training.second_look.examples.sampling import resaved_crop
from training.second_look.fitting.patch_scores import logits
from training.second_look.linear_heads import (
    PhotographPatch,
    fit_photograph_heads,
    photograph_examples,
    without_photograph_heads,
)

GENERATED = {"generator": "stylegan2", "family": "generated picture"}
COMPOSITE = {"generator": "photoshop", "family": "composite"}


def still(seed: int, **changes: object) -> Patch:
    return patch(seed, fake="generator" in changes, source="stills", file=f"{seed}-{changes}.jpg", **changes)


def test_stills_count_twice_and_clips_once() -> None:
    frames = [patch(number, frame=frame) for number in range(2) for frame in range(6)]
    made = photograph_examples([still(1), still(2, **GENERATED), *frames, patch(9, source="lfw")])
    assert sorted((example.patch.source, example.patch.frame, example.resaved) for example in made) == [
        ("clips", 3, False),
        ("clips", 3, False),
        *[("stills", 0, saved) for saved in (False, False, True, True)],
    ]
    assert {example.targets for example in made if example.patch.source == "stills"} == {(0, 0), (-1, 1)}
    with pytest.raises(RoleError):
        PhotographPatch(still(1, role="val"))


def test_a_picture_saved_again_follows_from_its_name() -> None:
    example = PhotographPatch(still(3), resaved=True)
    assert np.array_equal(example.crop(56), example.crop(56))
    assert not np.array_equal(example.crop(56), PhotographPatch(example.patch).crop(56))
    other = PhotographPatch(still(3, frame=1), resaved=True)
    assert not np.array_equal(example.crop(56), other.crop(56))


@pytest.mark.parametrize("seed", range(6))
def test_what_is_saved_again_shows_the_same_face(seed: int) -> None:
    made = still(5)
    crop = resaved_crop(made, HEAD, 56, np.random.default_rng(seed))
    assert crop.shape == (56, 56, 3) and crop.dtype == np.uint8
    whole = decode_jpeg(made.data)
    assert np.abs(crop.mean(axis=(0, 1)) - whole.mean(axis=(0, 1))).max() < 12


def test_they_are_fitted_and_nothing_else_is() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = tiny_network()
    real = [still(number) for number in range(12)]
    fake = [still(number, **kind) for number in range(20, 26) for kind in (GENERATED, COMPOSITE)]
    without_photograph_heads(network)
    before = state_of(network)
    fit_photograph_heads(network, photograph_examples(real + fake), lambda line: None)
    own = list(outputs_of(PHOTOGRAPH))
    assert bool(network.judge.weight[own].any(dim=1).all())
    assert_only_heads_changed(network, before, own)
    scores = [logits(network, some, PHOTOGRAPH).mean(axis=0) for some in (real, fake)]
    assert (scores[1] > scores[0]).all()
    assert network.size == SIZE
