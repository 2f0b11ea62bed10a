"""Architectures, one file each, registered by name.

A network takes crops (n, 3, size, size), normalised as its model card says, and gives
logits (n,), positive for manipulated. ``cam_layer`` is where Grad-CAM looks.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from torch import Tensor, nn

from detector.errors import ModelError


class Network(nn.Module):
    """Base of all architectures."""

    @property
    def cam_layer(self) -> nn.Module:
        """The last layer that still has a spatial map worth explaining."""
        raise AttributeError(f"{type(self).__name__} names no layer for Grad-CAM")

    def forward(self, crops: Tensor) -> Tensor:
        """Crops (n, 3, size, size) to logits (n,)."""
        raise AttributeError(f"{type(self).__name__} has no forward pass")


_ARCHITECTURES: dict[str, type[Network]] = {}


def register(name: str) -> Callable[[type[Network]], type[Network]]:
    """Class decorator: make an architecture known by ``name``, which model cards use."""

    def add(network: type[Network]) -> type[Network]:
        _ARCHITECTURES[name] = network
        return network

    return add


def create(name: str) -> Network:
    """A new network of architecture ``name``, with random weights.

    Raises :class:`ModelError` for a name nobody registered.
    """
    if name not in _ARCHITECTURES:
        known = ", ".join(sorted(_ARCHITECTURES))
        raise ModelError(f"Unknown architecture {name!r}; this version of Reelproof has: {known}.")
    return _ARCHITECTURES[name]()


import_module("detector.networks.efficientnet_lite0")
