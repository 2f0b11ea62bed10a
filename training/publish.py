"""Publish a checkpoint as a model: half-precision weights, temperature and model card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from detector.errors import ModelError
from detector.models.card import Card, Input
from detector.models.loaded import load_model
from detector.models.model_files import EXPONENT, HIGH, LOW, MODELS_FOLDER, load_card, read_arrays
from detector.networks.base import create
from detector.statistics.metrics import fit_temperature
from training.data.labelled_sets import marks_metadata
from training.data.sources import open_source
from training.model_card import card_origin, write_card
from training.recipe import Config
from training.train import predict


def publish(
    config: Config, checkpoint: Path, data: Path, failures: Path | None = None, folder: Path = MODELS_FOLDER
) -> Card:
    """Write ``folder/NAME.safetensors`` and its card, with a temperature fitted on the validation split.

    ``failures`` are those that :func:`~training.train.train` was given. :mod:`training.evaluation.evaluate`
    adds the figures later. The card of weights that are published already stays as it is.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    best = state["best"]
    if config.interpolation < 1:  # fine-tuning loses elsewhere part of what it gains on its own data
        best = interpolate_weights(load_model(config.start).network.state_dict(), best, config.interpolation)
    halves = to_half_precision(best)
    network = create(config.architecture)
    network.load_state_dict({n: v.float() if v.is_floating_point() else v for n, v in halves.items()})
    weights = save(halves, marks_metadata(state.get("learnt_from", ())))
    digest = hashlib.sha256(weights).hexdigest()
    try:
        published, file = load_card(folder / f"{config.name}.json")
        if published.sha256 == digest == hashlib.sha256(file.read_bytes()).hexdigest():
            return published
    except ModelError:
        pass  # nothing is published under this name yet
    source = open_source(config, data, checkpoint.parent, config.samples, failures)
    labels, logits = predict(network, source.validation(), torch.device("cpu"))
    origin = card_origin(config, data, failures)
    card = Card(
        name=config.name,
        title=config.title,
        architecture=config.architecture,
        sha256=digest,
        input=Input(size=config.size, mean=config.mean, std=config.std),
        temperature=round(fit_temperature(labels, logits), 4),
        data=origin.data,
        terms=origin.terms,
        recipe=_recipe(config, state["history"]),
        figures={},
        domain_cause=origin.domain,
        limit_causes=origin.limits,
        validated=origin.validated,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{config.name}.safetensors").write_bytes(weights)
    write_card(card, folder)
    return card


def interpolate_weights(first: dict[str, Tensor], last: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Interpolate weights from ``first`` towards ``last`` (WiSE-FT); integers are those of ``last``."""
    return {
        name: value.lerp(last[name], share) if value.is_floating_point() else last[name]
        for name, value in first.items()
    }


def to_half_precision(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert the floats of ``state`` to half precision, as published weights are stored."""
    return {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in state.items()
    }


def to_twelve_bits(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Store the matrices of ``state`` whose names start with ``prefix`` in twelve bits a number.

    :func:`detector.models.model_files.read_tensors` reads them. Doing it again to what was read changes
    nothing.
    """
    out = {}
    for name, value in state.items():
        if value.ndim != 2 or value.shape[1] % 2 or not name.startswith(prefix):
            out[name] = value
            continue
        rows = value.double()
        # The smallest numbers of half precision are multiples of 2 ** -24.
        exponent = (rows.abs().amax(dim=1) / 2047).log2().ceil().clamp(min=-24)
        whole = (rows / exponent.exp2()[:, None]).round().clamp(-2047, 2047).to(torch.int16)
        low = (whole & 15).to(torch.uint8)
        out[name + HIGH] = (whole >> 4).to(torch.int8)
        out[name + LOW] = low[:, 0::2] * 16 + low[:, 1::2]
        out[name + EXPONENT] = exponent.to(torch.int8)
    return out


def as_stored(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return ``state`` as it is read once it was stored with :func:`to_twelve_bits`, as float32."""
    stored = save(to_half_precision(to_twelve_bits(state, prefix)))
    return {name: torch.tensor(value).float() for name, value in read_arrays(stored).items()}


def _recipe(config: Config, history: list[dict[str, float]]) -> tuple[str, ...]:
    start = {"imagenet": "ImageNet weights", "random": "random weights"}.get(
        config.start, f"the weights of {config.start}"
    )
    frozen = f", its first {config.frozen_stages} stages kept as they were" if config.frozen_stages else ""
    best = max(history, key=lambda check: check[f"validation_{config.choose_by}"])
    lines = [
        f"{config.architecture} from {start}{frozen}; square crops of {config.size} px",
        f"{history[-1]['seen']:,} examples in batches of {config.batch}, of which the weights after "
        f"{best['seen']:,} were best on the validation split by {config.choose_by.upper()}; AdamW at "
        f"{config.learning_rate:g} ({config.schedule} schedule), weight decay {config.weight_decay:g}, label "
        f"smoothing {config.label_smoothing:g}, moving average of the weights ({config.average_decay:g}), "
        f"{'bfloat16 autocast' if config.mixed_precision else 'float32'}, seed {config.seed}",
    ]
    if config.interpolation < 1:
        share = f"{config.interpolation:.0%}"
        lines.append(f"Published are weights {share} of the way from the first to the last (WiSE-FT)")
    if config.teacher:
        lines.append(f"Half of the loss is agreement with {config.teacher} (distillation)")
    if config.local_weight:
        lines.append(
            f"A loss of weight {config.local_weight:g} asks blended places to score above an example's mean"
        )
    if config.hidden:
        lines.append(f"{config.hidden:.0%} of the examples of both classes have a part hidden")
    if config.mix is not None:
        mix = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in config.mix if share)
        lines.append(
            f"Mix: {mix}. Blends after the idea of Shiohara and Yamasaki (CVPR 2022) and, for swaps and "
            "reenactment, Li et al. (CVPR 2020), with a face outline fitted to five landmarks"
        )
    if config.sequences is not None:
        lines.append(
            f"Sequences of {config.sequences.shortest} to {config.sequences.longest} frames: clips with one "
            "blend carried through, and animated photographs and crops"
        )
    return (
        *lines,
        "Framing jitter, scaling, colour, blur, noise, JPEG and H.264 compression alike on both classes",
        "Temperature fitted on the validation split; weights stored in half precision",
        *config.notes,
    )
