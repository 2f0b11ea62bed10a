"""Trained models: weights in safetensors, and beside them a card that says what they are.

Loading runs no code from the file. The card carries the preprocessing, the calibration
and the measured figures, and the SHA-256 of the weights it belongs to; weights that do
not fit their card are refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationError

from detector.errors import ModelError
from detector.paths import ROOT
from detector.schema.base import Sha256, Value
from detector.schema.model import Model, Platt, Range, Rate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from detector.backends.selection import Backend
    from detector.networks.base import Network
    from detector.networks.graphs import Kind

MODELS = ROOT / "models"
DEFAULT = "reelproof"

# A name is also a file's, and part of an address: nothing in it can lead elsewhere.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_PICKLED = frozenset({".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt"})

Positive = Annotated[float, Field(gt=0)]


class Input(Value):
    """What the network is fed: square crops of ``size`` pixels, RGB in [0, 1], normalised."""

    size: int = Field(ge=32, le=1024)
    mean: tuple[float, float, float]
    std: tuple[Positive, Positive, Positive]


class Card(Value):
    """``models/NAME.json``. The Markdown beside it is generated from this."""

    name: str
    title: str
    architecture: str
    sha256: Sha256
    input: Input
    temperature: float = Field(gt=0, description="logits are divided by this before the sigmoid")
    segment: Platt | None = Field(default=None, description="calibration of a segment's mean logit")
    exhibit: Platt | None = Field(default=None, description="calibration of an exhibit's")
    data: tuple[str, ...]
    terms: str
    recipe: tuple[str, ...]
    figures: dict[str, float]
    domain: str
    limits: tuple[str, ...]
    rates: tuple[Rate, ...] = Field(default=(), description="error rates with intervals")
    validated: tuple[Range, ...] = Field(default=(), description="what the measured data covered")

    def as_model(self) -> Model:
        """The part of the card that goes into an analysis."""
        shared = set(Model.model_fields)
        return Model(**{name: value for name, value in self if name in shared})


@dataclass(frozen=True)
class LoadedModel:
    """A card and what belongs to it: its checked weights, or a network made of them elsewhere."""

    card: Card
    made: Network | None = None
    weights: bytes | None = None
    """The whole safetensors file, its SHA-256 and its tensors checked."""
    backends: dict[str, Backend] = field(default_factory=dict, compare=False)
    """What runs it, by name; filled by :func:`detector.backends.selection.opened`."""

    @cached_property
    def network(self) -> Network:
        """The network in evaluation mode, float32 on the CPU. Imports torch, which takes seconds."""
        if self.made is not None:
            return self.made
        assert self.weights is not None
        return _network(self.card, self.weights)

    @cached_property
    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The weights as they are stored, by name."""
        assert self.weights is not None
        return {name: tensor.array() for name, tensor in _stored(self.weights).items()}

    @cached_property
    def is_sequence(self) -> bool:
        """Whether the network judges a face by the frames around it as well."""
        from detector.backends.selection import graph_path
        from detector.networks import graphs

        if self.made is None and (path := graph_path(self)):
            return graphs.gives_features(graphs.read(path))
        from detector.networks.base import SequenceNetwork

        return isinstance(self.network, SequenceNetwork)

    @cached_property
    def fused(self) -> Network:
        """The network for scoring alone; made once, because copying it takes longer than scoring a photo."""
        import torch

        from detector.networks.fuse_batchnorm import fused

        return fused(self.network).to(memory_format=torch.channels_last)


def is_name(text: str) -> bool:
    """Whether ``text`` may name a model: small letters, digits and hyphens, at most 60 in all."""
    return _NAME.fullmatch(text) is not None


def load_card(model: str | Path | None = None) -> tuple[Card, Path]:
    """The card named or pointed at by ``model`` (default: the shipped one), and its weights' path.

    ``model`` is a name in ``models/`` or the path of a ``.json`` card or a ``.safetensors``
    file. Raises :class:`ModelError` when either is missing or the card is malformed.
    """
    model = DEFAULT if model is None else model
    given = Path(model)
    if is_pickled_name(given.name):
        raise pickled(given.name)
    by_path = given.suffix in {".json", ".safetensors"}
    if not by_path and not is_name(str(model)):
        raise ModelError(
            f"{str(model)!r} names no model: a name is made of small letters, digits and hyphens. "
            f"{_models_here()} A model elsewhere is named by the path of its .json or .safetensors file."
        )
    path = given if by_path else MODELS / f"{given}.json"
    card_path, weights = path.with_suffix(".json"), path.with_suffix(".safetensors")
    for needed in (card_path, weights):
        if not needed.is_file():
            beside = f" It belongs beside {given.name}." if by_path and needed.name != given.name else ""
            raise ModelError(f"Model file {needed.name} not found.{beside} {_models_here()}")
    return read_card(card_path.read_bytes(), card_path.name), weights


def _models_here() -> str:
    return f"Models here: {', '.join(sorted(card.stem for card in MODELS.glob('*.json'))) or 'none'}."


def read_card(data: bytes, name: str) -> Card:
    """The card in ``data``, called ``name`` in the :class:`ModelError` raised when it is malformed."""
    try:
        return Card.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:80] or "its top level"
        raise ModelError(f"Model card {name} is malformed at {place}: {first['msg']}.") from None


