"""The network on batches of crops: uint8 squares in, logits and calibrated probabilities out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from detector.faces import Image
from detector.models import LoadedModel


def choose_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def normalised(batch: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    """uint8 (n, 3, h, w) to float32 in the network's own range, channels last, on the same device."""
    shape = (1, 3, 1, 1)
    centre = torch.tensor(mean, device=batch.device).view(shape)
    spread = torch.tensor(std, device=batch.device).view(shape)
    return ((batch.float() / 255 - centre) / spread).contiguous(memory_format=torch.channels_last)


class Scorer:
    """A loaded model on the fastest device present; preprocessing comes from its card."""

    def __init__(self, model: LoadedModel, device: torch.device | None = None) -> None:
        self.device = device or choose_device()
        self.card = model.card
        self.network = model.network.to(self.device)

    @property
    def device_name(self) -> str:
        if self.device.type == "cuda":
            return f"cuda ({torch.cuda.get_device_name(self.device)})"
        return "cpu"

    def tensor(self, crops: Sequence[Image]) -> torch.Tensor:
        """Crops (size, size, 3) as the network wants them: (n, 3, size, size), normalised."""
        stacked = torch.from_numpy(np.stack(crops)).to(self.device).permute(0, 3, 1, 2)
        return normalised(stacked, self.card.input.mean, self.card.input.std)

    def logits(self, crops: Sequence[Image]) -> NDArray[np.float64]:
        """One logit a crop; an empty sequence gives an empty array."""
        if not crops:
            return np.empty(0)
        with torch.inference_mode():
            return self.network(self.tensor(crops)).double().cpu().numpy()

    def probability(self, logit: float) -> float:
        """Calibrated probability of manipulation (temperature scaling, Guo et al., 2017)."""
        return float(1 / (1 + np.exp(-np.clip(logit / self.card.temperature, -60, 60))))
