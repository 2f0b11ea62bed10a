"""What is shipped as a second look, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from detector.errors import ModelError
from detector.models.loaded import load_model
from detector.networks.vit_small_14 import ViTSmall14
from training.second_look.ship import (
    LEAST_MOVED,
    NotTrainedError,
    load_with_checkpoint,
    relative_changes,
    require_trained,
    ship,
    tensors_of,
)
from training.second_look.transformer_blocks import new_network

pytestmark = pytest.mark.usefixtures("one_seed")


def test_what_lies_near_the_start_is_told() -> None:
    start = {"blocks.0.weight": torch.randn(8, 8), "blocks.1.weight": torch.randn(8, 8)}
    near = start["blocks.1.weight"] * (1 + LEAST_MOVED / 2)
    distances = relative_changes(
        {"near": near, "far": torch.randn(8, 8), "other shape": torch.randn(3, 3)}, start
    )
    assert distances["near"] == pytest.approx(LEAST_MOVED / 2, rel=1e-3)
    assert distances["far"] > 0.5
    assert "other shape" not in distances


def test_the_start_itself_is_refused(data: Path, tmp_path: Path) -> None:
    pretrained = data / "pretrained" / "vit-small-14.int8.safetensors"
    if not pretrained.is_file():
        pytest.skip(f"no {pretrained}")
    network = new_network(pretrained)
    torch.save(network.state_dict(), tmp_path / "start.pt")
    again, stored = tensors_of(tmp_path / "start.pt")
    assert isinstance(again, ViTSmall14) and again.shape == network.shape
    with pytest.raises(NotTrainedError, match=r"45 of"):
        require_trained(stored, pretrained, lambda line: None)


def test_what_was_fitted_for_other_weights_is_not_shipped(tmp_path: Path) -> None:
    torch.save(ViTSmall14().state_dict(), tmp_path / "one.pt")
    model = load_with_checkpoint(load_model(), tmp_path / "one.pt")
    fitted = model.card.second_look
    assert fitted is not None and model.second_look is not None
    other = fitted.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(ModelError, match="one.pt"):
        ship(tmp_path / "one.pt", other, tmp_path / "none", tmp_path, "reelproof", [], lambda line: None)
    assert not (tmp_path / "second-look").exists()
