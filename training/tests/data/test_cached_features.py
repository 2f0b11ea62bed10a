"""Features kept as .npy: written once, whole or not at all, and gone over in an order of the seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from detector.errors import ParameterError
from detector.networks.base import FeatureNetwork, create
from training.data.sources import BatchSource, open_cached_features
from training.losses import Batch
from training.recipe import DEFAULT_RECIPE, Config, FeaturesConfig, read_config


class Mean(FeatureNetwork):
    """Three features: a crop's mean colour. In training mode they would all be the same."""

    width = 3

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 1)

    def features(self, crops: Tensor) -> Tensor:
        return crops.mean(dim=(2, 3)) * (not self.training)

    def judge(self, features: Tensor) -> Tensor:
        return self.head(features).flatten()


class Counted:
    """Batches of four crops; crop number i is of level i, and every third is manipulated."""

    def __init__(self, examples: int) -> None:
        self.examples, self.given = examples, 0

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, self.examples, 4):
            self.given += 1
            levels = torch.arange(start, min(self.examples, start + 4), dtype=torch.float32)
            yield Batch(levels[:, None, None, None].expand(-1, 3, 8, 8), (levels % 3 == 0).float())


def source(examples: int = 1000) -> BatchSource:
    return BatchSource(Counted(examples), lambda: list(Counted(6)))


def recipe(**changes: object) -> Config:
    shipped = read_config(DEFAULT_RECIPE)
    features = FeaturesConfig(examples=10)
    return shipped.model_copy(
        update={"name": "tiny", "features": features, "batch": 5, "samples": 30, "seed": 1, **changes}
    )


def numbers(given: BatchSource) -> list[list[int]]:
    """Which examples each batch holds, told by their level."""
    return [batch.crops[:, 0].int().tolist() for batch in given.batches]


def one(folder: Path, what: str) -> Path:
    (path,) = folder.glob(f"tiny-*-{what}.npy")
    return path


def test_two_files_hold_the_examples_in_their_order(tmp_path: Path) -> None:
    """As many as asked for, though a batch ends elsewhere; no more are made than needed."""
    given = source()
    open_cached_features(given, Mean().train(), recipe(), tmp_path, 0)
    features, labels = (np.load(one(tmp_path, what)) for what in ("features", "labels"))
    assert features.dtype == np.float16 and labels.dtype == np.float32
    assert features.tolist() == [[i] * 3 for i in range(10)]
    assert labels.tolist() == [float(i % 3 == 0) for i in range(10)]
    assert given.batches.given == 3
    assert len(list(tmp_path.iterdir())) == 2


def test_they_are_made_once(tmp_path: Path) -> None:
    first = numbers(open_cached_features(source(), Mean(), recipe(), tmp_path, 0))
    again = source(0)
    assert numbers(open_cached_features(again, Mean(), recipe(), tmp_path, 0)) == first
    assert again.batches.given == 0
    other = source()
    open_cached_features(other, Mean(), recipe(seed=9), tmp_path, 0)
    assert other.batches.given == 3, "each recipe has its own"
    longer = source(0)
    open_cached_features(longer, Mean(), recipe(samples=60), tmp_path, 0)
    assert longer.batches.given == 0, "more passes over them are not another recipe"


def test_half_of_the_pair_is_not_enough(tmp_path: Path) -> None:
    open_cached_features(source(), Mean(), recipe(), tmp_path, 0)
    one(tmp_path, "labels").unlink()
    again = source()
    open_cached_features(again, Mean(), recipe(), tmp_path, 0)
    assert again.batches.given == 3 and one(tmp_path, "labels").exists()


def test_passes_are_shuffled_by_the_seed_and_whole(tmp_path: Path) -> None:
    """Thirty examples of ten: three passes, each with every example once, each in its own order."""
    batches = numbers(open_cached_features(source(), Mean(), recipe(), tmp_path, 0))
    assert [len(batch) for batch in batches] == [5] * 6
    passes = [batches[i] + batches[i + 1] for i in (0, 2, 4)]
    assert all(sorted(order) == list(range(10)) for order in passes)
    assert len({tuple(order) for order in passes}) == 3
    assert numbers(open_cached_features(source(), Mean(), recipe(), tmp_path, 0)) == batches
    assert numbers(open_cached_features(source(), Mean(), recipe(seed=2), tmp_path, 0)) != batches


def test_a_resumed_run_sees_what_it_would_have_seen(tmp_path: Path) -> None:
    whole = numbers(open_cached_features(source(), Mean(), recipe(), tmp_path, 0))
    assert numbers(open_cached_features(source(), Mean(), recipe(), tmp_path, 15)) == whole[3:]
    assert numbers(open_cached_features(source(), Mean(), recipe(), tmp_path, 30)) == []


def test_batches_are_judged_by_the_head_alone(tmp_path: Path) -> None:
    network = Mean()
    made = open_cached_features(source(), network, recipe(), tmp_path, 0)
    for batch in made.batches:
        assert batch.featured and batch.crops.dtype == batch.labels.dtype == torch.float32
        assert batch.crops.shape == (5, 3) and batch.labels.shape == (5,)
        assert batch.labels.tolist() == [float(level % 3 == 0) for level in batch.crops[:, 0].tolist()]
        loss = batch.forward(network).sum()
    loss.backward()
    assert network.head.weight.grad is not None and network.head.weight.grad.any()


def test_validation_is_computed_once_and_in_order(tmp_path: Path) -> None:
    asked = []

    def validation() -> list[Batch]:
        asked.append(1)
        return list(Counted(6))

    network = Mean()
    made = open_cached_features(BatchSource(Counted(1000), validation), network, recipe(), tmp_path, 0)
    first, second = made.validation(), made.validation()
    assert len(asked) == 1
    assert [b.crops[:, 0].tolist() for b in first] == [[0, 1, 2, 3], [4, 5]]
    assert [b.labels.tolist() for b in second] == [[1, 0, 0, 1], [0, 0]]
    with torch.inference_mode():
        assert first[0].forward(network).tolist() == pytest.approx(
            network.eval()(next(iter(Counted(4))).crops).tolist()
        )


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"efficientnet_lite0 has no features.*\[features\]"):
        open_cached_features(source(), create("efficientnet_lite0"), recipe(), tmp_path, 0)
    assert not list(tmp_path.iterdir())


def test_too_few_examples_are_refused_and_not_taken_for_done(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="only 7 examples, not the 10"):
        open_cached_features(source(7), Mean(), recipe(), tmp_path, 0)
    assert not list(tmp_path.glob("*.npy"))
    open_cached_features(source(), Mean(), recipe(), tmp_path, 0)
    assert len(list(tmp_path.glob("*.npy"))) == 2
