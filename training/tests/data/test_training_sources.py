"""Batches for the loop: the right examples for each recipe, in the network's range, sequences in order."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from made_faces import crop, encoded, samples, write_archive
from torch import Tensor
from torch.utils.data import Dataset

from detector.backends.torch import normalise_batch
from detector.errors import ParameterError
from detector.face_blending import TEMPLATE
from detector.networks.base import Network, SequenceNetwork
from training.data import sources
from training.data.crop_examples import CELL, stack_crops
from training.data.labelled_sets import DataSetError
from training.data.own_sets import OwnSetExamples
from training.data.research_faces import MARGIN, MovingFace, Sample
from training.data.sources import BatchSource, _Loaded, framed_batches, open_source
from training.losses import Batch
from training.recipe import DEFAULT_RECIPE, Config, MixConfig, SequencesConfig, SetConfig, read_config

SIZE = 64


def recipe(**changes: object) -> Config:
    shipped = read_config(DEFAULT_RECIPE)
    tiny = {"size": SIZE, "batch": 4, "samples": 14, "seed": 1, "hidden": 0.0}
    return shipped.model_copy(update=tiny | changes)


def person(seed: int) -> MovingFace:
    """A pattern that holds still."""
    side = round(100 * MARGIN)
    points = (TEMPLATE * 100 + (side - 100) / 2).astype(np.float32)
    shown = (encoded(crop(seed, False, side), ".jpg"),) * 20
    return MovingFace(f"c{seed}", shown, np.repeat(points[None], 20, axis=0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Research data with nothing but a validation archive: three real and three fake crops."""
    folder = tmp_path_factory.mktemp("data")
    write_archive(folder / "dfdc-val.zip", 3, first=50)
    return folder


@pytest.fixture(autouse=True)
def gathered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is slow to gather is made; where it would be kept is checked."""

    def harvest(data: Path, cache: Path) -> list[Sample]:
        assert cache == tmp_path / "harvest"
        return samples()

    monkeypatch.setattr(sources, "harvest", harvest)
    monkeypatch.setattr(sources, "gather_moving_faces", lambda data, cache: [person(300), person(301)])


class TestMixed:
    def opened(self, folder: Path, out: Path, seen: int = 0) -> BatchSource:
        return open_source(recipe(), folder, out, seen)

    def test_batches_are_whole_and_know_where_a_blend_lies(self, folder: Path, tmp_path: Path) -> None:
        """Fourteen examples are three batches of four."""
        batches = list(self.opened(folder, tmp_path).batches)
        assert len(batches) == 3
        for batch in batches:
            assert batch.crops.shape == (4, 3, SIZE, SIZE) and batch.crops.dtype == torch.float32
            assert batch.crops.min() >= -1 and batch.crops.max() <= 1 and batch.crops.std() > 0.05
            assert batch.labels.shape == (4,) and batch.labels.dtype == torch.float32
            assert batch.where is not None and batch.where.shape == (4, SIZE // CELL, SIZE // CELL)
            assert batch.present is None and not batch.featured
        labels = torch.cat([batch.labels for batch in batches])
        assert set(labels.tolist()) == {0.0, 1.0}

    @pytest.mark.usefixtures("examples_made_here")
    def test_the_rest_of_a_run(self, folder: Path, tmp_path: Path) -> None:
        whole, rest = list(self.opened(folder, tmp_path).batches), self.opened(folder, tmp_path, 4)
        for a, b in zip(whole[1:], rest.batches, strict=True):
            assert torch.equal(a.crops, b.crops) and torch.equal(a.labels, b.labels)

    @pytest.mark.usefixtures("examples_made_here")
    def test_validation_is_the_archive_undegraded(self, folder: Path, tmp_path: Path) -> None:
        (batch,) = self.opened(folder, tmp_path).validation()
        assert batch.labels.tolist() == [0, 1] * 3 and batch.where is None
        plain = normalise_batch(
            torch.from_numpy(stack_crops([crop(50, False), crop(50, True)])), (0.5,) * 3, (0.5,) * 3
        )
        assert (batch.crops[:2] - plain).abs().mean() < 0.06, "JPEG is all that lies between"

    def test_validation_of_one_class_is_refused_before_anything_slow(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for path in folder.glob("dfdc-val.*"):
            shutil.copy(path, tmp_path)
        table = tmp_path / "dfdc-val.csv"
        table.write_text(table.read_text().replace(",fake,", ",real,"))
        monkeypatch.setattr(sources, "harvest", None)
        with pytest.raises(DataSetError, match=r"dfdc-val\.zip.*both"):
            self.opened(tmp_path, tmp_path)


@pytest.mark.usefixtures("examples_made_here")
class TestSequences:
    def opened(self, folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> BatchSource:
        monkeypatch.setattr(sources, "_VALIDATION_SEQUENCES", 5)
        lengths = SequencesConfig(shortest=10, longest=13)
        return open_source(recipe(mix=None, sequences=lengths, samples=9), folder, out, 0)

    def test_batches_have_sequences_of_different_lengths(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = self.opened(folder, tmp_path, monkeypatch)
        batches = list(source.batches)
        assert len(batches) == 2
        for batch in batches:
            assert batch.present is not None and batch.labels.shape == (4,)
            lengths = batch.present.sum(dim=1)
            assert lengths.min() >= 10 and lengths.max() == batch.present.shape[1] <= 13
            assert batch.crops.shape == (int(lengths.sum()), 3, SIZE, SIZE)
            assert -1 <= batch.crops.min() < batch.crops.max() <= 1

    def test_validation_is_the_same_each_time_and_whole(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = self.opened(folder, tmp_path, monkeypatch)
        first, second = source.validation(), source.validation()
        assert [len(batch.labels) for batch in first] == [4, 1], "the last batch is not dropped"
        for a, b in zip(first, second, strict=True):
            assert torch.equal(a.crops, b.crops) and torch.equal(a.labels, b.labels)


class Levels(Dataset[tuple[Tensor, float]]):
    """Sequences whose frames say in their level which sequence they are of (tens) and which frame (ones)."""

    lengths = (3, 5, 2)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> tuple[Tensor, float]:
        levels = 10 * (index + 1) + torch.arange(self.lengths[index])
        return levels.to(torch.uint8)[:, None, None, None].expand(-1, 3, 8, 8), float(index % 2)


class Reading(SequenceNetwork):
    """A sequence's logit is its levels read as digits of a number to the base of a hundred."""

    window = 9

    def features(self, crops: Tensor) -> Tensor:
        return (crops.mean(dim=(2, 3))[:, :1] * 255).round()

    def judge(self, features: Tensor, present: Tensor) -> Tensor:
        out = []
        for sequence, there in zip(features[..., 0].double(), present, strict=True):
            assert not sequence[~there].any(), "padding is zeros"
            digits = sequence[there]
            out.append((digits * 100.0 ** torch.arange(len(digits) - 1, -1, -1)).sum())
        return torch.stack(out)


