"""Networks in ONNX files with their cards, made by torch's exporter as somebody else would."""

from __future__ import annotations

import hashlib
import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import torch
from run_cache import made_anywhere
from torch import nn

SIZE = 32


class TinyNetwork(nn.Module):
    """Logits (n,) of crops (n, 3, size, size): the brighter and redder a crop, the higher."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, classes),
        )

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(crops)
        return out


def _exported(network: nn.Module, batch: bool) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.eval(),
            (torch.zeros(2 if batch else 1, 3, SIZE, SIZE),),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch", max=64)},) if batch else None,
            input_names=["crops"],
            output_names=["score"],
            verbose=False,
        )
    assert program is not None
    data: bytes = program.model_proto.SerializeToString()
    return data


@cache
def tiny(classes: int = 1, batch: bool = True) -> bytes:
    """The tiny network as a file, exported once a run: torch's exporter takes seconds to import."""

    def make(folder: Path) -> None:
        (folder / "tiny.onnx").write_bytes(_exported(TinyNetwork(classes), batch))

    return (made_anywhere(f"tiny-{classes}-{batch}", make) / "tiny.onnx").read_bytes()


def card_of(data: bytes, name: str, **changes: Any) -> dict[str, Any]:
    """A card as an author would write it."""
    card: dict[str, Any] = {
        "name": name,
        "title": name.capitalize(),
        "architecture": "tiny convolutional network",
        "sha256": hashlib.sha256(data).hexdigest(),
        "input": {"size": SIZE, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
        "temperature": 1.0,
        "data": ["nothing: random weights"],
        "terms": "none",
        "recipe": [],
        "figures": {},
        "domain": "Made by a test; it tells nothing.",
        "limits": ["Random weights."],
        "onnx": {"framing": {"box": 1.3}, "output": {"gives": "logit"}},
    }
    return {**card, **changes}


def put(folder: Path, name: str, data: bytes | None = None, **changes: Any) -> Path:
    """Write ``NAME.onnx`` and its card to ``folder``; returns the file's path."""
    data = tiny() if data is None else data
    path = folder / f"{name}.onnx"
    path.write_bytes(data)
    path.with_suffix(".json").write_text(json.dumps(card_of(data, name, **changes)))
    return path
