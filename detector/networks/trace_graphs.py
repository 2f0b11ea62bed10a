"""Trace architectures to the ONNX graphs that ship: ``python -m detector.networks.trace_graphs [NAME...]``.

The same versions of torch and ONNX give the same bytes. :data:`SHIPPED_GRAPHS` lists what is shipped.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from detector.networks.base import Network, SequenceNetwork, create
from detector.networks.graphs import CROPS, FEATURES, GRAPH_FOLDER, MEAN, OUT, PREFIX, STD

if TYPE_CHECKING:
    from onnx import ModelProto


# Graphs of the shipped models, and of architectures that can be trained, at their usual size.
SHIPPED_GRAPHS = (
    ("efficientnet_lite0", 128),
    ("efficientnet_b1", 128),
    ("efficientnet_lstm", 128),
    ("efficientnet_b3_transformer", 112),
    ("resnet18", 128),
    ("resnet18_features_mlp", 128),
    ("vit_small_14", 224),
    ("vit_small_14_patch_heads", 224),
    ("vit_small_14_window_heads", 224),
)


class _OfCrops(nn.Module):
    """The computation of a back end: uint8 crops to logits or features."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.input = nn.Module()
        for part in ("mean", "std"):
            self.input.register_buffer(part, torch.ones(1, 3, 1, 1))

    def forward(self, crops: Tensor) -> Tensor:
        mean, std = self.input.get_buffer("mean"), self.input.get_buffer("std")
        images = (crops.permute(0, 3, 1, 2).float() / 255 - mean) / std
        if isinstance(self.network, SequenceNetwork):
            return self.network.features(images)
        out: Tensor = self.network(images)
        return out


class _OfFeatures(nn.Module):
    """The head of a sequence network: windows without padding to logits."""

    def __init__(self, network: SequenceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        return self.network.judge_whole(features)


def trace(network: Network, size: int) -> ModelProto:
    """Trace ``network`` at crops of ``size`` px, with its tensors as inputs; takes some ten seconds."""
    crops = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    return _graph(_OfCrops(network), CROPS, crops, {0: _counted("n", 1 << 16)}, network)


def trace_judge(network: SequenceNetwork) -> ModelProto:
    """Trace its head: ``features`` (n, t, d) to logits (n,), t up to the network's window."""
    with torch.no_grad():
        width = network.features(torch.zeros(1, 3, 64, 64)).shape[1]
    sizes = {0: _counted("n", 1 << 16), 1: _counted("t", network.window)}
    return _graph(_OfFeatures(network), FEATURES, torch.zeros(2, 3, width), sizes, network)


def _counted(name: str, most: int) -> Any:
    return torch.export.Dim(name, min=1, max=most)


def _graph(
    module: nn.Module, input_name: str, example: Tensor, sizes: dict[int, Any], network: Network
) -> ModelProto:
    import onnx
    import onnx_ir
    import onnxscript.optimizer

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter uses deprecated parts of torch
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            optimize=False,
            dynamic_shapes={input_name: sizes},
            input_names=[input_name],
            output_names=[OUT],
            verbose=False,
        )
    assert program is not None
    model: ModelProto = program.model_proto
    first = model.graph.input[0].type.tensor_type.shape.dim[0]
    assert first.dim_param, "the exporter made the number of crops constant because something depends on it"
    # With tensors as inputs, everything that does not depend on the weights can be computed now.
    tensors = {value.name: (value.data_type, list(value.dims)) for value in model.graph.initializer}
    types = {torch.float32: onnx.TensorProto.FLOAT, torch.int64: onnx.TensorProto.INT64}
    tensors |= {
        PREFIX + name: (types[value.dtype], list(value.shape)) for name, value in network.state_dict().items()
    }
    unknown = [name for name in tensors if name not in (MEAN, STD) and not name.startswith(PREFIX)]
    assert not unknown, f"constants the exporter made of weights: {unknown}"
    del model.graph.initializer[:]
    for name in sorted(tensors):
        model.graph.input.append(onnx.helper.make_tensor_value_info(name, *tensors[name]))
    _strip_metadata(model)
    folded = onnx_ir.serde.deserialize_model(model)
    onnxscript.optimizer.optimize(folded)
    model = onnx_ir.serde.serialize_model(folded)
    _strip_metadata(model)
    return model


def _strip_metadata(model: ModelProto) -> None:
    """Drop names of source files and intermediate shapes."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.value_info[:], model.graph.metadata_props[:], model.metadata_props[:]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the shipped graphs of the architectures named, or all."""
    parser = argparse.ArgumentParser(
        prog="python -m detector.networks.trace_graphs",
        description=f"Write ONNX graphs of architectures, without weights, to {GRAPH_FOLDER}.",
    )
    known = sorted(architecture for architecture, _ in SHIPPED_GRAPHS)
    names = f"of an architecture (default: all): {', '.join(known)}"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    wanted = parser.parse_args(arguments).names or known
    if unknown := sorted(set(wanted) - set(known)):
        parser.error(f"{', '.join(unknown)}: add it with its size to SHIPPED_GRAPHS of this module first.")
    GRAPH_FOLDER.mkdir(exist_ok=True)
    for architecture, size in SHIPPED_GRAPHS:
        if architecture not in wanted:
            continue
        path = GRAPH_FOLDER / f"{architecture}-{size}.onnx"
        path.write_bytes(trace(create(architecture).eval(), size).SerializeToString(deterministic=True))
        print(f"{path.name}: {path.stat().st_size:,} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
