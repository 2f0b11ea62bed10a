"""Base of the networks of the second look: a face in two framings, two questions about each.

Unlike other networks they give six logits a crop: each reading (:mod:`detector.networks.readings`) has two
outputs, *altered* and *synthesised*. Those of readings that the crop is not meant for mean nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from detector.networks.base import Network
from detector.networks.readings import QUESTIONS, READINGS


class FramingNetwork(Network):
    """Crops (n, 3, size, size), normalised, to logits (n, readings · questions), a reading's together.

    One of another architecture than the shipped one is fitted and shipped alike (docs/training.md): it is
    registered under its ``architecture``, and has ``forward`` and, for heatmaps, ``cam_layers``.
    """

    architecture: str
    size: int  # px of a crop
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def of_reading(self, logits: Tensor, reading: Tensor) -> Tensor:
        """The logits (n, questions) of the reading (n,) each crop is meant for."""
        by_reading = logits.view(-1, READINGS, QUESTIONS)
        return by_reading[torch.arange(len(reading), device=reading.device), reading]

    def normalised(self, crops: Tensor) -> Tensor:
        """uint8 (n, h, w, 3) to what the network takes."""
        x = crops.permute(0, 3, 1, 2).float().div_(255)
        return (x - torch.tensor(self.mean).view(1, 3, 1, 1)) / torch.tensor(self.std).view(1, 3, 1, 1)