@pytest.mark.usefixtures("examples_made_here")
def test_frames_of_padded_sequences_come_back_to_their_places() -> None:
    """All frames there are, one sequence after the other; padding never meets the backbone."""
    config = recipe(mean=(0.0,) * 3, std=(1.0,) * 3)
    (batch,) = _Loaded(Levels(), config, drop_last=False)
    assert batch.present is not None
    assert batch.present.sum(dim=1).tolist() == [3, 5, 2] and batch.labels.tolist() == [0, 1, 0]
    levels = (batch.crops[:, 0, 0, 0] * 255).round().int().tolist()
    assert levels == [10, 11, 12, 20, 21, 22, 23, 24, 30, 31]
    assert batch.forward(Reading()).tolist() == [101112, 2021222324, 3031]
    with pytest.raises(ParameterError, match="single faces"):
        batch.forward(Network())


@pytest.mark.usefixtures("examples_made_here")
class TestSet:
    def test_a_set_of_ones_own_and_its_failures(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []

        def own(*given: object) -> OwnSetExamples:
            asked.append(given)
            return OwnSetExamples(Levels(), Levels())

        monkeypatch.setattr(sources, "open_own_set", own)
        own_set = SetConfig(frames=3, streamed=False, fake_share=0.5)
        config = recipe(mix=None, set=own_set, batch=2)
        failures = tmp_path / "failures.json"
        source = open_source(config, folder, tmp_path, 4, failures)
        assert asked == [(config, folder, 4, failures)]
        assert [len(batch.labels) for batch in source.batches] == [2]
        assert [len(batch.labels) for batch in source.validation()] == [2, 1]


def test_framed_batches_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scaled to the recipe's size, normalised channel by channel, in order, some at once."""
    monkeypatch.setattr(sources, "_VALIDATION_BATCH", 2)
    config = recipe(size=32, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))
    pictures = [torch.full((side, side, 3), level, dtype=torch.uint8).numpy() for side, level in
                ((40, 0), (32, 51), (90, 255))]  # fmt: skip
    given = [Sample(encoded(p), i % 2, f"g{i}", None, framed=True) for i, p in enumerate(pictures)]
    batches: list[Batch] = list(framed_batches(given, config))
    assert [tuple(batch.crops.shape) for batch in batches] == [(2, 3, 32, 32), (1, 3, 32, 32)]
    values = torch.cat([batch.crops for batch in batches]).mean(dim=(2, 3))
    expected = [[level, (level - 0.5) / 0.5, (level - 1) / 0.25] for level in (0.0, 0.2, 1.0)]
    assert torch.allclose(values, torch.tensor(expected), atol=1e-5)
    assert torch.cat([batch.labels for batch in batches]).tolist() == [0, 1, 0]


@pytest.mark.usefixtures("examples_made_here")
def test_shares_of_the_mix_reach_the_examples(folder: Path, tmp_path: Path) -> None:
    none = dict.fromkeys(MixConfig.model_fields, 0.0)
    config = recipe(mix=MixConfig(**none | {"dfdc_fake": 1.0}))
    assert all(batch.labels.all() for batch in open_source(config, folder, tmp_path, 0).batches)


def test_sequences_longer_than_the_window_are_refused() -> None:
    """Before anything is computed, with what to change."""

    class Short(SequenceNetwork):
        window = 2

    batch = Batch(torch.zeros(3, 3, 8, 8), torch.zeros(1), present=torch.ones(1, 3, dtype=torch.bool))
    with pytest.raises(ParameterError, match="at most 2 frames.*longest"):
        batch.forward(Short())
