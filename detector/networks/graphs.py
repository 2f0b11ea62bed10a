"""ONNX graphs of the architectures, without weights, and the layout of the second look's outputs."""

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


INNER, HEAD, PHOTOGRAPH = range(3)
READINGS, QUESTIONS = 3, 2
ALTERED, SYNTHESISED = range(QUESTIONS)


def outputs_of(reading: int) -> tuple[int, ...]:
    """Which of the network's logits (n, readings · questions) are the outputs of ``reading``."""
    return tuple(range(QUESTIONS * reading, QUESTIONS * (reading + 1)))


GRAPH_FOLDER = ROOT / "detector" / "networks" / "onnx"
CROPS, FEATURES, MEAN, STD, OUT = "crops", "features", "input.mean", "input.std", "out"
PREFIX = "network."


class TensorKind(NamedTuple):
    """What a graph wants a tensor to be."""

    shape: tuple[int, ...]
    floating: bool


def shipped_graph(architecture: str, size: int) -> Path | None:
    """The graph file of an architecture at crops of ``size`` px; None where none is shipped."""
    if find_spec("onnx") is None:
        return None
    # Listed, not looked up: the architecture's name may be a stranger's.
    name = f"{architecture}-{size}.onnx"
    return next((path for path in GRAPH_FOLDER.glob("*.onnx") if path.name == name), None)


def read_graph(path: Path) -> ModelProto:
    """The graph in a file of :data:`FOLDER`."""
    import onnx

    return onnx.load_model_from_string(path.read_bytes())


def graph_tensors(graph: ModelProto) -> dict[str, TensorKind]:
    """Every tensor of the network, by its own name, as ``graph`` wants it."""
    from onnx import TensorProto

    found = {}
    for given in graph.graph.input:
        if given.name.startswith(PREFIX):
            kind = given.type.tensor_type
            shape = tuple(dimension.dim_value for dimension in kind.shape.dim)
            found[given.name.removeprefix(PREFIX)] = TensorKind(shape, kind.elem_type == TensorProto.FLOAT)
    return found


def outputs_features(graph: ModelProto) -> bool:
    """Whether its output is features (n, d), as of sequence networks, and not logits (n,)."""
    return len(graph.graph.output[0].type.tensor_type.shape.dim) == 2


class UnboundGraph(NamedTuple):
    """A graph file's bytes, and apart from it what :func:`bound` makes constants of."""

    graph: bytes
    constants: dict[str, NDArray[np.float32]]


def graph_constants(
    mean: tuple[float, ...], std: tuple[float, ...], tensors: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.float32]]:
    """A card's preprocessing and a network's tensors, float32, by the names of a graph's inputs."""
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
    """A whole ONNX model: ``graph`` with a card's preprocessing and a network's tensors in it.

    Tensors become float32. ``tensors`` must be those of :func:`wanted`;
    ``graph`` is changed.
    """
    from onnx import numpy_helper

    body = graph.graph
    used = {name for node in body.node for name in node.input}
    values = graph_constants(mean, std, tensors)
    given = next(one for one in body.input if one.name in (CROPS, FEATURES))
    for name in sorted(values.keys() & used):
        body.initializer.append(numpy_helper.from_array(values[name], name))
    del body.input[:]
    body.input.append(given)
    data: bytes = graph.SerializeToString()
    return data
