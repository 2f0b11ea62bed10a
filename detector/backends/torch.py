"""Run any architecture with torch, on a CUDA device or the processor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from detector.networks.base import Network, SequenceNetwork, fuse_batchnorm

if TYPE_CHECKING:
    from detector.media.frame import Image
    from detector.models.card import Input
    from detector.models.loaded import LoadedModel


_FUSED: WeakKeyDictionary[LoadedModel, Network] = WeakKeyDictionary()


def fused_network(model: LoadedModel) -> Network:
    """Return a model's network for scoring; created once, because copying it takes longer than a photo."""
    if model not in _FUSED:
        _FUSED[model] = fuse_batchnorm(model.network).to(memory_format=torch.channels_last)
    return _FUSED[model]


def choose_device() -> torch.device:
    """Return the CUDA device if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def normalise_batch(batch: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    """Normalise uint8 (n, 3, h, w) to float32, channels last, on the same device."""
    shape = (1, 3, 1, 1)
    # Created on the CPU and copied asynchronously; `device=` would wait for all work on a GPU.
    centre = torch.tensor(mean).view(shape).to(batch.device, non_blocking=True)
    spread = torch.tensor(std).view(shape).to(batch.device, non_blocking=True)
    return ((batch.float() / 255 - centre) / spread).contiguous(memory_format=torch.channels_last)


def prepare_images(crops: Sequence[Image], given: Input, device: torch.device) -> torch.Tensor:
    """Convert crops (size, size, 3) to the input of a network: (n, 3, size, size), normalised."""
    pixels = torch.from_numpy(np.stack(crops)).to(device).permute(0, 3, 1, 2)
    return normalise_batch(pixels, given.mean, given.std)


class Torch:
    """Runs a network with its batch normalisations folded into the convolutions."""

    name = "torch"

    def __init__(self, model: LoadedModel, device: torch.device) -> None:
        self.version = str(torch.__version__)
        self.threads = torch.get_num_threads()
        self.precision = f"float32, matrix products {torch.get_float32_matmul_precision()}"
        self.device = "cpu"
        if device.type == "cuda":
            self.device = f"cuda ({torch.cuda.get_device_name(device)})"
        self._device = device
        self._input = model.card.input
        self._network = fused_network(model).to(device)

    def get_ready(self) -> None:
        """See :class:`detector.backends.runtimes.Backend`. Nothing is left to do."""

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.runtimes.Backend`."""
        with torch.inference_mode():
            pixels = torch.from_numpy(np.ascontiguousarray(crops)).to(self._device).permute(0, 3, 1, 2)
            images = normalise_batch(pixels, self._input.mean, self._input.std)
            network = self._network
            out = network.features(images) if isinstance(network, SequenceNetwork) else network(images)
            result: NDArray[np.float32] = out.float().cpu().numpy()
            return result