def known_models(folders: Iterable[Path] = (MODELS,)) -> list[tuple[Card, Path]]:
    """Cards and weights' paths of the whole pairs in ``folders``, each folder's in order of their names.

    Nothing is loaded or hashed. Left out are cards without weights, cards that are malformed
    or under another name than their own, and names that an earlier folder has already.
    """
    found: dict[str, tuple[Card, Path]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            try:
                card, weights = load_card(path)
            except (ModelError, OSError):
                continue
            if card.name == path.stem and is_name(card.name):
                found.setdefault(card.name, (card, weights))
    return list(found.values())


def load_model(model: str | Path | None = None) -> LoadedModel:
    """Load and check a model; see :func:`load_card` for what ``model`` may be.

    Raises :class:`ModelError` when the weights' SHA-256 is not the card's, or when
    tensors do not fit the architecture.
    """
    card, weights = load_card(model)
    return load_pair(card, weights)


def load_pair(card: Card, weights: Path) -> LoadedModel:
    """The model of ``card`` with the weights in the file ``weights``.

    Raises :class:`ModelError` as :func:`load_model` does.
    """
    from detector.backends.selection import graph_path
    from detector.networks import graphs

    data = weights.read_bytes()
    if looks_pickled(data[:16], len(data)):
        raise pickled(weights.name)
    if hashlib.sha256(data).hexdigest() != card.sha256:
        raise of_another_card(weights.name)
    model = LoadedModel(card, weights=data)
    path = graph_path(model)
    # A graph says what tensors there must be; without one torch has to be asked.
    wanted = graphs.wanted(graphs.read(path)) if path else _wanted(card.architecture)
    try:
        given = _stored(data)
    except ValueError as error:
        reason = " ".join(str(error).split())[:120]
        raise ModelError(
            f"{weights.name} is no whole safetensors file ({reason}). Fetch or publish the model again."
        ) from None
    if reason := _misfit(wanted, given):
        raise ModelError(
            f"{weights.name} does not fit architecture {card.architecture}: {reason}. "
            "Correct the card's architecture, or publish the model again."
        )
    return model


def _wanted(architecture: str) -> dict[str, Kind]:
    from detector.networks.base import create
    from detector.networks.graphs import Kind

    state = create(architecture).state_dict()
    return {name: Kind(tuple(value.shape), value.is_floating_point()) for name, value in state.items()}


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


_KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
          "U8": "|u1", "BOOL": "|b1"}  # fmt: skip


@dataclass(frozen=True)
class _Stored:
    """A tensor as a safetensors file holds it."""

    kind: str
    shape: tuple[int, ...]
    data: bytes | bytearray

    @property
    def floating(self) -> bool:
        return self.kind in ("F64", "F32", "F16", "BF16")

    def array(self) -> NDArray[np.generic]:
        import numpy as np

        if self.kind == "BF16":  # the upper half of a float32
            halves = np.frombuffer(self.data, "<u2").astype("<u4")
            return (halves << 16).view(np.float32).reshape(self.shape)
        return np.frombuffer(self.data, _KINDS[self.kind]).reshape(self.shape)


def _stored(data: bytes) -> dict[str, _Stored]:
    """The tensors in a safetensors file; raises ``ValueError`` for what is none."""
    from safetensors import SafetensorError, deserialize

    try:
        found = deserialize(data)
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    return {name: _Stored(told["dtype"], tuple(told["shape"]), told["data"]) for name, told in found}


def _misfit(wanted: Mapping[str, Kind], given: Mapping[str, _Stored]) -> str:
    """Why tensors ``given`` cannot be those ``wanted``, by name, shape and kind; empty when they can."""
    for names, words in (
        (wanted.keys() - given.keys(), "is missing"),
        (given.keys() - wanted.keys(), "is unknown"),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            return f"tensor {min(names)[:80]!r}{more} {words}"
    for name, kind in wanted.items():
        if given[name].shape != kind.shape:
            return f"tensor {name!r} is {_shape(given[name].shape)}, where {_shape(kind.shape)} is wanted"
        if given[name].floating != kind.floating or given[name].kind not in (*_KINDS, "BF16"):
            numbers = "floating-point numbers" if kind.floating else "whole numbers"
            return f"tensor {name!r} holds {given[name].kind}, where {numbers} are wanted"
    return ""


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "one number"


def looks_pickled(head: bytes, size: int) -> bool:
    """Whether a file of ``size`` bytes that starts with ``head`` (16 bytes) is a zip or a pickle.

    ``torch.save`` writes zips with a pickle inside; before 2020 it wrote bare pickles.
    """
    # Safetensors starts with its header's length, eight bytes that may look like anything.
    if int.from_bytes(head[:8], "little") <= size - 8 and head[8:9] == b"{":
        return False
    return head.startswith(b"PK") or (head[:1] == b"\x80" and head[1:2] in b"\x01\x02\x03\x04\x05")


def is_pickled_name(name: str) -> bool:
    """Whether a file of this name is a pickled checkpoint by its ending."""
    return Path(name).suffix.lower() in _PICKLED


def pickled(name: str) -> ModelError:
    """What to say of a pickled checkpoint."""
    return ModelError(
        f"{name} is a pickled checkpoint, and opening one can run any program hidden in it: Reelproof never "
        "does. Convert it to safetensors on the machine that trained it, and give it a card."
    )


def of_another_card(name: str) -> ModelError:
    """What to say of weights whose SHA-256 is not their card's."""
    return ModelError(f"{name} is not the file its card describes (SHA-256 differs). Fetch both files again.")
