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
from detector.schema.joint import MOST_OTHERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from detector.networks.base import Network


_Model = TypeVar("_Model")


def refuse_model_combination(first: str, others: Sequence[_Model], name_of: Callable[[_Model], str]) -> None:
    """Raise :class:`ParameterError` for too many ``others`` and :class:`ModelError` for a duplicate.

    ``first`` is the name of the first model's card; ``name_of`` returns the name of another model.
    """
    if len(others) > MOST_OTHERS:
        raise ParameterError(
            N_("At most %(most_others)s other models can take part in one analysis.")
            % {"most_others": MOST_OTHERS}
        )
    names = {first}
    for name in map(name_of, others):
        if name in names:
            raise ModelError(N_("The model %(name)s is named twice. Name each model once.") % {"name": name})
        names.add(name)


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A card with its verified weights, or with a network built elsewhere.

    Compared by identity, because back ends are cached for each loaded model.
    """

    card: Card
    built: Network | None = None
    weights: bytes | None = None
    """The contents of the weights file, whose SHA-256 and tensors were verified."""
    second_look: LoadedModel | None = None
    """The network of the second look, if the card names one."""
    file: str | None = None
    """Name of the weights file if it is not in ``models/`` under the card's name."""

    @property
    def command_name(self) -> str:
        """The name for commands: that of the model, or of its file as if in the current folder."""
        return self.file or self.card.name

    @property
    def alone(self) -> LoadedModel:
        """The model without its second look; always the same object, so that its back end is cached."""
        return self if self.second_look is None else self._alone

    @cached_property
    def _alone(self) -> LoadedModel:
        return replace(self, card=self.card.alone, second_look=None)

    @cached_property
    def network(self) -> Network:
        """The torch network in evaluation mode, float32 on the CPU. Imports torch, which takes seconds.

        Raises :class:`~detector.errors.ModelError` for an ONNX file.
        """
        if self.built is not None:
            return self.built
        if self.card.onnx:
            raise ModelError(
                f"{self.card.name} is an ONNX file, of which only scores can be had. For this a network that "
                "torch knows is needed: choose another model."
            )
        assert self.weights is not None
        import torch

        from detector.networks.base import create

        network, tensors = create(self.card.architecture), self.tensors()
        # A part of a network has some of its tensors.
        state = {name: torch.tensor(tensors[name]) for name in network.state_dict()}
        network.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        )
        network.eval()
        network.requires_grad_(False)
        return network.to(memory_format=torch.channels_last)

    @cached_property
    def parts(self) -> tuple[LoadedModel, LoadedModel] | None:
        """The part that reads faces and the part that reads windows; None for a network without windows."""
        names = graphs.PARTS.get(self.card.architecture)
        if names is None:
            return None
        faces, windows = (
            replace(self, card=self.card.model_copy(update={"architecture": name})) for name in names
        )
        return faces, windows

    @property
    def graphs(self) -> tuple[LoadedModel, ...]:
        """The networks that back ends run: the parts, or this one."""
        return self.parts or (self,)

    def make_networks(self) -> None:
        """Build the torch networks of the model and its second look, which heatmaps need."""
        for model in (self, self.second_look):
            if model is not None and not model.card.onnx:
                _ = model.network

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """Return a copy of the stored weights, by name."""
        assert self.weights is not None
        return read_arrays(self.weights)

    @cached_property
    def is_sequence(self) -> bool:
        """Whether the network judges a face together with the frames around it."""
        if self.card.onnx:
            return False
        if self.built is None and (path := graph_path(self)):
            return graphs.outputs_features(graphs.read_graph(path))
        from detector.networks.base import SequenceNetwork

        return isinstance(self.network, SequenceNetwork)


def load_model(model: str | Path | None = None) -> LoadedModel:
    """Load and verify a model; see :func:`load_card` for what ``model`` may be.

    Raises :class:`ModelError` if the weights do not have the SHA-256 in the card or do not fit the
    architecture.
    """
    card, weights = load_card(model)
    return with_second_look(load_pair(card, weights), weights)


def with_second_look(model: LoadedModel, weights: Path) -> LoadedModel:
    """Return ``model`` with the second look beside its ``weights``, if there is one."""
    second_card = read_second_look(model.card, weights)
    if second_card is None:
        return model
    card = model.card.model_copy(update={"second_look": second_card})
    second = load_pair(second_card.as_card(second_card.name), second_look_weights(weights))
    return replace(model, card=card, second_look=second)


