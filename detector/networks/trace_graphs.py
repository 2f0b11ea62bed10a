"""Trace architectures to the ONNX graphs that ship: ``python -m detector.networks.trace_graphs [NAME...]``.

The same versions of torch and ONNX give the same bytes. :data:`SHIPPED_GRAPHS` lists what is shipped.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from detector.networks import explaining
from detector.networks.base import Network, SequenceNetwork, create
from detector.networks.graphs import (
    CAM,
    CHOSEN,
    CROPS,
    FALLS,
    FEATURES,
    GRAPH_FOLDER,
    LOWER,
    MAPS,
    MEAN,
    OUT,
    PREFIX,
    REST,
    STD,
    TOKENS,
    UPPER_PARTS,
)
from detector.networks.vit_small_14 import ViTSmall14PatchHeads
from detector.networks.vit_small_14_windows import ViTSmall14WindowHeads, ViTSmall14Windows

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
# Graphs of what heatmaps compute of the default model's networks.
EXPLAINED = (("efficientnet_lite0", 128), ("vit_small_14_windows", 224))


_LARGEST = 1 << 14  # bytes of a constant that is made of others


class _OfCrops(nn.Module):
    """The computation of a back end: uint8 crops to logits or features."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.input = explaining.preprocessing()

    def forward(self, crops: Tensor) -> Tensor:
        images = explaining.normalised(crops, self.input)
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
    crops = {CROPS: torch.zeros(2, size, size, 3, dtype=torch.uint8)}
    return _graph(_OfCrops(network), crops, {CROPS: {0: _counted("n", 1 << 16)}})


def trace_judge(network: SequenceNetwork) -> ModelProto:
    """Trace its head: ``features`` (n, t, d) to logits (n,), t up to the network's window."""
    with torch.no_grad():
        width = network.features(torch.zeros(1, 3, 64, 64)).shape[1]
    sizes = {0: _counted("n", 1 << 16), 1: _counted("t", network.window)}
    return _graph(_OfFeatures(network), {FEATURES: torch.zeros(2, 3, width)}, {FEATURES: sizes})


def trace_explaining(network: Network, size: int) -> dict[str, ModelProto]:
    """Trace what heatmaps compute of ``network``, by what follows its architecture's name in a file name."""
    if not isinstance(network, ViTSmall14Windows):
        crops = {CROPS: torch.zeros(2, size, size, 3, dtype=torch.uint8)}
        return {MAPS: _graph(_unrolled(explaining.CamMaps(network), crops), crops, {CROPS: None}, (CAM,))}
    crops = {CROPS: torch.zeros(1, size, size, 3, dtype=torch.uint8)}
    traced = {LOWER: _graph(explaining.LowerTokens(network), crops, {CROPS: None}, (TOKENS,))}
    width = network.shape.width
    shares = ((ViTSmall14PatchHeads, slice(width)), (ViTSmall14WindowHeads, slice(width, None)))
    with torch.no_grad():
        lower = explaining.LowerTokens(network)(crops[CROPS])
    for suffix, (upper, share) in zip(UPPER_PARTS, shares, strict=True):
        part, tokens = upper(network.shape).eval(), lower[:, :, share]
        examples = {TOKENS: tokens, CHOSEN: torch.zeros(1, explaining.PatchLogits(part)(tokens).shape[1])}
        maps = _unrolled(explaining.PatchMaps(part), examples)
        traced[suffix + MAPS] = _graph(maps, examples, {TOKENS: None, CHOSEN: None}, (OUT, FALLS, CAM))
        some = {TOKENS: tokens[:, :20].repeat(2, 1, 1)}
        sizes = {TOKENS: {0: _counted("n", 1 << 16), 1: _counted("t", lower.shape[1])}}
        traced[suffix + REST] = _graph(explaining.PatchLogits(part), some, sizes)
    return traced


def _unrolled(module: nn.Module, examples: Mapping[str, Tensor]) -> nn.Module:
    return explaining.Unrolled(module.eval(), *examples.values())


def _counted(name: str, most: int) -> Any:
    return torch.export.Dim(name, min=1, max=most)


def _graph(
    module: nn.Module,
    examples: Mapping[str, Tensor],
    sizes: Mapping[str, dict[int, Any] | None],
    outputs: Sequence[str] = (OUT,),
) -> ModelProto:
    """Trace ``module``, whose attribute ``network`` has the tensors; ``sizes`` are those that may vary."""
    import onnx
    import onnx_ir
    import onnxscript.optimizer

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter uses deprecated parts of torch
        program = torch.onnx.export(
            module.eval(),
            tuple(examples.values()),
            dynamo=True,
            optimize=False,
            # What is unrolled takes any number of arguments.
            dynamic_shapes=dict(sizes) if any(sizes.values()) else None,
            input_names=list(examples),
            output_names=list(outputs),
            verbose=False,
        )
    assert program is not None
    model: ModelProto = program.model_proto
    if any(sizes.values()):
        first = model.graph.input[0].type.tensor_type.shape.dim[0]
        assert first.dim_param, "the exporter made a number constant because something depends on it"
    network = module.get_submodule("network")
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
    # Large constants, as of zeros, are not folded.
    onnxscript.optimizer.optimize(folded, output_size_limit=_LARGEST)
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
    known = sorted({architecture for architecture, _ in (*SHIPPED_GRAPHS, *EXPLAINED)})
    names = f"of an architecture (default: all): {', '.join(known)}"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    wanted = parser.parse_args(arguments).names or known
    if unknown := sorted(set(wanted) - set(known)):
        parser.error(f"{', '.join(unknown)}: add it with its size to SHIPPED_GRAPHS of this module first.")
    GRAPH_FOLDER.mkdir(exist_ok=True)
    for architecture, size in dict.fromkeys((*SHIPPED_GRAPHS, *EXPLAINED)):
        if architecture not in wanted:
            continue
        network, traced = create(architecture).eval(), {}
        if (architecture, size) in SHIPPED_GRAPHS:
            traced[""] = trace(network, size)
        if (architecture, size) in EXPLAINED:
            traced |= trace_explaining(network, size)
        for suffix, graph in traced.items():
            path = GRAPH_FOLDER / f"{architecture}{suffix}-{size}.onnx"
            path.write_bytes(graph.SerializeToString(deterministic=True))
            print(f"{path.name}: {path.stat().st_size:,} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
