"""ONNX networks from third parties: refuse unsafe files before running them, and describe their input."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from detector.errors import ModelError
from detector.networks.graphs import CROPS
from detector.schema.formatting import N_
from detector.schema.model import OnnxNetwork

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

    from detector.models.card import Input


FILE_LIMIT = 250_000_000  # bytes
NODES = 20_000  # operators in one file
OPSETS = range(9, 26)  # accepted versions of the standard's operators
# Accepted operators of the standard.
OPERATORS = frozenset((
    "Abs", "Add", "And", "AveragePool", "BatchNormalization", "Cast", "CastLike", "Ceil", "Celu",
    "Clip", "Concat", "Constant", "ConstantOfShape", "Conv", "ConvTranspose", "Cos", "CumSum",
    "DepthToSpace", "DequantizeLinear", "Div", "Dropout", "Einsum", "Elu", "Equal", "Erf", "Exp",
    "Expand", "Flatten", "Floor", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm",
    "GlobalAveragePool", "GlobalMaxPool", "Greater", "GreaterOrEqual", "GroupNormalization",
    "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LRN", "LayerNormalization",
    "LeakyRelu", "Less", "LessOrEqual", "Log", "LogSoftmax", "LpNormalization", "LpPool", "MatMul",
    "Max", "MaxPool", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pad",
    "Pow", "QuantizeLinear", "Range", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
    "ReduceSumSquare", "Relu", "Reshape", "Resize", "Round", "Selu", "Shape", "Sigmoid", "Sign",
    "Sin", "Size", "Slice", "Softmax", "Softplus", "Softsign", "SpaceToDepth", "Split", "Sqrt",
    "Squeeze", "Sub", "Sum", "Tanh", "ThresholdedRelu", "Tile", "Transpose", "Trilu", "Unsqueeze",
    "Upsample", "Where",
))  # fmt: skip
_STANDARD = frozenset({"", "ai.onnx"})
_TRAINING_INPUTS = 3  # number of inputs with which Dropout may drop at random


class OnnxShape(NamedTuple):
    """The input of a network: its name, its layout, and whether it takes one crop at a time."""

    name: str
    channels_last: bool
    one_by_one: bool


def read_onnx(data: bytes, name: str) -> ModelProto:
    """Parse an ONNX file called ``name``; raise :class:`ModelError` if it may not be run."""
    if find_spec("onnx") is None:
        raise ModelError(
            N_("%(name)s needs the package onnx, which is not installed here. Run make setup.")
            % {"name": name}
        )
    if not 0 < len(data) <= FILE_LIMIT:
        raise ModelError(
            N_("%(name)s has %(size)s bytes; ONNX files have at most %(file_limit)s.")
            % {"name": name, "size": f"{len(data):,}", "file_limit": f"{FILE_LIMIT:,}"}
        )
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RecursionError):
        raise _broken(name) from None
    if not model.graph.node or not model.graph.output:
        raise _broken(name)
    _refuse_versions(model, name)
    _refuse_nodes(model, name)
    for tensor in _tensors(model.graph):
        _refuse_tensor(tensor, name)
    return model


def find_shape(model: ModelProto, size: int, name: str) -> OnnxShape:
    """Return the input of ``model``; raise :class:`ModelError` if it does not take crops of ``size`` px."""
    from onnx import TensorProto

    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initializers]
    if len(inputs) != 1:
        raise ModelError(
            N_("%(name)s takes %(inputs)s inputs; it must take one, the crops. Export it that way.")
            % {"name": name, "inputs": len(inputs)}
        )
    kind = inputs[0].type.tensor_type
    dims = [dim.dim_value for dim in kind.shape.dim]  # 0 for an open dimension
    if kind.elem_type != TensorProto.FLOAT or len(dims) != 4:
        raise ModelError(
            N_(
                "%(name)s takes no batch of images in 32-bit floating point. Export it with an input "
                "of batch × 3 × %(size)s × %(size)s."
            )
            % {"name": name, "size": size}
        )
    last = dims[3] == 3 and dims[1] != 3
    sides = dims[1:3] if last else dims[2:]
    if any(side not in (0, size) for side in sides) or (dims[3] if last else dims[1]) not in (0, 3):
        shape = " × ".join(str(dim) if dim else "any" for dim in dims)
        raise ModelError(
            N_(
                "%(name)s takes %(told)s, but its card states crops of %(size)s px. Correct the size in "
                "the card."
            )
            % {"name": name, "told": shape, "size": size}
        )
    if dims[0] not in (0, 1):
        raise ModelError(
            N_(
                "%(name)s takes batches of exactly %(batch)s. Export it with an open batch size, or "
                "with a batch of 1."
            )
            % {"name": name, "batch": dims[0]}
        )
    return OnnxShape(inputs[0].name, last, dims[0] == 1)


def bind_onnx(model: ModelProto, given: Input, card: OnnxNetwork, shape: OnnxShape, name: str) -> bytes:
    """Return a complete ONNX model for back ends, from uint8 crops to a single output.

    The card's normalisation, channel order and layout become part of it; ``model`` is modified. Raises
    :class:`~detector.errors.ModelError` if the card does not name the output that counts.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    output = _output(graph, card, name)
    order = [0, 1, 2] if card.channels == "rgb" else [2, 1, 0]
    mean, std = (np.array(by, np.float64)[order] for by in (given.mean, given.std))
    # Names of three constants, of the outputs of the nodes before the network, and for an input called
    # "crops".
    channels, factor, offset, as_float, reordered, scaled, normalised, renamed = _free_names(graph, 8)
    network_input = renamed if shape.name == CROPS else shape.name
    _rename(graph, CROPS, renamed)
    values: dict[str, NDArray[Any]] = {
        channels: np.array(order, np.int64),
        factor: (1 / (255 * std)).astype(np.float32),
        offset: (-mean / std).astype(np.float32),
    }
    make = helper.make_node
    last = network_input if shape.channels_last else normalised
    before = [
        make("Cast", [CROPS], [as_float], to=TensorProto.FLOAT),
        make("Gather", [as_float, channels], [reordered], axis=3),
        make("Mul", [reordered, factor], [scaled]),
        make("Add", [scaled, offset], [last]),
    ]
    if not shape.channels_last:
        before.append(make("Transpose", [normalised], [network_input], perm=[0, 3, 1, 2]))
    nodes = [*before, *graph.node]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in values.items())
    batch = 1 if shape.one_by_one else "n"
    size = given.size
    graph.input.append(helper.make_tensor_value_info(CROPS, TensorProto.UINT8, [batch, size, size, 3]))
    graph.output.append(output)
    model.ir_version = max(4, model.ir_version)  # before version 4, initializers must be inputs as well
    data: bytes = model.SerializeToString()
    return data


