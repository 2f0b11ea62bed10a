"""Inputs and outputs of each architecture, and that it can learn."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from learning import overfit
from torch import Tensor, nn

from detector.errors import ModelError
from detector.networks import graphs
from detector.networks.base import (
    Network,
    SequenceNetwork,
    architectures,
    create,
    fuse_batchnorm,
)


def test_expected_architectures_exist() -> None:
    assert {
        "efficientnet_b3_transformer",
        "efficientnet_lstm",
        "efficientnet_lite0",
        "resnet18",
        "efficientnet_b1",
        "resnet18_features_mlp",
    } <= {*architectures()}


def test_unknown_name_lists_known_ones() -> None:
    with pytest.raises(ModelError, match="'nosuch'.*efficientnet_lite0, .*resnet18"):
        create("nosuch")


@pytest.mark.parametrize("name", architectures())
def test_one_logit_a_crop(networks: dict[str, Network], crops: Tensor, name: str) -> None:
    """Whatever stands beside it in the batch."""
    with torch.inference_mode():
        together = networks[name](crops)
        alone = networks[name](crops[1:])
    assert together.shape == (2,) and torch.isfinite(together).all()
    assert alone.item() == pytest.approx(together[1].item(), abs=1e-4)
    assert together[0] != together[1]


@pytest.mark.parametrize("name", architectures())
def test_grad_cam_layers_have_maps(networks: dict[str, Network], crops: Tensor, name: str) -> None:
    """As many places as strides of 32 px go into the crop, or twice that."""
    shapes = []
    with ExitStack() as hooks, torch.inference_mode():
        for layer in networks[name].cam_layers:
            hooks.enter_context(layer.register_forward_hook(lambda _, __, out: shapes.append(out.shape)))
        networks[name](crops)
    assert len(shapes) == len(networks[name].cam_layers)
    assert {len(shape) for shape in shapes} == {4} and {shape[0] for shape in shapes} == {2}
    ((height, width),) = {tuple(shape[2:]) for shape in shapes}
    assert height == width and height in {crops.shape[2] // 32, crops.shape[2] // 16}


@pytest.mark.parametrize("name", architectures())
def test_every_parameter_gets_a_gradient(networks: dict[str, Network], crops: Tensor, name: str) -> None:
    """Of a sequence of two frames, where the network reads sequences: one alone has no past."""
    network = networks[name]
    if isinstance(network, SequenceNetwork):
        features = network.features(crops)[None]
        logits = network.judge(features, torch.ones(features.shape[:2], dtype=torch.bool))
    else:
        logits = network(crops)
    logits.sum().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    network.zero_grad(set_to_none=True)
    assert without == []


def test_resnet18_overfits_eight_tiny_crops() -> None:
    torch.manual_seed(0)
    network = create("resnet18")
    losses = overfit(network, torch.randn(8, 3, 32, 32), torch.tensor([0.0, 1.0] * 4), 8)
    assert losses[0] > 0.4 and losses[-1] < 0.1


@pytest.mark.parametrize("name", architectures())
def test_fused_network_gives_the_same_logits(name: str) -> None:
    """Normalisations that have seen something, so that folding them in is more than a formality."""
    torch.manual_seed(0)
    network = create(name)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 2.0)
    network.eval()
    fast = fuse_batchnorm(network)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fast.modules()), "all are folded"
    crops = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(fast(crops), network(crops), rtol=1e-3, atol=1e-4)


# Graphs of maps and lower tokens take one crop, or a crop and its mirror image.
SCORING = [
    path
    for path in sorted(graphs.GRAPH_FOLDER.glob("*.onnx"))
    if not path.stem.rpartition("-")[0].endswith((graphs.MAPS, graphs.LOWER))
]


@pytest.mark.parametrize("path", SCORING, ids=lambda path: path.stem)
def test_graphs_take_any_number_of_crops(path: Path) -> None:
    first = graphs.read_graph(path).graph.input[0].type.tensor_type.shape.dim[0]
    assert first.dim_param and not first.dim_value
