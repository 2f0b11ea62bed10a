"""The network of a file of weights, and what it and the scan say of patches: the inputs of the fusion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from detector.faces.framing import HEAD, INNER
from detector.networks.framings import FramingNetwork
from detector.networks.vit_small_14 import ViTSmall14, network_from
from detector.scoring.scorer import Scorer
from detector.training.second_look.examples.patches import Patch
from detector.training.second_look.fitting.patch_scores import logits, scan_logits


def read_network(weights: Path) -> ViTSmall14:
    """The network of a checkpoint, or of weights as they ship."""
    if weights.suffix == ".safetensors":
        return network_from(load_file(weights))
    return network_from(torch.load(weights, map_location="cpu", weights_only=True))


def fusion_columns(
    network: FramingNetwork, scorer: Scorer, patches: Sequence[Patch], head: int = HEAD
) -> NDArray[np.float64]:
    """The inputs (n, 5) of the fusion for each patch, the whole head as the reading ``head`` has it."""
    seen = [logits(network, patches, reading) for reading in (INNER, head)]
    return np.column_stack([scan_logits(scorer, patches), *seen]).astype(np.float64)
