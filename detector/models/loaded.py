"""Models loaded from a card and its weights, checked against each other.

Loading runs no code from the file, and needs torch only where the network itself is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from detector.errors import ModelError
from detector.models.card import Card
from detector.models.card_files import MODELS, load_card, read_second_look, second_look_weights
from detector.models.onnx_file import read_onnx, shape_of
from detector.models.weights import (
    looks_pickled,
    mismatch,
    pickled_error,
    read_arrays,
    read_tensors,
    refuse_wrong_weights,
)
from detector.networks import graphs
from detector.schema.formatting import printable_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from detector.networks.base import Network


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A card and what belongs to it: its checked weights, or a network made of them elsewhere.

    Compared by identity: what runs a model is kept for each one loaded.
    """

    card: Card
    made: Network | None = None
    weights: bytes | None = None
    """The whole safetensors file, its SHA-256 and its tensors checked."""
    second_look: LoadedModel | None = None
    """The network of the second look, if the card names one."""
    file: str | None = None
    """Name of the file of its weights, where ``models/`` does not hold it under the card's name."""

    @property
    def told(self) -> str:
        """How a command names it: by its name, or by its file, as if that lay where the command runs."""
        return self.file or self.card.name

    @property
    def alone(self) -> LoadedModel:
        """The same without a second look: the same object each time, for which what runs it is kept."""
        return self if self.second_look is None else self._alone

    @cached_property
    def _alone(self) -> LoadedModel:
        return replace(self, card=self.card.alone, second_look=None)

    @cached_property
    def network(self) -> Network:
        """The network in evaluation mode, float32 on the CPU. Imports torch, which takes seconds.

        Raises :class:`~detector.errors.ModelError` for an ONNX file, which no network of torch belongs to.
        """
        if self.made is not None:
            return self.made
        if self.card.onnx:
            raise ModelError(
                f"{self.card.name} is an ONNX file, of which only scores can be had. For this a network that "
                "torch knows is needed: choose another model."
            )
        assert self.weights is not None
        return _network(self.card, self.weights)

    def make_networks(self) -> None:
        """Make :attr:`network` here and of the second look, where torch knows them: heatmaps need both."""
        for each in (self, self.second_look):
            if each is not None and not each.card.onnx:
                _ = each.network

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The weights as they are stored, by name: a copy, not kept here."""
        assert self.weights is not None
        return read_arrays(self.weights)

    @cached_property
    def is_sequence(self) -> bool:
        """Whether the network judges a face by the frames around it as well."""
        if self.card.onnx:
            return False
        if self.made is None and (path := graph_path(self)):
            return graphs.gives_features(graphs.read(path))
        from detector.networks.base import SequenceNetwork

        return isinstance(self.network, SequenceNetwork)


def load_model(model: str | Path | None = None) -> LoadedModel:
    """Load and check a model; see :func:`load_card` for what ``model`` may be.

    Raises :class:`ModelError` when the weights' SHA-256 is not the card's, or when
    tensors do not fit the architecture.
    """
    card, weights = load_card(model)
    return with_second_look(load_pair(card, weights), weights)


def with_second_look(model: LoadedModel, weights: Path) -> LoadedModel:
    """``model`` with the second look that lies beside its ``weights``, if there is one.

    Raises :class:`ModelError` for one that cannot be used.
    """
    found = read_second_look(model.card, weights)
    if found is None:
        return model
    card = model.card.model_copy(update={"second_look": found})
    second = load_pair(found.as_card(found.name), second_look_weights(weights))
    return replace(model, card=card, second_look=second)


def load_pair(card: Card, weights: Path) -> LoadedModel:
    """The model of ``card`` with the weights in the file ``weights``, without any second look.

    Raises :class:`ModelError` as :func:`load_model` does.
    """
    data = weights.read_bytes()
    if looks_pickled(data[:16], len(data)):
        raise pickled_error(weights.name)
    refuse_wrong_weights(weights.name, hashlib.sha256(data).hexdigest(), card.sha256)
    named = weights.resolve() == (MODELS / f"{card.name}{card.suffix}").resolve()
    model = LoadedModel(card.alone, weights=data, file=None if named else printable_name(weights.name))
    if card.onnx:
        shape_of(read_onnx(data, weights.name), card.input.size, weights.name)
        return model
    path = graph_path(model)
    # A graph says what tensors there must be; without one torch has to be asked.
    wanted = graphs.wanted(graphs.read(path)) if path else _wanted(card.architecture)
    try:
        given = read_tensors(data)
    except ValueError as error:
        reason = " ".join(str(error).split())[:120]
        raise ModelError(
            f"{weights.name} is no whole safetensors file ({reason}). Fetch or publish the model again."
        ) from None
    if reason := mismatch(wanted, given):
        raise ModelError(
            f"{weights.name} does not fit architecture {card.architecture}: {reason}. "
            "Correct the card's architecture, or publish the model again."
        )
    return model


def _wanted(architecture: str) -> dict[str, graphs.TensorKind]:
    from detector.networks.base import create

    return kinds_of(create(architecture).state_dict())


def kinds_of(state: Mapping[str, Tensor]) -> dict[str, graphs.TensorKind]:
    """What a network's tensors are, by name."""
    return {
        name: graphs.TensorKind(tuple(value.shape), value.is_floating_point())
        for name, value in state.items()
    }


def _network(card: Card, weights: bytes) -> Network:
    import torch
    from safetensors.torch import load

    from detector.networks.base import create

    network = create(card.architecture)
    network.load_state_dict(
        {n: value.float() if value.is_floating_point() else value for n, value in load(weights).items()}
    )
    network.eval()
    network.requires_grad_(False)
    return network.to(memory_format=torch.channels_last)


def graph_path(model: LoadedModel) -> Path | None:
    """The shipped graph of a model's architecture and size, if there is one."""
    if model.card.onnx:  # whose architecture is free text
        return None
    return graphs.shipped(model.card.architecture, model.card.input.size)
