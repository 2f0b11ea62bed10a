"""Write a checkpoint as weights and a description; refused where it still is the pretrained start."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from detector.errors import ModelError
from detector.files import write_atomically
from detector.models.card import FusionHalf, Input, NetworkFile, SecondLookCard
from detector.models.card_files import load_card, second_look_path
from detector.models.loaded import LoadedModel
from detector.models.weights import refuse_wrong_weights
from detector.networks.framing_network import FramingNetwork
from detector.networks.vit_small_14 import ViTSmall14, pretrained_state
from detector.progress import ReportText
from detector.schema.model import Platt
from detector.training.publish.card_writing import write_second_look
from detector.training.publish.publish import in_half_precision
from detector.training.second_look.card_text import DATA, DOMAIN, LEARNT, LIMITS
from detector.training.second_look.fitting.inputs import read_network
from detector.training.second_look.run_files import pretrained

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


def tensors_of(weights: Path, architecture: str | None = None) -> tuple[FramingNetwork, bytes]:
    """What :func:`read_network` gives, and its safetensors file (float16); raises :class:`PrecisionError`."""
    network = read_network(weights, architecture)
    tensors = in_half_precision(network.state_dict())
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise PrecisionError(f"{weights}: a tensor does not fit half precision.")
    return network, save(tensors)


def loaded_with(scan: LoadedModel, weights: Path, architecture: str | None = None) -> LoadedModel:
    """``scan`` with the checkpoint as its second look, neither fused nor calibrated yet."""
    file, data = _network_file(weights, architecture)
    name = file.architecture.replace("_", "-")
    idle = FusionHalf(inputs=("fast",), centre=(0.0,), spread=(1.0,), weight=(1.0,), bias=0.0)
    columns = ("inner altered", "head altered", "inner synthesised", "head synthesised")
    silent = FusionHalf(inputs=columns, centre=(0.0,) * 4, spread=(1.0,) * 4, weight=(0.0,) * 4, bias=-60.0)
    second = LoadedModel(file.as_card(name), weights=data)
    described = SecondLookCard(
        **dict(file),
        name=name,
        of=scan.card.sha256,
        altered=idle,
        synthesised=silent,
        probability=Platt(scale=1.0, offset=0.0),
    )
    card = scan.card.model_copy(update={"second_look": described})
    return LoadedModel(card, weights=scan.weights, second_look=second)


def _network_file(weights: Path, architecture: str | None) -> tuple[NetworkFile, bytes]:
    network, data = tensors_of(weights, architecture)
    given = Input(size=network.size, mean=network.mean, std=network.std)
    digest = hashlib.sha256(data).hexdigest()
    return NetworkFile(architecture=network.architecture, sha256=digest, input=given), data


def require_trained(data: bytes, start: Path, report: ReportText) -> None:
    """Raise :class:`NotTrainedError` where the transformer's matrices are still those of its start."""
    distances = moved(load(data), pretrained_state(start))
    least = min(distances, key=lambda key: distances[key])
    report(f"least moved of {len(distances)} matrices: {least}, by {distances[least]:.2%}")
    near = [key for key, value in distances.items() if value < LEAST_MOVED]
    if near:
        raise NotTrainedError(
            f"{len(near)} of {len(distances)} matrices lie within {LEAST_MOVED:.0%} of the "
            f"pretrained start ({least}: {distances[least]:.2%}). Train its half on (`upper`, `lower`)."
        )


def ship(
    weights: Path,
    fitted: SecondLookCard,
    data: Path,
    models: Path,
    model: str,
    recipe: Sequence[str],
    report: ReportText,
) -> Path:
    """Write the checkpoint and what was ``fitted`` to ``models``/second-look, under the name of ``model``.

    ``recipe`` says in words how it was trained. The pretrained start, which the shipped architecture alone
    is compared with, lies in the folder ``data``.

    Raises :class:`NotTrainedError`, :class:`PrecisionError` or, where it was fitted for other weights,
    :class:`~detector.errors.ModelError`.
    """
    network, tensors = tensors_of(weights, fitted.architecture)
    refuse_wrong_weights(weights.name, hashlib.sha256(tensors).hexdigest(), fitted.sha256)
    if isinstance(network, ViTSmall14):
        require_trained(tensors, pretrained(data), report)
    card, scan_weights = load_card(models / f"{model}.json")
    told = fitted.model_copy(
        update={
            "of": card.sha256,
            "domain": DOMAIN,
            "limits": LIMITS,
            "learnt": LEARNT,
            "data": DATA,
            "recipe": tuple(recipe),
        }
    )
    path = second_look_path(scan_weights)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_suffix(".safetensors"), tensors)
    write_second_look(told, path)
    return path.with_suffix(".safetensors")
