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
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

    from detector.models.card import Input


FILE_LIMIT = 250_000_000
"""Bytes of the largest ONNX file accepted."""
NODES = 20_000
"""Operators in one file, at most."""
OPSETS = range(9, 26)
"""Versions of the standard's operators that are accepted."""
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
"""Operators of the standard that may occur."""

_STANDARD = frozenset({"", "ai.onnx"})
_DRAWN = 3  # inputs of Dropout from which on it may drop at random


class OnnxShape(NamedTuple):
    """What a network takes: ``name`` of its input, its layout, and whether it takes one crop at a time."""

    name: str
    channels_last: bool
    one_by_one: bool


def read_onnx(data: bytes, name: str) -> ModelProto:
    """The network in ``data``, of the file ``name``; :class:`ModelError` where it may not be run."""
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
    """What ``model`` takes, if that is crops of ``size`` px; :class:`ModelError` where it is not."""
    from onnx import TensorProto

    held = {tensor.name for tensor in model.graph.initializer}
    given = [each for each in model.graph.input if each.name not in held]
    if len(given) != 1:
        raise ModelError(
            N_("%(name)s takes %(inputs)s inputs; one is wanted, the crops. Export it so.")
            % {"name": name, "inputs": len(given)}
        )
    kind = given[0].type.tensor_type
    dims = [each.dim_value for each in kind.shape.dim]  # 0 where it is open
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
        told = " × ".join(str(dim) if dim else "any" for dim in dims)
        raise ModelError(
            N_("%(name)s takes %(told)s, and its card says crops of %(size)s px. Correct the card's size.")
            % {"name": name, "told": told, "size": size}
        )
    if dims[0] not in (0, 1):
        raise ModelError(
            N_("%(name)s takes batches of exactly %(batch)s. Export it with an open batch, or with one of 1.")
            % {"name": name, "batch": dims[0]}
        )
    return OnnxShape(given[0].name, last, dims[0] == 1)


def bind_onnx(model: ModelProto, given: Input, card: OnnxNetwork, shape: OnnxShape, name: str) -> bytes:
    """A whole ONNX model as back ends take them: crops as they are cut in, the one output out.

    What the card says of normalisation, order of channels and layout becomes part of it; ``model`` is
    changed. Raises :class:`~detector.errors.ModelError` where the card does not say which output counts.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    output = _output(graph, card, name)
    order = [0, 1, 2] if card.channels == "rgb" else [2, 1, 0]
    mean, std = (np.array(by, np.float64)[order] for by in (given.mean, given.std))
    # Of three constants and of what each node before the network gives; the last for an input called as ours.
    channels, factor, offset, as_float, reordered, scaled, normalised, renamed = _free_names(graph, 8)
    fed = renamed if shape.name == CROPS else shape.name
    _rename(graph, CROPS, renamed)
    values: dict[str, NDArray[Any]] = {
        channels: np.array(order, np.int64),
        factor: (1 / (255 * std)).astype(np.float32),
        offset: (-mean / std).astype(np.float32),
    }
    make = helper.make_node
    last = fed if shape.channels_last else normalised
    before = [
        make("Cast", [CROPS], [as_float], to=TensorProto.FLOAT),
        make("Gather", [as_float, channels], [reordered], axis=3),
        make("Mul", [reordered, factor], [scaled]),
        make("Add", [scaled, offset], [last]),
    ]
    if not shape.channels_last:
        before.append(make("Transpose", [normalised], [fed], perm=[0, 3, 1, 2]))
    nodes = [*before, *graph.node]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, each) for each, value in values.items())
    batch = 1 if shape.one_by_one else "n"
    size = given.size
    graph.input.append(helper.make_tensor_value_info(CROPS, TensorProto.UINT8, [batch, size, size, 3]))
    graph.output.append(output)
    model.ir_version = max(4, model.ir_version)  # from which on tensors need not be inputs as well
    data: bytes = model.SerializeToString()
    return data


def _output(graph: GraphProto, card: OnnxNetwork, name: str) -> ValueInfoProto:
    """The output that counts; raises :class:`ModelError` where the card does not say which."""
    outputs = [each for each in graph.output if card.output.name in (None, each.name)]
    if len(outputs) != 1:
        there = ", ".join(each.name[:40] for each in graph.output)
        raise ModelError(
            N_("%(name)s has the outputs %(there)s. Name one of them in its card (onnx.output.name).")
            % {"name": name, "there": there}
        )
    return outputs[0]


def _free_names(graph: GraphProto, count: int) -> list[str]:
    """So many names that ``graph`` does not use."""
    taken = {each for node in graph.node for each in (*node.input, *node.output)}
    names = (f"reelproof.{number}" for number in itertools.count())
    return list(itertools.islice((name for name in names if name not in taken), count))


def _rename(graph: GraphProto, name: str, to: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for place in range(len(names)):
                if names[place] == name:
                    names[place] = to
    for each in (*graph.initializer, *graph.output):
        if each.name == name:
            each.name = to


def _refuse_versions(model: ModelProto, name: str) -> None:
    if model.functions:
        raise ModelError(
            N_("%(name)s defines operators of its own (%(operator)s). Inline them.")
            % {"name": name, "operator": repr(model.functions[0].name[:40])}
        )
    used = {each.domain: each.version for each in model.opset_import}
    version = next((used[domain] for domain in _STANDARD if domain in used), 0)
    if version not in OPSETS:
        raise ModelError(
            N_(
                "%(name)s is of opset %(version)s; %(oldest)s to %(newest)s are known. Export it with "
                "another opset_version."
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
                    "%(name)s uses the operator %(op_type)s of %(domain)s, which is none of the "
                    "standard's. Custom operators run code of their own and are always refused. Export the "
                    "network with standard operators alone."
                )
                % {"name": name, "op_type": repr(node.op_type[:40]), "domain": repr(node.domain[:40])}
            )
        drawn = node.op_type == "Dropout" and len(node.input) >= _DRAWN and node.input[2]
        if node.op_type not in OPERATORS or drawn or _has_graph(node):
            raise ModelError(
                N_(
                    "%(name)s uses the operator %(op_type)s, which is not on the list of those "
                    "accepted (docs/external-models.md). Export the network in evaluation mode and without "
                    "control flow."
                )
                % {"name": name, "op_type": repr(node.op_type[:40])}
            )


def _has_graph(node: NodeProto) -> bool:
    return any(each.HasField("g") or each.graphs for each in node.attribute)


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
    # Numbers of less than a byte are packed; all others take what their kind takes.
    wanted = math.prod(tensor.dims) * width
    if min(tensor.dims, default=1) < 0 or (len(tensor.raw_data) > wanted):
        raise _broken(name)
    if tensor.raw_data and width > 1 and len(tensor.raw_data) != wanted:
        raise _broken(name)


def _broken(name: str) -> ModelError:
    return ModelError(f"{name} is no whole ONNX file. Export the network again.")
