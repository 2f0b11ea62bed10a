"""Compute Grad-CAM with the package ``grad-cam``, without its scaling."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detector.networks import base  # noqa: F401
from detector.process.resources import without_modules

# torchvision has to come first: it asks where the modules left out below would be found.

# What the package imports for drawings and for methods that are not used here takes longer than torch,
# and 75 MB; and a confined process could not reach matplotlib's cache of fonts.
_NOT_USED = ("matplotlib", "matplotlib.lines", "matplotlib.pyplot", "sklearn", "sklearn.decomposition")


with without_modules(*_NOT_USED):
    from pytorch_grad_cam import GradCAM


def places_of_tokens(tokens: torch.Tensor) -> torch.Tensor:
    """Tokens (n, 1 + s · s, d) of a vision transformer as a map (n, d, s, s), without the class token."""
    count, length, width = tokens.shape
    side = math.isqrt(length - 1)
    return tokens[:, 1:].reshape(count, side, side, width).permute(0, 3, 1, 2)


@contextmanager
def gradients_of(layer: nn.Module) -> Iterator[None]:
    """Gradients go back to what ``layer`` gives and no farther, which takes a fraction of the time.

    For networks whose weights ask for none. To be entered before Grad-CAM looks at the layer.
    """
    hook = layer.register_forward_hook(lambda _layer, _given, out: out.detach().requires_grad_(True))
    try:
        yield
    finally:
        hook.remove()


class UnscaledGradCAM(GradCAM):
    """Grad-CAM without the package's stretching of each map to its own range.

    Called, it gives the maps (layers, n, h, w) of each layer; what lowers the target is negative.
    """

    def compute_cam_per_layer(
        self, input_tensor: torch.Tensor, targets: list[object], eigen_smooth: bool
    ) -> list[NDArray[np.float32]]:
        recorded = self.activations_and_grads
        pairs = zip(recorded.activations, recorded.gradients, strict=True)
        return [self.weighted(*pair).sum(dim=1).cpu().numpy() for pair in pairs]

    @staticmethod
    def weighted(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        """``activations`` (n, d, h, w), each channel by the mean of its ``gradients``."""
        return activations * gradients.mean(dim=(2, 3), keepdim=True)

    def aggregate_multi_layers(self, cam_per_target_layer: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.stack(cam_per_target_layer)


class UnscaledHiResCAM(UnscaledGradCAM):
    """HiResCAM (Draelos and Carin, 2020): every place by its own gradient.

    For transformers: what a token means differs from place to place, and so does its gradient. With the mean
    over places, hiding what was hot did no more than hiding anything else (docs/experiments.md).
    """

    @staticmethod
    def weighted(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        return activations * gradients
