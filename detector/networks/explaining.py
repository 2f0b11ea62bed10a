"""What heatmaps compute of a network, as modules that are traced to graphs: gradients need no torch then.

The graphs compute what pytorch-grad-cam and autograd do in torch (detector.explain), in less time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._decomp import core_aten_decompositions
from torch.fx.experimental.proxy_tensor import make_fx

from detector.networks.base import Network
from detector.networks.vit_small_14 import ViTSmall14
from detector.networks.vit_small_14_windows import UPPER_BLOCKS, ViTSmall14Windows


class LowerTokens(nn.Module):
    """Crops (n, size, size, 3) to tokens that see all patches."""

    def __init__(self, network: ViTSmall14) -> None:
        super().__init__()
        self.network = network
        self.input = preprocessing()

    def forward(self, crops: Tensor) -> Tensor:
        return self.network.lower_tokens(normalised(crops, self.input))


class PatchScore(nn.Module):
    """One part of a network that reads windows: lower tokens of some patches to logits (n, outputs)."""

    def __init__(self, network: ViTSmall14) -> None:
        super().__init__()
        self.network = network
        windows = isinstance(network, ViTSmall14Windows)
        blocks = network.branch_blocks if windows else network.backbone.blocks[-UPPER_BLOCKS:]
        self.layers = [block.norm1 for block in cast("Iterable[Any]", blocks)]
        score = network.score_window_patches if windows else network.score_patches
        self.score = cast("Callable[..., Tensor]", score)
        self.width = network.shape.width


class PatchLogits(PatchScore):
    """Tokens (n, 1 + k, d) to logits (n, outputs)."""

    def forward(self, tokens: Tensor) -> Tensor:
        return self.score(tokens)


class PatchMaps(PatchScore):
    """Tokens (1, 1 + p², d) and a ``chosen`` output (1, outputs), as 0 and 1, to logits and two maps (1, p²).

    The first is the derivative of that output by how much each patch counts, the second HiResCAM (Draelos and
    Carin, 2020) summed over the upper blocks.
    """

    def forward(self, tokens: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        def output(weights: Tensor, probes: list[Tensor]) -> tuple[Tensor, tuple[Tensor, list[Tensor]]]:
            with _probed(self.layers, probes) as activations:
                logits = self.score(tokens, weights=weights)
            return (logits * chosen).sum(), (logits, activations)

        probes = [torch.zeros_like(tokens[:, :, : self.width]) for _ in self.layers]
        value, back, (logits, activations) = cast(
            "tuple[Tensor, Callable[[Tensor], tuple[Tensor, list[Tensor]]], tuple[Tensor, list[Tensor]]]",
            torch.func.vjp(output, torch.ones(tokens.shape[:2]), probes, has_aux=True),
        )
        falls, of_layers = back(torch.ones_like(value))
        shares = [(layer * slope).sum(dim=2) for layer, slope in zip(activations, of_layers, strict=True)]
        return logits, falls[:, 1:], torch.stack(shares).sum(dim=0)[:, 1:]


class CamMaps(nn.Module):
    """Crops (n, size, size, 3) to unscaled Grad-CAM maps (layers, n, h, w) of a convolutional network."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.input = preprocessing()
        # Graphs have no operations that write to their input, or that change how it lies in memory.
        for module in network.modules():
            if hasattr(module, "inplace"):
                cast("Any", module).inplace = False
            for name, child in module.named_children():
                if isinstance(child, nn.AdaptiveAvgPool2d):
                    setattr(module, name, _Mean())

    def forward(self, crops: Tensor) -> Tensor:
        layers = list(self.network.cam_layers)
        images = normalised(crops, self.input)
        with torch.no_grad(), _probed(layers, None) as shapes:
            self.network(images)

        def output(probes: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
            with _probed(layers, probes) as activations:
                return self.network(images).sum(), activations

        value, back, activations = cast(
            "tuple[Tensor, Callable[[Tensor], tuple[list[Tensor]]], list[Tensor]]",
            torch.func.vjp(output, [torch.zeros_like(shape) for shape in shapes], has_aux=True),
        )
        (of_layers,) = back(torch.ones_like(value))
        maps = [
            (layer * slope.mean(dim=(2, 3), keepdim=True)).sum(dim=1)
            for layer, slope in zip(activations, of_layers, strict=True)
        ]
        return torch.stack(maps)


@contextmanager
def _probed(layers: Sequence[nn.Module], probes: Sequence[Tensor] | None) -> Iterator[list[Tensor]]:
    """Add ``probes`` to the outputs of ``layers``, and list these outputs: a probe's gradient is theirs."""
    outputs: list[Tensor] = []

    def add(_layer: nn.Module, _given: Any, out: Tensor) -> Tensor:
        outputs.append(out if probes is None else out + probes[len(outputs)])
        return outputs[-1]

    hooks = [layer.register_forward_hook(add) for layer in layers]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def preprocessing() -> nn.Module:
    """Return a module with ``mean`` and ``std`` (1, 3, 1, 1), which a card provides."""
    module = nn.Module()
    for part in ("mean", "std"):
        module.register_buffer(part, torch.ones(1, 3, 1, 1))
    return module


def normalised(crops: Tensor, given: nn.Module) -> Tensor:
    """Map uint8 crops (n, size, size, 3) to a network's input."""
    return (crops.permute(0, 3, 1, 2).float() / 255 - given.get_buffer("mean")) / given.get_buffer("std")


class _Mean(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.mean(dim=(2, 3), keepdim=True)


def _of_convolution(
    gradient: Tensor, given: Tensor, weight: Tensor, _bias: Any, stride: Any, padding: Any, *more: Any
) -> tuple[Tensor | None, None, None]:
    """Return the gradient of the input of a convolution with steps of 1; graphs have no operation for it."""
    groups, wanted = more[3], more[4]
    if not wanted[0]:
        return None, None, None
    assert set(stride) == {1} and groups in (1, given.shape[1]) and not any(wanted[1:])
    back = weight.flip(2, 3)
    if groups == 1:
        back = back.transpose(0, 1)
    around = [size - 1 - pad for size, pad in zip(weight.shape[2:], padding, strict=True)]
    return torch.nn.functional.conv2d(gradient, back, None, 1, around, 1, groups), None, None


def _of_slice(gradient: Tensor, sizes: list[int], dim: int, start: int, end: int, step: int) -> Tensor:
    """Return the gradient of what a slice was cut from, without writing into zeros."""
    assert step == 1
    around = [0, 0] * len(sizes)
    around[2 * (len(sizes) - 1 - dim)] = start
    around[2 * (len(sizes) - 1 - dim) + 1] = sizes[dim] - min(end, sizes[dim])
    return torch.nn.functional.pad(gradient, around)


def _of_select(gradient: Tensor, sizes: list[int], dim: int, index: int) -> Tensor:
    return _of_slice(gradient.unsqueeze(dim), sizes, dim, index, index + 1, 1)


def _in_halves(first: Tensor, second: Tensor) -> Tensor:
    """Multiply by a square matrix in two halves.

    OpenVINO 2026.4.1 stores the packed weights of products in single precision by address and shape. It would
    take those of a layer for those of its gradient, where they are transposed.
    """
    if second.shape[0] != second.shape[1]:
        return NotImplemented
    half = second.shape[1] // 2
    return torch.cat([first @ second[:, :half], first @ second[:, half:]], dim=1)


_GRADIENTS = {
    torch.ops.aten.mm.default: _in_halves,
    torch.ops.aten.convolution_backward.default: _of_convolution,
    torch.ops.aten.slice_backward.default: _of_slice,
    torch.ops.aten.select_backward.default: _of_select,
}


class Unrolled(nn.Module):
    """A module with gradients as one without: its operations one by one, on the same parameters."""

    def __init__(self, module: nn.Module, *examples: Tensor) -> None:
        super().__init__()
        for name, child in module.named_children():
            self.add_module(name, child)
        tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        self._names = list(tensors)

        def run(values: list[Tensor], *given: Tensor) -> Any:
            return torch.func.functional_call(module, dict(zip(self._names, values, strict=True)), given)

        table = {**core_aten_decompositions(), **_GRADIENTS}
        with torch.no_grad(), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            self._operations = make_fx(run, decomposition_table=table)(
                [value.detach() for value in tensors.values()], *examples
            )

    def forward(self, *given: Tensor) -> Any:
        tensors = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return self._operations([tensors[name] for name in self._names], *given)