def load_pair(card: Card, weights: Path) -> LoadedModel:
    """Load a card and its weights without a second look; raises :class:`ModelError` as :func:`load_model`."""
    data = weights.read_bytes()
    if looks_pickled(data[:16], len(data)):
        raise pickled_error(weights.name)
    refuse_wrong_weights(weights.name, hashlib.sha256(data).hexdigest(), card.sha256)
    has_own_name = weights.resolve() == (MODELS_FOLDER / f"{card.name}{card.suffix}").resolve()
    model = LoadedModel(card.alone, weights=data, file=None if has_own_name else printable_name(weights.name))
    if card.onnx:
        find_shape(read_onnx(data, weights.name), card.input.size, weights.name)
        return model
    paths = [graph_path(part) for part in model.parts or (model,)]
    if all(paths):
        wanted: Mapping[str, graphs.TensorKind] = {}
        for path in filter(None, paths):
            wanted = {**wanted, **graphs.graph_tensors(graphs.read_graph(path))}
    else:  # without a graph torch is needed to determine the tensors
        from detector.networks.base import create

        wanted = tensor_kinds(create(card.architecture).state_dict())
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


def tensor_kinds(state: Mapping[str, Tensor]) -> dict[str, graphs.TensorKind]:
    """Return the kinds of a network's tensors, by name."""
    return {
        name: graphs.TensorKind(tuple(value.shape), value.is_floating_point())
        for name, value in state.items()
    }


def graph_path(model: LoadedModel) -> Path | None:
    """Return the shipped graph of a model's architecture and size, if there is one."""
    if model.card.onnx:  # the architecture is free text
        return None
    return graphs.shipped_graph(model.card.architecture, model.card.input.size)


CARD_LIMIT = 64_000  # bytes; the shipped cards have a few thousand
WEIGHTS_LIMIT = 100_000_000  # bytes, twice the largest architecture in single precision


def refuse_long_card(size: int) -> None:
    """Raise :class:`ModelError` if a card is too long."""
    if size > CARD_LIMIT:
        raise ModelError(
            N_(
                "The model card has %(size)s bytes, and at most %(card_limit)s are accepted. Choose "
                "the card (JSON), not the weights, or shorten it."
            )
            % {"size": f"{size:,}", "card_limit": f"{CARD_LIMIT:,}"}
        )


def check_card(data: bytes) -> Card:
    """Parse and validate a card from a third party; raises :class:`ModelError`."""
    refuse_long_card(len(data))
    card = read_card(data, N_("that was uploaded"))
    refuse_other_name(card)
    for text in _texts(card.model_dump()):
        if find_invisible(text):
            raise ModelError(
                N_(
                    "The model card contains control or direction characters, which can disguise text. "
                    "Remove them from the card."
                )
            )
    return card


def refuse_other_name(card: Card) -> None:
    """Raise :class:`ModelError` if the name of a card cannot be that of a file."""
    if not is_model_name(card.name):
        raise ModelError(
            N_(
                "The model card's name cannot be used. A name has at most 60 small letters, digits "
                "and hyphens and starts with a letter or digit; change it in the card."
            )
        )


def _texts(value: Any) -> Iterator[str]:
    """Yield every string in nested dicts and sequences, keys included."""
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
    """Raise :class:`ModelError` for weights that cannot belong to the card, before parsing them.

    ``name`` is the original file name, ``sha256`` the hash if it is already known.
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
                    "%(name)s has %(size)s bytes; weights must have between 1 and %(most)s. Store them "
                    "in half precision."
                )
                % {"name": name, "size": f"{size:,}", "most": f"{most:,}"}
            )
        file.seek(0)
        refuse_wrong_weights(name, sha256 or hashlib.file_digest(file, "sha256").hexdigest(), card.sha256)


def check_pair(card_data: bytes, weights: Path) -> LoadedModel:
    """Validate card, hash of the weights, shapes of all tensors, and that a face gets a score.

    Raises :class:`ModelError` with the first problem.
    """
    card = check_card(card_data)
    check_weights(card, weights, weights.name)
    model = load_pair(card, weights)
    if card.onnx:  # detector.backends.selection.try_onnx_file checks its score
        return model
    import torch

    size = card.input.size
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
