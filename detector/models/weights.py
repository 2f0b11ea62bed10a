"""Weights on disk: tensors in a safetensors file, and the refusal of pickled checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from detector.errors import ModelError
from detector.schema.translatable import N_

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from detector.networks.graphs import TensorKind

_KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
          "U8": "|u1", "BOOL": "|b1"}  # fmt: skip


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as a safetensors file holds it."""

    kind: str
    shape: tuple[int, ...]
    data: bytes | bytearray

    @property
    def floating(self) -> bool:
        return self.kind in ("F64", "F32", "F16", "BF16")

    def array(self) -> NDArray[np.generic]:
        """The tensor in its stored shape; bfloat16 as float32."""
        import numpy as np

        if self.kind == "BF16":  # the upper half of a float32
            halves = np.frombuffer(self.data, "<u2").astype("<u4")
            return (halves << 16).view(np.float32).reshape(self.shape)
        return np.frombuffer(self.data, _KINDS[self.kind]).reshape(self.shape)


def read_tensors(data: bytes) -> dict[str, StoredTensor]:
    """The tensors in a safetensors file; raises ``ValueError`` for what is none."""
    from safetensors import SafetensorError, deserialize

    try:
        found = deserialize(data)
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    return {name: StoredTensor(told["dtype"], tuple(told["shape"]), told["data"]) for name, told in found}


def read_arrays(data: bytes) -> dict[str, NDArray[np.generic]]:
    """Likewise as arrays, in their stored shapes."""
    return {name: tensor.array() for name, tensor in read_tensors(data).items()}


def mismatch(wanted: Mapping[str, TensorKind], given: Mapping[str, StoredTensor]) -> str:
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


OTHER_FILE = N_("is not the file its card describes (SHA-256 differs)")
_PICKLED = frozenset({".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt"})


def is_pickled_name(name: str) -> bool:
    """Whether a file of this name is a pickled checkpoint by its ending."""
    return Path(name).suffix.lower() in _PICKLED


def pickled_error(name: str) -> ModelError:
    """What to say of a pickled checkpoint."""
    return ModelError(
        f"{name} is a pickled checkpoint, and opening one can run any program hidden in it: Reelproof never "
        "does. Convert it to safetensors on the machine that trained it, and give it a card."
    )


def refuse_wrong_weights(name: str, found: str, wanted: str) -> None:
    """Raise :class:`ModelError` when weights' SHA-256 ``found`` is not the one their card wants."""
    if found != wanted:
        raise ModelError(
            N_("%(name)s %(other_file)s. Fetch both files again.") % {"name": name, "other_file": OTHER_FILE}
        )
