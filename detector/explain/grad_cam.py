"""Compute Grad-CAM with the package ``grad-cam``, without its scaling."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detector.networks import base  # noqa: F401
from detector.process.resources import without_modules

# Import torchvision first: it looks for the modules that are left out below.

# The package's imports for drawings and unused methods take longer than torch and 75 MB, and a confined
# process cannot reach matplotlib's font cache.
_NOT_USED = ("matplotlib", "matplotlib.lines", "matplotlib.pyplot", "sklearn", "sklearn.decomposition")


with without_modules(*_NOT_USED):
    from pytorch_grad_cam import GradCAM


def token_map(tokens: torch.Tensor) -> torch.Tensor:
    """Arrange tokens (n, 1 + s · s, d) of a transformer as a map (n, d, s, s), without the class token."""
    count, length, width = tokens.shape
    side = math.isqrt(length - 1)
    return tokens[:, 1:].reshape(count, side, side, width).permute(0, 3, 1, 2)


@contextmanager
def limit_gradients(layers: Sequence[nn.Module]) -> Iterator[None]:
    """Stop gradients at the outputs of ``layers``, which takes a fraction of the time.

    For networks whose weights need no gradients. Enter it before Grad-CAM inspects the layers.
    """
    hooks = [
        layer.register_forward_hook(lambda _layer, _given, out: out.detach().requires_grad_(True))
        for layer in layers
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class UnscaledGradCAM(GradCAM):
    """Grad-CAM without the package's scaling of each map to its own range.

    Calling it returns the maps (layers, n, h, w) of each layer; places that lower the target are negative.
    """

    def compute_cam_per_layer(
        self, input_tensor: torch.Tensor, targets: list[object], eigen_smooth: bool
    ) -> list[NDArray[np.float32]]:
        recorded = self.activations_and_grads
        pairs = zip(recorded.activations, recorded.gradients, strict=True)
        return [self.weighted(*pair).sum(dim=1).cpu().numpy() for pair in pairs]

    @staticmethod
    def weighted(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        """Return ``activations`` (n, d, h, w), each channel weighted by the mean of its ``gradients``."""
        return activations * gradients.mean(dim=(2, 3), keepdim=True)

    def aggregate_multi_layers(self, cam_per_target_layer: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.stack(cam_per_target_layer)


class UnscaledHiResCAM(UnscaledGradCAM):
    """HiResCAM (Draelos and Carin, 2020), which weights every place by its own gradient.

    For transformers, where the meaning of a token and its gradient differ from place to place. With the mean
    over places, hiding the hottest area had no more effect than hiding any other
    (training/docs/experiments.md).
    """

    @staticmethod
    def weighted(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        return activations * gradients
