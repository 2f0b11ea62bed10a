"""One network of each architecture, and crops for them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from detector.networks.base import Network, architectures, create

SIZE = 64


@pytest.fixture(scope="session")
def networks() -> dict[str, Network]:
    """One of each, in evaluation mode, where nothing is dropped at random. Tests leave them as they are."""
    torch.manual_seed(0)
    made = {name: create(name).eval() for name in architectures()}
    for module in (module for network in made.values() for module in network.modules()):
        # Some residual blocks start as if they were not there, with the last scale at zero.
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    return made


@pytest.fixture(scope="session")
def crops() -> Tensor:
    return torch.randn(2, 3, SIZE, SIZE, generator=torch.manual_seed(0))
