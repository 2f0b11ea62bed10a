"""Maps and checks where more than one network decided."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import torch

from detector.explain.heatmaps import heatmap_of, occlusion_check
from detector.faces.crop import CropSquare
from detector.models.card import Input
from detector.networks.base import Network
from detector.scoring.fusion import Explainable, SeenCrop
from detector.scoring.scorer import Scorer


class Blind(Network):
    """Every place lowers its logit, so that its maps are empty."""

    gives_tokens = False

    def __init__(self) -> None:
        super().__init__()
        self.look = torch.nn.Conv2d(3, 1, 3, padding=1)
        torch.nn.init.constant_(self.look.weight, -1.0)
        torch.nn.init.constant_(self.look.bias, -1.0)

    @property
    def cam_layers(self) -> tuple[torch.nn.Module, ...]:
        return (self.look,)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.look(crops).mean(dim=(1, 2, 3))
        return logits


class TestSeveralNetworks:
    """Where more than one network decided, on crops of its own size."""

    def face(self, scorer: Scorer, *crops: np.ndarray) -> Explainable:
        seen = tuple(SeenCrop(crop, scorer.network, scorer.card.input) for crop in crops)

        def logits(changed: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
            assert len(changed) == len(crops)
            with torch.inference_mode():  # in torch, which takes crops of any size
                return sum(scorer.network(scorer.tensor(pictures)).double().numpy() for pictures in changed)

        return Explainable(CropSquare(0, 0, 1, 0), seen, float(logits([[c] for c in crops])[0]), logits)

    def test_map_is_hot_where_all_networks_are(self, scorer: Scorer, crop: np.ndarray) -> None:
        larger = cv2.resize(crop[:, ::-1], (192, 192), interpolation=cv2.INTER_CUBIC)
        heatmap, other = (heatmap_of(self.face(scorer, image)) for image in (crop, larger))
        both = heatmap_of(self.face(scorer, crop, larger))
        assert both.shape == (192, 192) and both.any()
        assert not both[other == 0].any()
        enlarged = np.maximum(cv2.resize(heatmap, (192, 192), interpolation=cv2.INTER_CUBIC), 0)
        assert both == pytest.approx(np.sqrt(enlarged * other), rel=1e-3, abs=1e-5)

    def test_first_map_is_used_without_common_heat(self, scorer: Scorer, crop: np.ndarray) -> None:
        alone = self.face(scorer, crop)
        blind = SeenCrop(crop, Blind().eval(), Input(size=crop.shape[0], mean=(0.0,) * 3, std=(1.0,) * 3))
        assert not heatmap_of(dataclasses.replace(alone, seen=(blind,))).any()
        together = dataclasses.replace(alone, seen=(*alone.seen, blind))
        assert np.array_equal(heatmap_of(together), heatmap_of(alone))

    def test_check_hides_the_area_from_every_network(self, scorer: Scorer, crop: np.ndarray) -> None:
        """A patch of both crops in which one is flat: hiding it changes the other's logit alone."""
        larger = cv2.resize(crop, (192, 192), interpolation=cv2.INTER_CUBIC)
        heat = np.zeros((192, 192), np.float32)
        heat[60:130, 60:130] = 1
        alone = [occlusion_check(scorer, self.face(scorer, image), heat, 0) for image in (crop, larger)]
        both = occlusion_check(scorer, self.face(scorer, crop, larger), heat, 0)
        assert both.drop_highlight == pytest.approx(sum(check.drop_highlight for check in alone), abs=1e-3)
        assert both.drop_random == pytest.approx(sum(check.drop_random for check in alone), abs=1e-3)
