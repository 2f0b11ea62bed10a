"""Made patches and a tiny network, shared by the tests of the second look."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from detector.faces.patch import encode
from detector.models.card import FusionHalf, Input, SecondLookCard
from detector.networks.vit_small_14 import Shape, ViTSmall14
from detector.schema.model import Platt
from detector.training.second_look.examples.kinds import family
from detector.training.second_look.examples.patches import Patch

SIZE = 28
TINY = Shape(size=SIZE, taps=(1, 2), dropout=0.1, width=24, depth=2, attention_heads=2)


def tiny_network() -> ViTSmall14:
    """A random network; the same after the same ``torch.manual_seed``."""
    network = ViTSmall14(TINY)
    network.judge.weight.data.mul_(0.1)
    return network


def state_of(network: ViTSmall14) -> dict[str, torch.Tensor]:
    """A copy of all its tensors."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def assert_only_heads_changed(network: ViTSmall14, before: dict[str, torch.Tensor], own: int | slice) -> None:
    """The heads of the rows ``own`` differ from the state ``before``, and nothing else does."""
    for name, value in network.state_dict().items():
        kept = value.clone()
        if name.startswith("judge."):
            assert not torch.equal(kept[own], before[name][own])
            kept[own] = before[name][own]
        assert torch.equal(kept, before[name]), name


def picture(seed: int, fake: bool, side: int = 96) -> np.ndarray:
    """Noise; fakes are red, which degradations do not hide."""
    rng = np.random.default_rng(seed)
    image = rng.integers(60, 120, (side, side, 3), np.uint8)
    image[..., 0 if fake else 2] += 110
    return image


def patch(seed: int = 0, fake: bool = False, **changes: object) -> Patch:
    """A patch of a clip of role ``train``, with a face in its middle."""
    generator = "Deepfakes" if fake else "none"
    file, box = f"{seed}-{fake}.mp4", (30.0, 28.0, 66.0, 74.0)
    made = Patch(
        encode(picture(seed, fake)), 96, 96, box, 0.0, 1.0, "clips", file, 0,
        fake, generator, family(generator, fake), f"ffpp-{seed}", "", "train", "place",
    )  # fmt: skip
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def idle_card() -> SecondLookCard:
    """A card on which nothing has been fitted yet."""
    half = FusionHalf(inputs=("fast",), centre=(0.0,), spread=(1.0,), weight=(1.0,), bias=0.0)
    colours = (0.5, 0.5, 0.5)
    return SecondLookCard(
        name="trial",
        of="0" * 64,
        architecture="vit_small_14",
        sha256="0" * 64,
        input=Input(size=168, mean=colours, std=colours),
        altered=half,
        synthesised=half,
        probability=Platt(scale=1.0, offset=0.0),
    )
