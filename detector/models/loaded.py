"""Load models from card and weights, and validate models from third parties."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from detector.errors import ModelError, ParameterError
from detector.models.card import Card, is_model_name
from detector.models.model_files import (
    MODELS_FOLDER,
    find_mismatch,
    is_pickled_name,
    load_card,
    looks_pickled,
    pickled_error,
    read_arrays,
    read_card,
    read_second_look,
    read_tensors,
    refuse_wrong_weights,
    second_look_weights,
)
from detector.models.onnx_file import FILE_LIMIT, find_shape, read_onnx
from detector.networks import graphs
from detector.schema.formatting import N_, find_invisible, printable_name
from detector.schema.method import MOST_OTHERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from detector.networks.base import Network


_Asked = TypeVar("_Asked")


def refuse_model_combination(first: str, others: Sequence[_Asked], name_of: Callable[[_Asked], str]) -> None:
    """Raise :class:`ParameterError` for too many ``others``, :class:`ModelError` for one named twice.

    ``first`` is the name of the first model's card; ``name_of`` gives that of each other one.
    """
    if len(others) > MOST_OTHERS:
        raise ParameterError(
            N_("At most %(most_others)s other models can be asked for in one analysis.")
            % {"most_others": MOST_OTHERS}
        )
    names = {first}
    for one in others:
        name = name_of(one)
        if name in names:
            raise ModelError(N_("The model %(name)s is named twice. Name each model once.") % {"name": name})
        names.add(name)


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
            return graphs.outputs_features(graphs.read_graph(path))
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
    named = weights.resolve() == (MODELS_FOLDER / f"{card.name}{card.suffix}").resolve()
    model = LoadedModel(card.alone, weights=data, file=None if named else printable_name(weights.name))
    if card.onnx:
        find_shape(read_onnx(data, weights.name), card.input.size, weights.name)
        return model
    path = graph_path(model)
    # A graph says what tensors there must be; without one torch has to be asked.
    wanted = graphs.graph_tensors(graphs.read_graph(path)) if path else _wanted(card.architecture)
    try:
        given = read_tensors(data)
    except ValueError as error:
        reason = " ".join(str(error).split())[:120]
        raise ModelError(
            f"{weights.name} is no whole safetensors file ({reason}). Fetch or publish the model again."
        ) from None
    if reason := find_mismatch(wanted, given):
        raise ModelError(
            f"{weights.name} does not fit architecture {card.architecture}: {reason}. "
            "Correct the card's architecture, or publish the model again."
        )
    return model


def _wanted(architecture: str) -> dict[str, graphs.TensorKind]:
    from detector.networks.base import create

    return tensor_kinds(create(architecture).state_dict())


def tensor_kinds(state: Mapping[str, Tensor]) -> dict[str, graphs.TensorKind]:
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
    return graphs.shipped_graph(model.card.architecture, model.card.input.size)


CARD_LIMIT = 64_000
"""Bytes of the longest card accepted; the shipped ones have a few thousand."""
WEIGHTS_LIMIT = 100_000_000
"""Bytes of the largest weights accepted: twice the largest architecture in single precision."""


def refuse_long_card(size: int) -> None:
    """Raise :class:`ModelError` for a card of more bytes than are accepted."""
    if size > CARD_LIMIT:
        raise ModelError(
            N_(
                "The model card has %(size)s bytes, and at most %(card_limit)s are accepted. Choose "
                "the card (JSON), not the weights, or shorten it."
            )
            % {"size": f"{size:,}", "card_limit": f"{CARD_LIMIT:,}"}
        )


def check_card(data: bytes) -> Card:
    """The card in ``data``, if a stranger's card may be taken in; :class:`ModelError` if not."""
    refuse_long_card(len(data))
    card = read_card(data, N_("handed in"))
    refuse_other_name(card)
    for text in _texts(card.model_dump()):
        if find_invisible(text):
            raise ModelError(
                N_(
                    "The model card holds control or direction characters, which can make text look "
                    "like what it is not. Remove them from the card."
                )
            )
    return card


def refuse_other_name(card: Card) -> None:
    """Raise :class:`ModelError` for a card whose name may not be that of a file."""
    if not is_model_name(card.name):
        raise ModelError(
            N_(
                "The model card's name cannot be used. A name has at most 60 small letters, digits "
                "and hyphens and starts with a letter or digit; change it in the card."
            )
        )


def _texts(value: Any) -> Iterator[str]:
    """Every string in nested dicts and sequences, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def check_weights(card: Card, weights: Path, name: str, sha256: str | None = None) -> None:
    """Refuse weights that cannot be the card's, before anything looks inside them.

    ``name`` is the file's own name, ``sha256`` its hash if known already. Raises :class:`ModelError`.
    """
    size = weights.stat().st_size
    with weights.open("rb") as file:
        head = file.read(16)
        if is_pickled_name(name) or looks_pickled(head, size):
            raise pickled_error(name)
        most = FILE_LIMIT if card.onnx else WEIGHTS_LIMIT
        if not 0 < size <= most:
            raise ModelError(
                N_(
                    "%(name)s has %(size)s bytes; weights have at most %(most)s, and more than none. "
                    "Store them in half precision."
                )
                % {"name": name, "size": f"{size:,}", "most": f"{most:,}"}
            )
        file.seek(0)
        found = sha256 or hashlib.file_digest(file, "sha256").hexdigest()
        refuse_wrong_weights(name, found, card.sha256)


def check_pair(card: bytes, weights: Path) -> LoadedModel:
    """Everything: the card, the weights' hash, every tensor's shape, and that a face gets a score.

    Raises :class:`ModelError` with the reason of the first refusal.
    """
    checked = check_card(card)
    check_weights(checked, weights, weights.name)
    model = load_pair(checked, weights)
    if checked.onnx:  # its score is looked at by detector.backends.selection
        return model
    import torch

    size = checked.input.size
    try:
        with torch.inference_mode():
            logit = model.network(torch.zeros(1, 3, size, size))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:120]
        raise ModelError(
            N_("The network takes no crops of %(size)s px: %(reason)s. Correct the card's size.")
            % {"size": size, "reason": reason}
        ) from None
    if logit.shape != (1,) or not logit.isfinite().all():
        raise ModelError(
            N_(
                "%(name)s gives no score for a plain grey crop, so its weights are damaged. Publish "
                "the model again."
            )
            % {"name": weights.name}
        )
    return model
