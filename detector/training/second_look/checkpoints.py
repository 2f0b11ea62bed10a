"""Networks of checkpoints, and of weights as they ship."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from detector.networks.vit_small_14 import ViTSmall14


def read_network(weights: Path) -> ViTSmall14:
    """The network of a checkpoint (``.pt``) or of weights as they ship, in evaluation mode."""
    if weights.suffix == ".safetensors":
        return network_from(load_file(weights))
    return network_from(torch.load(weights, map_location="cpu", weights_only=True))


def network_from(state: Mapping[str, Tensor]) -> ViTSmall14:
    """The network with the weights of ``state``, in evaluation mode."""
    network = ViTSmall14()
    network.load_state_dict(dict(state))
    return network.eval()
