"""Write a checkpoint as weights and a description; refused where it still is the pretrained start."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from detector.errors import ModelError
from detector.files import write_atomically
from detector.networks.vit_small_14 import MEAN, STD, pretrained_state
from detector.training.second_look.framing import FRAMINGS, HEAD_PER_BOX
from detector.training.second_look.report import fusion_path, read_network

LEAST_MOVED = 0.02  # relative Frobenius norm


class NotTrainedError(ModelError):
    """Matrices are still (nearly) those of the pretrained start."""


class PrecisionError(ModelError):
    """A tensor does not fit half precision."""


def moved(state: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> dict[str, float]:
    """How far each matrix of ``state`` lies from the nearest of ``start`` of the same shape."""
    matrices = [value.float() for name, value in start.items() if name.endswith("weight") and value.ndim > 1]
    out = {}
    for name, value in state.items():
        far = [((value.float() - m).norm() / m.norm()).item() for m in matrices if m.shape == value.shape]
        if far:
            out[name] = min(far)
    return out


def ship(weights: Path, pretrained: Path, folder: Path, name: str, report: Callable[[str], None]) -> Path:
    """Write ``NAME.safetensors`` (float16) and ``NAME.json`` to ``folder``.

    Raises :class:`NotTrainedError` or :class:`PrecisionError`.
    """
    network = read_network(weights)
    tensors = {key: value.to(torch.float16).contiguous() for key, value in network.state_dict().items()}
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise PrecisionError(f"{weights}: a tensor does not fit half precision.")
    distances = moved(tensors, pretrained_state(pretrained))
    least = min(distances, key=lambda key: distances[key])
    report(f"least moved of {len(distances)} matrices: {least}, by {distances[least]:.2%}")
    near = [key for key, value in distances.items() if value < LEAST_MOVED]
    if near:
        raise NotTrainedError(
            f"{weights}: {len(near)} of {len(distances)} matrices lie within {LEAST_MOVED:.0%} of the "
            f"pretrained start ({least}: {distances[least]:.2%}). Train on, with falling=1.0 at the end."
        )
    data = save(tensors)
    described = {
        "name": name,
        "architecture": "vit_small_14",
        "sha256": hashlib.sha256(data).hexdigest(),
        "input": {"size": network.shape.size, "mean": MEAN, "std": STD},
        "framings": {"names": FRAMINGS, "head_per_box": HEAD_PER_BOX},
        "heads": ["altered", "synthesised"],
        "shape": asdict(network.shape),
    }
    fitted = fusion_path(weights)
    if fitted.exists():
        described["fusion"] = json.loads(fitted.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    write_atomically(path, data)
    write_atomically(path.with_suffix(".json"), (json.dumps(described, indent=1) + "\n").encode())
    return path
