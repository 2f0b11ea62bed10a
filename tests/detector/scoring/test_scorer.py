"""Crops in, logits and calibrated probabilities out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from detector.backends.torch import choose_device
from detector.faces.crop import crop_square, square_for_face
from detector.faces.search.networks import FaceDetector
from detector.models.loaded import LoadedModel
from detector.networks.base import SequenceNetwork
from detector.schema.analysis import Platt
from detector.scoring import scorer as scoring_scorer
from detector.scoring.scorer import Scorer


@pytest.fixture(scope="module")
def crops(scorer: Scorer, astronaut: np.ndarray) -> list[np.ndarray]:
    size = scorer.card.input.size
    face = crop_square(astronaut, square_for_face(FaceDetector()(astronaut)[0]), size)
    noise = np.random.default_rng(0).integers(0, 255, (size, size, 3), np.uint8)
    return [face, np.ascontiguousarray(face[:, ::-1]), noise, np.zeros_like(face)]


def test_preprocessing_follows_the_card(model: LoadedModel) -> None:
    """Red, green and blue each by their own mean and spread."""
    changed = model.card.input.model_copy(update={"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.25, 1.0)})
    scorer = Scorer(LoadedModel(model.card.model_copy(update={"input": changed}), model.network))
    crop = np.zeros((128, 128, 3), np.uint8)
    crop[:] = (255, 51, 0)
    tensor = scorer.tensor([crop]).cpu()
    assert tensor.shape == (1, 3, 128, 128)
    assert tensor[0, :, 5, 7].tolist() == pytest.approx([(1 - 0.1) / 0.5, 0.0, -0.3], abs=1e-6)


def test_rows_and_columns_are_preserved(scorer: Scorer) -> None:
    crop = np.zeros((128, 128, 3), np.uint8)
    crop[10, 90] = 255
    tensor = scorer.tensor([crop]).cpu()
    assert (tensor[0, 0] > tensor[0, 0].min()).nonzero().tolist() == [[10, 90]]


def test_logits_are_independent_of_the_batch(scorer: Scorer, crops: list[np.ndarray]) -> None:
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


def test_device(model: LoadedModel, scorer: Scorer) -> None:
    assert choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert scorer.backend.device.startswith(choose_device().type)
    on_cpu = Scorer(LoadedModel(model.card, model.network), torch.device("cpu"))
    assert (on_cpu.backend.name, on_cpu.backend.device) == ("torch", "cpu")


class Listening(SequenceNetwork):
    """Features are a crop's mean colour; a window's logit is the sum of its red, place by place times ten.

    So with reds of 1 to 9 a logit shows in its digits which frames the window held.
    """

    window = 5

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))
        self.heard: list[tuple[int, ...]] = []

    def features(self, crops: Tensor) -> Tensor:
        return crops.mean(dim=(2, 3))

    def judge(self, features: Tensor, present: Tensor) -> Tensor:
        assert present.dtype == torch.bool and present.all() and present.shape == features.shape[:2]
        self.heard.append(tuple(features.shape[:2]))
        digits = 10.0 ** torch.arange(features.shape[1] - 1, -1, -1, dtype=torch.float64)
        return features[..., 0].double() @ digits


@pytest.fixture
def listening(model: LoadedModel) -> Scorer:
    return Scorer(LoadedModel(model.card, Listening()), torch.device("cpu"))


def told(*frames: int) -> list[np.ndarray]:
    return [np.array([number, 0.0, 0.0], np.float32) for number in frames]


class TestTracks:
    def test_frame_networks_judge_each_frame_alone(self, scorer: Scorer, crops: list[np.ndarray]) -> None:
        features = scorer.features(crops)
        assert [f.shape for f in features] == [(1,)] * 4 and features[0].dtype == np.float32
        logits = scorer.track_logits(features)
        assert logits.dtype == np.float64
        assert logits.tolist() == pytest.approx(scorer.logits(crops).tolist(), abs=1e-5)
        assert scorer.track_logits(features[::-1]).tolist() == logits[::-1].tolist()

    def test_features_of_a_sequence_network(self, listening: Scorer) -> None:
        """One crop after the other, by the card's preprocessing."""
        crops = [np.full((128, 128, 3), level, np.uint8) for level in (0, 51, 255)]
        features = listening.features(crops)
        assert [f.shape for f in features] == [(3,)] * 3 and features[0].dtype == np.float32
        means = listening.tensor(crops).mean(dim=(2, 3))
        assert np.stack(features) == pytest.approx(means.numpy(), abs=1e-5)

    def test_sequence_network_uses_neighbouring_frames(self, listening: Scorer) -> None:
        """Windows of five, the frame in the middle; at the ends they stop moving."""
        assert listening.track_logits(told(1, 2, 3, 4, 5, 6, 7, 8)).tolist() == [
            *[12345, 12345, 12345],
            *[23456, 34567],
            *[45678, 45678, 45678],
        ]

    @pytest.mark.parametrize(
        ("frames", "logits"), [((7,), [7]), ((4, 2, 9), [429] * 3), (range(1, 6), [12345] * 5)]
    )
    def test_short_track_is_one_window(
        self, listening: Scorer, frames: tuple[int, ...], logits: list[float]
    ) -> None:
        assert listening.track_logits(told(*frames)).tolist() == logits

    def test_even_window(self, listening: Scorer) -> None:
        """There is no middle: one frame more lies before."""
        listening.network.window = 4
        assert listening.track_logits(told(1, 2, 3, 4, 5, 6)).tolist() == [1234, 1234, 1234, 2345, 3456, 3456]

    def test_long_track_in_parts_gives_the_same_logits(
        self, listening: Scorer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        frames = told(*np.random.default_rng(0).integers(1, 10, 600).tolist())
        logits = listening.track_logits(frames)
        heard = listening.network.heard
        assert sum(windows for windows, _ in heard) == 600 and len(heard) == 3
        assert max(windows for windows, _ in heard) == 256, "memory does not grow with the track"
        monkeypatch.setattr(scoring_scorer, "_WINDOWS", 1)
        assert listening.track_logits(frames).tolist() == logits.tolist()
        # Far from the ends, a frame's window alone gives its logit.
        assert [listening.track_logits(frames[i - 2 : i + 3])[2] for i in (2, 255, 256, 597)] == [
            logits[i] for i in (2, 255, 256, 597)
        ]

    def test_no_features_give_no_logits(self, scorer: Scorer, listening: Scorer) -> None:
        for candidate in (scorer, listening):
            assert candidate.features([]) == []
            assert candidate.track_logits([]).shape == (0,)


def test_each_level_has_its_own_calibration(model: LoadedModel) -> None:
    """Without one of its own a level is calibrated as single frames are."""
    changes = {"temperature": 2.0, "segment": Platt(scale=0.5, offset=-1.0), "exhibit": None}
    scorer = Scorer(LoadedModel(model.card.model_copy(update=changes), model.network))
    assert scorer.probability(4.0) == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert scorer.segment_probability(4.0) == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert scorer.person_probability(4.0) == scorer.probability(4.0)
