"""The network for photographs: what it learns from, and that it learns it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from second_look_cases import patch, tiny_network

from detector.faces.framing import HEAD
from detector.faces.patch import decode
from detector.networks.readings import HEADS, PHOTOGRAPH
from detector.training.second_look.examples.crops import photograph_crop, resaved_crop
from detector.training.second_look.examples.patches import Patch, RoleError
from detector.training.second_look.examples.sampling import Sampler
from detector.training.second_look.fitting.measuring import logits
from detector.training.second_look.photograph_network import (
    SHARES,
    TUNED,
    PhotographExample,
    photograph_examples,
    tune_for_photographs,
)

GENERATED = {"generator": "stylegan2", "family": "generated picture"}
COMPOSITE = {"generator": "photoshop", "family": "composite"}


def still(seed: int, **changes: object) -> Patch:
    return patch(seed, fake="generator" in changes, source="stills", file=f"{seed}-{changes}.jpg", **changes)


def stills(first: int, count: int) -> tuple[list[Patch], list[Patch]]:
    """Photographs, and as many manipulated pictures of both kinds."""
    numbers = range(first, first + count)
    real = [still(number) for number in numbers]
    return real, [still(number, **kind) for number in numbers for kind in (GENERATED, COMPOSITE)]


def test_only_heads_of_role_train_are_drawn() -> None:
    real, fake = stills(0, 6)
    frames = [patch(number, frame=frame) for number in range(2) for frame in range(3)]
    tight = [patch(number, source="utkface", file=f"{number}.jpg") for number in range(6)]
    sampler = Sampler([*real, *fake, *frames, *tight], shares=SHARES)
    drawn = photograph_examples(sampler, 300, np.random.default_rng(0))
    assert len(drawn) == 300
    assert {one.patch.source for one in drawn} == {"stills", "clips"}, "tight ones show no head"
    of_stills = [one for one in drawn if one.patch.source == "stills"]
    assert 0.4 < np.mean([one.patch.fake for one in of_stills]) < 0.6
    assert {one.targets for one in of_stills} == {(0, 0), (-1, 1), (1, -1)}
    with pytest.raises(RoleError):
        PhotographExample(still(1, role="val"), 0)


def test_an_example_follows_from_its_seed() -> None:
    one = PhotographExample(still(3), 7)
    assert np.array_equal(one.crop(56), one.crop(56))
    assert not np.array_equal(one.crop(56), PhotographExample(one.patch, 8).crop(56))


@pytest.mark.parametrize("made", [still(5), patch(5)])
def test_an_example_shows_the_same_face_whatever_is_drawn(made: Patch) -> None:
    whole, changed = decode(made.data).mean(axis=(0, 1)), []
    for seed in range(40):
        crop = photograph_crop(made, 56, np.random.default_rng(seed))
        assert crop.shape == (56, 56, 3) and crop.dtype == np.uint8
        changed.append(np.abs(crop.mean(axis=(0, 1)) - whole).max())
    assert np.median(changed) < 12 < max(changed), "tones change now and then"


@pytest.mark.parametrize("seed", range(6))
def test_what_is_saved_again_shows_the_same_face(seed: int) -> None:
    made = still(5)
    crop = resaved_crop(made, HEAD, 56, np.random.default_rng(seed))
    assert crop.shape == (56, 56, 3) and crop.dtype == np.uint8
    whole = decode(made.data)
    assert np.abs(crop.mean(axis=(0, 1)) - whole.mean(axis=(0, 1))).max() < 12


def test_it_learns_what_photographs_are_not() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = tiny_network()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        half = dataclasses.replace(TUNED, examples=96, batch=8, warm_up=2)
        lines: list[str] = []
        real, fake = stills(0, 12)
        tune_for_photographs(network, real + fake, half, lines.append)
    assert lines[-1].startswith("photographs: step 0 of 12") and not network.training
    after = network.state_dict()
    same = [name for name in after if torch.equal(after[name], before[name])]
    assert set(same) <= {"centre", "spread", "backbone.mask_token", "backbone.reg_token"}, "all is tuned"
    own = slice(HEADS * PHOTOGRAPH, HEADS * (PHOTOGRAPH + 1))
    assert bool(network.judge.weight[own].any(dim=1).all())
    told = [logits(network, some, PHOTOGRAPH).mean(axis=0) for some in stills(30, 12)]
    assert (told[1] > told[0]).all(), "of pictures it has not seen"
