"""Made patches and a tiny network, shared by the tests of the second look."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor, nn

from detector.faces.patch import encode_jpeg
from detector.models.card import FusionHalf, Input, SecondLookCard
from detector.networks.graphs import QUESTIONS, READINGS
from detector.networks.vit_small_14 import FramingNetwork, Shape, ViTSmall14
from detector.schema.model import Platt
from detector.scoring.person_look import PersonLook
from training.second_look.examples.patches import Patch, family
from training.second_look.fitting.exhibits import ClipRecord, PersonRecord

SIZE = 28
TINY = Shape(size=SIZE, taps=(1, 2), dropout=0.1, width=24, depth=2, attention_heads=2)


def tiny_network() -> ViTSmall14:
    """A random network; the same after the same ``torch.manual_seed``."""
    network = ViTSmall14(TINY)
    network.judge.weight.data.mul_(0.1)
    return network


class SmallFramings(FramingNetwork):
    """A second network of another architecture than the shipped one."""

    architecture = "small_framings"
    size = 32
    mean = std = (0.5, 0.5, 0.5)

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.judge = nn.Linear(8, READINGS * QUESTIONS)

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        return (self.look,)

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.judge(self.look(crops).relu().mean(dim=(2, 3)))
        return logits


def state_of(network: ViTSmall14) -> dict[str, torch.Tensor]:
    """A copy of all its tensors."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def assert_only_heads_changed(
    network: ViTSmall14, before: dict[str, torch.Tensor], own: int | list[int]
) -> None:
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
        encode_jpeg(picture(seed, fake)), 96, 96, box, 0.0, 1.0, "clips", file, 0,
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


def clip_record(number: int, fake: bool) -> ClipRecord:
    """A clip of one person whose scan and second look tell the classes apart, more or less."""
    rng = np.random.default_rng(number)
    time = np.arange(24) / 8
    second_logits = rng.normal(2.6 * fake, 1.0, (4, 4))
    level, track = float(rng.normal(2.0 * fake)), np.zeros(len(second_logits), np.int32)
    scanned = np.full(len(second_logits), level)
    look = PersonLook(
        (0,), (), track, time[::6], second_logits, scanned, level, np.ones(len(second_logits), bool)
    )
    scan = np.full(24, look.scan_level)
    person = PersonRecord(np.zeros(24, np.int32), time, scan, look)
    kind = ("swap", "talking head")[number % 4 // 2] if fake else "real"
    return ClipRecord(f"{number}.mp4", fake, kind, f"group {number // 4}", (person,))
