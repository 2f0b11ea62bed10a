"""Sequence networks: padding, order, windows, stored features."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from detector.networks.base import (
    FeatureNetwork,
    Network,
    SequenceNetwork,
    architectures,
    create,
    is_sequence,
)

SEQUENCES = ["efficientnet_b3_transformer", "efficientnet_lstm"]


def make_features(network: SequenceNetwork, length: int, seed: int = 0) -> Tensor:
    """Features of one sequence, (1, length, d), as far apart as those of any frames."""
    width = network.project[1].out_features
    return torch.randn(1, length, width, generator=torch.manual_seed(seed))


def full_mask(features: Tensor) -> Tensor:
    return torch.ones(features.shape[:2], dtype=torch.bool)


def find_sequence_network(networks: dict[str, Network], name: str) -> SequenceNetwork:
    network = networks[name]
    assert isinstance(network, SequenceNetwork)
    return network


def test_sequence_architectures() -> None:
    assert [name for name in architectures() if is_sequence(name)] == SEQUENCES
    assert not is_sequence("nosuch")


class TestSequences:
    @pytest.mark.parametrize("name", SEQUENCES)
    @pytest.mark.parametrize(
        "padding", [(4, 0, 0), (0, 0, 4), (0, 4, 0), (1, 2, 3)], ids=["front", "back", "middle", "all over"]
    )
    def test_padding_changes_nothing(
        self, networks: dict[str, Network], name: str, padding: tuple[int, int, int]
    ) -> None:
        network = find_sequence_network(networks, name)
        features = make_features(network, 6)
        width = features.shape[2]
        front, middle, back = (1e3 * torch.ones(1, count, width) for count in padding)
        stuffed = torch.cat([front, features[:, :2], middle, features[:, 2:], back], dim=1)
        present = torch.tensor([[False] * padding[0] + [True] * 2 + [False] * padding[1] + [True] * 4])
        present = torch.cat([present, torch.zeros(1, padding[2], dtype=torch.bool)], dim=1)
        with torch.inference_mode():
            plain = network.judge(features, full_mask(features))
            assert network.judge(stuffed, present).item() == pytest.approx(plain.item(), abs=1e-5)
            assert network.judge(stuffed, torch.ones_like(present)).item() != pytest.approx(
                plain.item(), abs=1e-3
            ), "what is hidden by the mask would have counted"

    @pytest.mark.parametrize("name", SEQUENCES)
    def test_a_batch_of_different_lengths(self, networks: dict[str, Network], name: str) -> None:
        """The longest neither first nor last, so that sorting by length has to be undone."""
        network = find_sequence_network(networks, name)
        lengths = [3, 10, 1, 7]
        sequences = [make_features(network, length, seed) for seed, length in enumerate(lengths)]
        batch = torch.cat([nn.functional.pad(s, (0, 0, 0, 10 - s.shape[1])) for s in sequences])
        present = torch.arange(10)[None] < torch.tensor(lengths)[:, None]
        with torch.inference_mode():
            together = network.judge(batch, present)
            alone = torch.cat([network.judge(s, full_mask(s)) for s in sequences])
        assert together.shape == (4,)
        assert together.tolist() == pytest.approx(alone.tolist(), abs=1e-5)
        assert len({round(value, 4) for value in together.tolist()}) == 4

    @pytest.mark.parametrize("name", SEQUENCES)
    def test_order_matters(self, networks: dict[str, Network], name: str) -> None:
        network = find_sequence_network(networks, name)
        features = make_features(network, 8)
        swapped = features[:, [0, 1, 5, 3, 4, 2, 6, 7]]
        with torch.inference_mode():
            forwards = network.judge(features, full_mask(features)).item()
            backwards = network.judge(features.flip(1), full_mask(features)).item()
            with_two_swapped = network.judge(swapped, full_mask(features)).item()
        assert abs(forwards - backwards) > 1e-4 and abs(forwards - with_two_swapped) > 1e-6

    @pytest.mark.parametrize("name", SEQUENCES)
    def test_single_face_is_a_sequence_of_one(
        self, networks: dict[str, Network], crops: Tensor, name: str
    ) -> None:
        network = find_sequence_network(networks, name)
        with torch.inference_mode():
            features = network.features(crops)
            one_by_one = [network.judge(f[None, None], torch.ones(1, 1, dtype=torch.bool)) for f in features]
            assert network(crops).tolist() == pytest.approx(torch.cat(one_by_one).tolist(), abs=1e-5)
        assert features.shape == (2, make_features(network, 1).shape[2])

    @pytest.mark.parametrize(
        ("name", "window"), [("efficientnet_lstm", 16), ("efficientnet_b3_transformer", 30)]
    )
    def test_a_whole_window_can_be_judged(self, networks: dict[str, Network], name: str, window: int) -> None:
        """And its last frame counts as well as its first."""
        network = find_sequence_network(networks, name)
        assert network.window == window
        features = make_features(network, window)
        first, last = features.clone(), features.clone()
        first[:, 0] *= -1
        last[:, -1] *= -1
        with torch.inference_mode():
            logits = [network.judge(f, full_mask(f)).item() for f in (features, first, last)]
        assert len({round(logit, 7) for logit in logits}) == 3

    @pytest.mark.parametrize(
        ("name", "rate"), [("efficientnet_lstm", 1e-2), ("efficientnet_b3_transformer", 1e-3)]
    )
    def test_heads_learn_order(self, name: str, rate: float) -> None:
        """Four sequences are real, the same ones played backwards are manipulated."""
        torch.manual_seed(0)
        network = create(name)
        assert isinstance(network, SequenceNetwork)
        forwards = torch.cat([make_features(network, 6, seed) for seed in range(4)])
        features, labels = torch.cat([forwards, forwards.flip(1)]), torch.tensor([0.0] * 4 + [1.0] * 4)
        head = [p for n, p in network.named_parameters() if not n.startswith(("backbone.", "project."))]
        optimizer = torch.optim.AdamW(head, rate)
        network.train()
        for _ in range(24):
            loss = nn.functional.binary_cross_entropy_with_logits(
                network.judge(features, full_mask(features)), labels
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.inference_mode():
            logits = network.eval().judge(features, full_mask(features))
        assert (logits[:4] < 0).all() and (logits[4:] > 0).all()


def test_stored_features_are_judged_like_crops(networks: dict[str, Network], crops: Tensor) -> None:
    network = networks["resnet18_features_mlp"]
    assert isinstance(network, FeatureNetwork)
    with torch.inference_mode():
        features = network.features(crops)
        assert features.shape == (2, network.width) == (2, 1000)
        assert network.judge(features).tolist() == pytest.approx(network(crops).tolist(), abs=1e-5)
        assert network.judge(2 * features).tolist() != pytest.approx(network(crops).tolist(), abs=1e-5)
