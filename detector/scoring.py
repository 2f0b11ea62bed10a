"""The network on batches of crops: uint8 squares in, logits and calibrated probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from detector.analysis import Platt
from detector.faces import Image
from detector.models import LoadedModel
from detector.networks import SequenceNetwork

_WINDOWS = 256  # judged at once


def choose_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def normalised(batch: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    """uint8 (n, 3, h, w) to float32 in the network's own range, channels last, on the same device."""
    shape = (1, 3, 1, 1)
    # Made on the CPU and copied without waiting, which `device=` would do for all work on a GPU.
    centre = torch.tensor(mean).view(shape).to(batch.device, non_blocking=True)
    spread = torch.tensor(std).view(shape).to(batch.device, non_blocking=True)
    return ((batch.float() / 255 - centre) / spread).contiguous(memory_format=torch.channels_last)


class Scorer:
    """A loaded model on the fastest device present; preprocessing comes from its card.

    With ``still`` a crop and its mirror image are scored and averaged: a photo has no
    other frames that would even out chance. Sequence networks do without.
    """

    def __init__(self, model: LoadedModel, device: torch.device | None = None, still: bool = False) -> None:
        self.device = device or choose_device()
        self.card = model.card
        self.network = model.network.to(self.device)
        self._fast = model.fused.to(self.device)
        self._model = model
        self._mirrored = still and not isinstance(self.network, SequenceNetwork)

    @cached_property
    def stills(self) -> Scorer:
        """The same model, for photos and single crops."""
        return Scorer(self._model, self.device, still=True)

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
        """One logit a crop, each on its own; an empty sequence gives an empty array."""
        if not crops:
            return np.empty(0)
        with torch.inference_mode():
            return self._logits(self.tensor(crops)).double().cpu().numpy()

    def features(self, crops: Sequence[Image]) -> list[NDArray[np.float32]]:
        """What :meth:`track_logits` needs of each crop: the network's features (d,), or the logit (1,)."""
        if not crops:
            return []
        with torch.inference_mode():
            images = self.tensor(crops)
            if isinstance(self._fast, SequenceNetwork):
                return list(self._fast.features(images).float().cpu().numpy())
            return list(self._logits(images).float().cpu().numpy()[:, None])

    def track_logits(self, features: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """One logit a frame of one track, from the features of its usable frames in order of time.

        A sequence network judges each frame by the window of frames around it, shorter
        at the track's ends; other networks judge it alone. Windows go through the
        network some hundreds at a time, so memory does not grow with the track.
        """
        if not len(features):
            return np.empty(0)
        network = self.network
        if not isinstance(network, SequenceNetwork):
            return np.concatenate(features).astype(np.float64)
        sequence = torch.from_numpy(np.stack(features)).to(self.device)
        span, count = min(network.window, len(sequence)), len(sequence)
        starts = (torch.arange(count, device=self.device) - span // 2).clamp(0, count - span)
        steps = torch.arange(span, device=self.device)
        logits = []
        with torch.inference_mode():
            for some in starts.split(_WINDOWS):
                windows = sequence[some[:, None] + steps]
                present = torch.ones(windows.shape[:2], dtype=torch.bool, device=self.device)
                logits.append(network.judge(windows, present).double().cpu())
        return torch.cat(logits).numpy()

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self._fast(images)
        return (logits + self._fast(images.flip(3))) / 2 if self._mirrored else logits

    def probability(self, logit: float) -> float:
        """Calibrated probability that one frame was manipulated (temperature scaling, Guo et al., 2017)."""
        return _sigmoid(logit / self.card.temperature)

    def segment_probability(self, mean_logit: float) -> float:
        """The same of a segment, from the mean logit of its frames."""
        return self._of_mean(mean_logit, self.card.segment)

    def exhibit_probability(self, mean_logit: float) -> float:
        """The same of a person or exhibit, from that of its strongest segment or of all its frames."""
        return self._of_mean(mean_logit, self.card.exhibit)

    def _of_mean(self, mean_logit: float, platt: Platt | None) -> float:
        if platt is None:
            return self.probability(mean_logit)
        return _sigmoid(platt.scale * mean_logit + platt.offset)


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(value, -60, 60))))
