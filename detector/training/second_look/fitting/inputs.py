"""The network of a file of weights, and what it and the scan say of patches: the inputs of the fusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from detector.errors import ModelError
from detector.faces.framing import HEAD, INNER
from detector.models.loaded import kinds_of
from detector.models.weights import StoredTensor, mismatch
from detector.networks.base import create
from detector.networks.framing_network import FramingNetwork
from detector.networks.vit_small_14 import ViTSmall14
from detector.networks.vit_small_14_patch_heads import ViTSmall14PatchHeads
from detector.scoring.fusion import fusion_inputs
from detector.scoring.scorer import Scorer
from detector.training.second_look.examples.patches import Patch
from detector.training.second_look.fitting.patch_scores import logits, scan_logits


def read_network(weights: Path, architecture: str | None = None) -> FramingNetwork:
    """The network of a checkpoint, or of weights as they ship, in evaluation mode.

    Without a name its ``architecture`` is what the head of a safetensors file says, or that
    of the shipped ones, with heads for patches or without.
    Raises :class:`~detector.errors.ModelError` for tensors or a name that are of no such network.
    """
    stated, state = _stored(weights)
    name = architecture or stated or _shipped(state)
    network = create(name)
    if not isinstance(network, FramingNetwork):
        raise ModelError(f"{name} is no FramingNetwork, as those of the second look are. Name another.")
    given = {
        tensor: StoredTensor("F32" if kind.floating else "I64", kind.shape, b"")
        for tensor, kind in kinds_of(state).items()
    }
    if reason := mismatch(kinds_of(network.state_dict()), given):
        raise ModelError(
            f"{weights} does not fit architecture {name}: {reason}. Give weights of that architecture, or "
            "`report` and `fit` the name of theirs (--architecture)."
        )
    network.load_state_dict(state)
    return network.eval()


def _shipped(state: Mapping[str, Tensor]) -> str:
    has_patch_heads = any(name.startswith("patch_") for name in state)
    return (ViTSmall14PatchHeads if has_patch_heads else ViTSmall14).architecture


def _stored(weights: Path) -> tuple[str | None, dict[str, Tensor]]:
    """The architecture that a file of weights states, and its tensors."""
    if weights.suffix == ".safetensors":
        with safe_open(weights, "pt") as head:
            stated = (head.metadata() or {}).get("architecture")
        return stated, load_file(weights)
    state = torch.load(weights, map_location="cpu", weights_only=True)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(
            f"{weights} holds more than a network's tensors. Give a file of its state_dict alone."
        )
    return None, dict(state)


def fusion_columns(
    network: FramingNetwork, scorer: Scorer, patches: Sequence[Patch], head: int = HEAD
) -> NDArray[np.float64]:
    """The inputs (n, 5) of the fusion for each patch, the whole head as the reading ``head`` has it."""
    seen = [logits(network, patches, reading) for reading in (INNER, head)]
    return fusion_inputs(scan_logits(scorer, patches), np.column_stack(seen))
