"""Crops in, logits and calibrated probabilities out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detector.faces import FaceDetector, cut, framing
from detector.models import LoadedModel
from detector.scoring import Scorer, choose_device


@pytest.fixture(scope="module")
def crops(scorer: Scorer, astronaut: np.ndarray) -> list[np.ndarray]:
    size = scorer.card.input.size
    face = cut(astronaut, framing(FaceDetector()(astronaut)[0]), size)
    noise = np.random.default_rng(0).integers(0, 255, (size, size, 3), np.uint8)
    return [face, np.ascontiguousarray(face[:, ::-1]), noise, np.zeros_like(face)]


def test_preprocessing_is_the_cards(model: LoadedModel) -> None:
    """Red, green and blue each by their own mean and spread."""
    changed = model.card.input.model_copy(update={"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.25, 1.0)})
    scorer = Scorer(LoadedModel(model.card.model_copy(update={"input": changed}), model.network))
    crop = np.zeros((128, 128, 3), np.uint8)
    crop[:] = (255, 51, 0)
    tensor = scorer.tensor([crop]).cpu()
    assert tensor.shape == (1, 3, 128, 128)
    assert tensor[0, :, 5, 7].tolist() == pytest.approx([(1 - 0.1) / 0.5, 0.0, -0.3], abs=1e-6)


def test_rows_and_columns_stay_where_they_are(scorer: Scorer) -> None:
    crop = np.zeros((128, 128, 3), np.uint8)
    crop[10, 90] = 255
    tensor = scorer.tensor([crop]).cpu()
    assert (tensor[0, 0] > tensor[0, 0].min()).nonzero().tolist() == [[10, 90]]


def test_one_logit_a_crop_whatever_the_batch(scorer: Scorer, crops: list[np.ndarray]) -> None:
    together = scorer.logits(crops)
    assert together.shape == (4,) and together.dtype == np.float64
    alone = [scorer.logits([crop])[0] for crop in crops]
    assert together == pytest.approx(alone, abs=1e-3)
    assert scorer.logits(crops).tolist() == together.tolist()
    assert len({round(logit, 3) for logit in together}) == 4


def test_no_crops(scorer: Scorer) -> None:
    assert scorer.logits([]).shape == (0,)


def test_probability_is_the_sigmoid_of_the_logit_over_the_temperature(model: LoadedModel) -> None:
    scorer = Scorer(LoadedModel(model.card.model_copy(update={"temperature": 2.0}), model.network))
    for logit, probability in [(0, 0.5), (2, 0.731059), (-2, 0.268941), (4, 0.880797)]:
        assert scorer.probability(logit) == pytest.approx(probability, abs=1e-6)
    assert scorer.probability(1e9) <= 1 and scorer.probability(-1e9) >= 0


def test_device(scorer: Scorer) -> None:
    assert choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert scorer.device_name.startswith(choose_device().type)
    assert Scorer(scorer_model(scorer), torch.device("cpu")).device_name == "cpu"


def scorer_model(scorer: Scorer) -> LoadedModel:
    return LoadedModel(scorer.card, scorer.network)
