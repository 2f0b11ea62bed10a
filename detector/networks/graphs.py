"""ONNX graphs of the architectures, without weights, and the layout of the second look's outputs.

Inputs of a graph file are ``crops`` (uint8, (n, size, size, 3), RGB), ``input.mean`` and ``input.std`` of the
card (float32, (1, 3, 1, 1)), and each tensor of the network by its name after ``network.``. :func:`bind`
turns all but the crops into constants, which makes a complete ONNX model.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.files import ROOT

if TYPE_CHECKING:
    from onnx import ModelProto


# Readings of the second look, with two outputs of linear heads each, *altered* and *synthesised*: two
# framings of footage, inner face and whole head, and the whole head of a photograph. Photographs have outputs
# of their own, because traces of generation that a video codec would remove are still present in them.
INNER, HEAD, PHOTOGRAPH = range(3)
READINGS, QUESTIONS = 3, 2
ALTERED, SYNTHESISED = range(QUESTIONS)


def outputs_of(reading: int) -> tuple[int, ...]:
    """Return the indices of a reading's outputs among the logits (n, readings · questions)."""
    return tuple(range(QUESTIONS * reading, QUESTIONS * (reading + 1)))


# Outputs of a network that reads windows (detector.faces.windows), after those above in its logits: synthesis
# of each window, in footage and in photographs, and what the branch adds to a photograph's *altered*.
WINDOW_COUNT = 4
WINDOW_OUTPUTS = 2 * WINDOW_COUNT + 1
PHOTOGRAPH_ALTERED = 2 * WINDOW_COUNT


def window_outputs(still: bool) -> tuple[int, ...]:
    """Return the indices of the windows among the logits (n, WINDOW_OUTPUTS) of the windows' part."""
    return tuple(range(WINDOW_COUNT * still, WINDOW_COUNT * (1 + still)))


PARTS = {"vit_small_14_windows": ("vit_small_14_patch_heads", "vit_small_14_window_heads")}
"""Architectures that run as two graphs with the same weights: what reads faces, and what reads windows."""

GRAPH_FOLDER = ROOT / "detector" / "networks" / "onnx"
CROPS, FEATURES, MEAN, STD, OUT = "crops", "features", "input.mean", "input.std", "out"
TOKENS, CHOSEN, FALLS, CAM = "tokens", "chosen", "falls", "cam"
PREFIX = "network."
# Graphs of what heatmaps compute (detector.networks.explaining), by what follows the architecture's name:
# lower blocks; maps; logits of some patches. The last two exist for each of UPPER_PARTS, parts of a network
# that reads windows: what reads faces, and what reads windows.
LOWER, MAPS, REST = ".lower", ".maps", ".rest"
UPPER_PARTS = (".faces", ".windows")


class TensorKind(NamedTuple):
    """The kind of a tensor that a graph requires."""

    shape: tuple[int, ...]
    floating: bool


def shipped_graph(architecture: str, size: int) -> Path | None:
    """Return the graph file of an architecture at crops of ``size`` px, if one is shipped."""
    if find_spec("onnx") is None:
        return None
    # Compare listed names instead of building a path, because the architecture may come from a foreign card.
    name = f"{architecture}-{size}.onnx"
    return next((path for path in GRAPH_FOLDER.glob("*.onnx") if path.name == name), None)


def read_graph(path: Path) -> ModelProto:
    """Read a graph file."""
    import onnx

    return onnx.load_model_from_string(path.read_bytes())


def graph_tensors(graph: ModelProto) -> dict[str, TensorKind]:
    """Return the kind of each tensor of the network that ``graph`` requires, by name."""
    from onnx import TensorProto

    tensors = {}
    for value in graph.graph.input:
        if value.name.startswith(PREFIX):
            kind = value.type.tensor_type
            shape = tuple(dimension.dim_value for dimension in kind.shape.dim)
            tensors[value.name.removeprefix(PREFIX)] = TensorKind(shape, kind.elem_type == TensorProto.FLOAT)
    return tensors


def outputs_features(graph: ModelProto) -> bool:
    """Return whether the output is features (n, d), as in sequence networks, instead of logits (n,)."""
    return len(graph.graph.output[0].type.tensor_type.shape.dim) == 2


class UnboundGraph(NamedTuple):
    """The bytes of a graph file, and separately the values of its constants."""

    graph: bytes
    constants: dict[str, NDArray[np.float32]]


def graph_constants(
    mean: tuple[float, ...], std: tuple[float, ...], tensors: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.float32]]:
    """Return a card's preprocessing and a network's tensors as float32, by the names of a graph's inputs."""
    values = {name: np.array(by, np.float32).reshape(1, 3, 1, 1) for name, by in ((MEAN, mean), (STD, std))}
    for name, value in tensors.items():
        values[PREFIX + name] = np.ascontiguousarray(value.astype(np.float32, copy=False))
    return values


def bind(
    graph: ModelProto,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    tensors: Mapping[str, NDArray[np.generic]],
) -> bytes:
    """Return a complete ONNX model: ``graph`` with preprocessing and tensors as constants, in float32.

    ``tensors`` must be those of :func:`graph_tensors`; ``graph`` is modified.
    """
    return bind_constants(graph, graph_constants(mean, std, tensors))


def bind_constants(graph: ModelProto, values: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return ``graph``, which is modified, with ``values`` of its inputs as constants."""
    from onnx import numpy_helper

    body = graph.graph
    used = {name for node in body.node for name in node.input}
    data_inputs = [value for value in body.input if value.name not in values]
    for name in sorted(values.keys() & used):
        body.initializer.append(numpy_helper.from_array(values[name], name))
    del body.input[:]
    body.input.extend(data_inputs)
    data: bytes = graph.SerializeToString()
    return data