def _output(graph: GraphProto, card: OnnxNetwork, name: str) -> ValueInfoProto:
    """Return the output that counts; raise :class:`ModelError` if the card does not name it."""
    outputs = [value for value in graph.output if card.output.name in (None, value.name)]
    if len(outputs) != 1:
        there = ", ".join(value.name[:40] for value in graph.output)
        raise ModelError(
            N_("%(name)s has the outputs %(there)s. Name one of them in its card (onnx.output.name).")
            % {"name": name, "there": there}
        )
    return outputs[0]


def _free_names(graph: GraphProto, count: int) -> list[str]:
    """Return ``count`` names that ``graph`` does not use."""
    taken = {value for node in graph.node for value in (*node.input, *node.output)}
    names = (f"reelproof.{number}" for number in itertools.count())
    return list(itertools.islice((name for name in names if name not in taken), count))


def _rename(graph: GraphProto, name: str, to: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for place in range(len(names)):
                if names[place] == name:
                    names[place] = to
    for value in (*graph.initializer, *graph.output):
        if value.name == name:
            value.name = to


def _refuse_versions(model: ModelProto, name: str) -> None:
    if model.functions:
        raise ModelError(
            N_("%(name)s defines operators of its own (%(operator)s). Inline them.")
            % {"name": name, "operator": repr(model.functions[0].name[:40])}
        )
    used = {opset.domain: opset.version for opset in model.opset_import}
    version = next((used[domain] for domain in _STANDARD if domain in used), 0)
    if version not in OPSETS:
        raise ModelError(
            N_(
                "%(name)s uses opset %(version)s; %(oldest)s to %(newest)s are supported. Export it "
                "with another opset_version."
            )
            % {"name": name, "version": version, "oldest": OPSETS.start, "newest": OPSETS.stop - 1}
        )


def _refuse_nodes(model: ModelProto, name: str) -> None:
    if len(model.graph.node) > NODES:
        raise ModelError(
            N_("%(name)s has %(operators)s operators; at most %(most)s are accepted.")
            % {"name": name, "operators": f"{len(model.graph.node):,}", "most": f"{NODES:,}"}
        )
    for node in model.graph.node:
        if node.domain not in _STANDARD:
            raise ModelError(
                N_(
                    "%(name)s uses the operator %(op_type)s of %(domain)s, which is not a standard "
                    "operator. Custom operators run their own code and are always refused. Export the "
                    "network with standard operators only."
                )
                % {"name": name, "op_type": repr(node.op_type[:40]), "domain": repr(node.domain[:40])}
            )
        is_random = node.op_type == "Dropout" and len(node.input) >= _TRAINING_INPUTS and node.input[2]
        has_graph = any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute)
        if node.op_type not in OPERATORS or is_random or has_graph:
            raise ModelError(
                N_(
                    "%(name)s uses the operator %(op_type)s, which is not on the list of those "
                    "accepted (docs/external-models.md). Export the network in evaluation mode and without "
                    "control flow."
                )
                % {"name": name, "op_type": repr(node.op_type[:40])}
            )


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("sparse_tensor"):
                yield attribute.sparse_tensor.values
                yield attribute.sparse_tensor.indices


def _refuse_tensor(tensor: TensorProto, name: str) -> None:
    from onnx import TensorProto, helper

    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ModelError(
            N_(
                "%(name)s keeps tensors in other files (external data), which are never read. Export "
                "it in one file: save_as_external_data=False, or external_data=False for torch."
            )
            % {"name": name}
        )
    if tensor.data_type == TensorProto.STRING:
        raise ModelError(
            N_("%(name)s holds text as tensor %(tensor)s. A network needs numbers only.")
            % {"name": name, "tensor": repr(tensor.name[:40])}
        )
    try:
        width = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, ValueError, TypeError):
        raise _broken(name) from None
    # Numbers of less than a byte are packed and may take less.
    wanted = math.prod(tensor.dims) * width
    if min(tensor.dims, default=1) < 0 or (len(tensor.raw_data) > wanted):
        raise _broken(name)
    if tensor.raw_data and width > 1 and len(tensor.raw_data) != wanted:
        raise _broken(name)


def _broken(name: str) -> ModelError:
    return ModelError(f"{name} is no whole ONNX file. Export the network again.")
