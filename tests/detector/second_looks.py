"""Second looks by networks that say what a test tells them to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from detector import analyze
from detector.faces.patch import cut_patch
from detector.faces.search.networks import FaceDetector
from detector.models.card import FusionHalf, Input, SecondLookCard
from detector.models.loaded import LoadedModel
from detector.networks.base import Network
from detector.schema.analysis import Analysis, Parameters
from detector.schema.model import Platt
from detector.scoring.moments import KeptMoment

HALVES = {
    "altered": FusionHalf(
        inputs=("fast", "inner altered", "head altered"),
        centre=(-1.0, -2.0, 0.5),
        spread=(1.0, 2.0, 1.0),
        weight=(1.0, 1.0, 0.5),
        bias=-1.0,
    ),
    "synthesised": FusionHalf(
        inputs=("inner synthesised", "head synthesised"),
        centre=(-1.5, -2.5),
        spread=(1.0, 1.0),
        weight=(0.5, 1.0),
        bias=-2.0,
    ),
}


class Says(Network):
    """Gives the same six logits whatever it sees; with ``unsteady``, others of mirrored pictures.

    Of four, the heads for photographs say what those of the whole head do.
    """

    gives_tokens = False

    def __init__(self, logits: tuple[float, ...], unsteady: bool = False) -> None:
        super().__init__()
        self.said = nn.Parameter(torch.tensor(logits if len(logits) == 6 else (*logits, *logits[2:])))
        self.look = nn.Conv2d(3, 1, 3, padding=1)
        self.unsteady = unsteady

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        return (self.look,)

    def forward(self, crops: Tensor) -> Tensor:
        seen = self.look(crops).mean(dim=(1, 2, 3))[:, None]
        out = self.said.expand(len(crops), -1) + 1e-3 * seen
        if self.unsteady:  # what a network that reads brightness by its side would say
            half = crops.shape[-1] // 2
            left, right = crops[..., :half].mean(dim=(1, 2, 3)), crops[..., half:].mean(dim=(1, 2, 3))
            out = out + 3.0 * torch.tanh(4 * (left - right))[:, None]
        return out


def card(platt: Platt | None = None) -> SecondLookCard:
    """Of a network such as :class:`Says`; ``platt`` makes its probability."""
    return SecondLookCard(
        name="says",
        of="0" * 64,
        architecture="vit_small_14",
        sha256="0" * 64,
        input=Input(size=32, mean=(0.5,) * 3, std=(0.5,) * 3),
        probability=platt or Platt(scale=1.0, offset=0.0),
        **HALVES,
    )


def with_second_look(
    model: LoadedModel, network: Network, platt: Platt | None = None, agreement: float | None = None
) -> LoadedModel:
    """``model`` with ``network`` for its second look."""
    second = card(platt).model_copy(update={"agreement": agreement})
    changed = model.card.model_copy(update={"second_look": second})
    looks = LoadedModel(second.as_card("says"), network)
    made = LoadedModel(changed, weights=model.weights, second_look=looks)
    vars(made)["_alone"] = model.alone  # its network has been compiled
    return made


def judged(exhibit: Path, model: LoadedModel, network: Network, platt: Platt | None = None) -> Analysis:
    """An exhibit analysed with ``network`` for the second look."""
    changed = with_second_look(model, network.eval(), platt)
    return analyze(exhibit, model=changed, parameters=Parameters(edge_window=0))


def moments_of(astronaut: np.ndarray, brighter: tuple[float, float]) -> list[KeptMoment]:
    """Of five seconds of the astronaut, darker to the right, brighter from one time to another."""
    box = FaceDetector()(astronaut)[0].box
    slope = np.linspace(1.0, 0.7, astronaut.shape[1])[None, :, None]
    out = []
    for time in np.arange(0.25, 5.0, 0.5).tolist():
        light = 1.0 if brighter[0] <= time <= brighter[1] else 0.55
        out.append(KeptMoment(0, time, 0, cut_patch((astronaut * slope * light).astype(np.uint8), box), 0.0))
    return out
