"""Features are kept in chunks: an interrupted set goes on, processes share it, and rows keep their order."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.errors import ParameterError
from detector.media.frame import Image
from detector.networks.vit_small_14 import Shape
from detector.networks.vit_small_14_windows import ViTSmall14Windows
from training.unseen import features
from training.unseen.families import REAL
from training.unseen.features import FeatureSet, Runner, keep_features
from training.unseen.samples import Draw, Sample


@pytest.fixture
def network() -> ViTSmall14Windows:
    torch.manual_seed(3)
    network = ViTSmall14Windows(Shape(size=56, width=48, attention_heads=3)).eval()
    return network.requires_grad_(False)


def _drawn(count: int) -> list[tuple[list[Sample], Draw]]:
    """A crop each, every fifth a pair."""
    rng = np.random.default_rng(6)
    out: list[tuple[list[Sample], Draw]] = []
    for number in range(count):
        variants = ("original", "twin") if number % 5 == 0 else ("plain",)
        crops: list[Image] = [rng.integers(0, 256, (56, 56, 3), np.uint8) for _ in variants]
        samples = [Sample(f"f{number}", 0, REAL, REAL, "", "train", "clips", "", name) for name in variants]
        out.append((samples, partial(list, crops)))
    return out


def test_two_processes_keep_what_the_network_gives(
    network: ViTSmall14Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "_CHUNK", 4)
    monkeypatch.setattr(features, "knows_bfloat16", lambda: False)  # which would round
    lines: list[str] = []
    drawn, run = _drawn(10), Runner(network)
    for share in ((1, 2), (0, 2), (0, 1)):
        keep_features(run, drawn, tmp_path, share, lines.append)
    assert len(lines) == 3  # three chunks, none of them made twice
    kept = FeatureSet.read(tmp_path)
    assert kept.samples == [sample for samples, _ in drawn for sample in samples]
    crops = np.stack([crop for _, draw in drawn for crop in draw()])
    given = network.normalise(torch.from_numpy(crops))
    assert np.allclose(kept.features, network.branch_features(given).numpy(), atol=1e-2)


def test_an_incomplete_set_is_read_as_far_as_it_is(
    network: ViTSmall14Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "_CHUNK", 4)
    keep_features(Runner(network), _drawn(10), tmp_path, (0, 2), lambda line: None)
    kept = FeatureSet.read(tmp_path)
    assert [sample.file for sample in kept.samples if sample.variant != "twin"] == ["f0", "f1", "f2", "f3"]
    assert np.isfinite(kept.features).all()


def test_without_features_the_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="step `features`"):
        FeatureSet.read(tmp_path)
