"""A run goes on only with the recipe and the data it began with; what was published and measured stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from own_set import put, recipe
from torch import Tensor, nn

from detector.errors import ParameterError
from detector.models.model_files import load_card
from detector.networks import base
from detector.networks.base import FeatureNetwork, Network
from detector.schema.analysis import Platt
from training import loop
from training.data.labelled_sets import file_marks, marks_in_weights, read_set
from training.loop import Loop
from training.model_card import write_card
from training.publish import publish
from training.recipe import RECIPES, FeaturesConfig, read_config
from training.train import CheckpointOrigin, OriginMismatchError, draw_curves, train

TINY = {"name": "lab", "title": "Lab", "architecture": "few_tensors", "start": "random", "samples": 8,
        "check_every": 8, "interpolation": 1.0, "frozen_stages": 0, "local_weight": 0.0}  # fmt: skip


class FewTensors(Network):
    """A network that is read and written in no time."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4), nn.BatchNorm2d(8), nn.ReLU())
        self.judge = nn.Linear(8, 1)

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.judge(self.look(crops).mean(dim=(2, 3)))
        return logits[:, 0]


class FewFeatures(FeatureNetwork):
    """The same in two parts."""

    width = 8

    def __init__(self) -> None:
        super().__init__()
        self.whole = FewTensors()

    def features(self, crops: Tensor) -> Tensor:
        features: Tensor = self.whole.look(crops).mean(dim=(2, 3))
        return features

    def judge(self, features: Tensor) -> Tensor:
        logits: Tensor = self.whole.judge(features)
        return logits[:, 0]


@pytest.fixture(autouse=True)
def few_tensors(monkeypatch: pytest.MonkeyPatch, examples_made_here: None) -> None:
    """Both are registered; curves, which take longer than its training, are drawn by one test."""
    monkeypatch.setattr(base, "_ARCHITECTURES", dict(base._ARCHITECTURES))
    base.register("few_tensors")(FewTensors)
    base.register("few_features")(FewFeatures)
    monkeypatch.setattr("training.train.draw_curves", lambda *_given: None)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Six pictures to learn from, six to validate on and two to measure on, of both classes."""
    folder = tmp_path / "lab set"
    for first, (split, count) in enumerate((("train", 6), ("val", 6), ("test", 2))):
        for i in range(count):
            put(
                folder / split / ("fake" if i % 2 else "real") / f"{split}{i}.png",
                10 * first + i,
                bool(i % 2),
            )
    return folder


def failures(folder: Path, **probabilities: float) -> Path:
    """What an evaluation lists of them, by name."""
    entries = []
    for name, probability in probabilities.items():
        (path,) = folder.glob(f"*/*/{name}.png")
        place = path.relative_to(folder)
        label = place.parts[1]
        entries.append({"path": str(place), "label": label, "probability": probability, "group": name})
    (folder.parent / "failures.json").write_text(json.dumps(entries))
    return folder.parent / "failures.json"


class TestOrigin:
    def refused(self, before: CheckpointOrigin, now: CheckpointOrigin) -> str:
        with pytest.raises(OriginMismatchError) as error:
            now.require_match(before.stored, Path("out/lab.pt"))
        assert "Give the recipe another name, or remove out/lab.pt" in str(error.value)
        return str(error.value)

    def test_another_recipe_is_named(self, pictures: Path) -> None:
        before = CheckpointOrigin.of(recipe(**TINY), pictures, None)
        now = CheckpointOrigin.of(recipe(**TINY | {"learning_rate": 0.5, "seed": 8}), pictures, None)
        assert "another recipe (learning_rate, seed)" in self.refused(before, now)

    def test_a_longer_one_and_other_words_go_on(self, pictures: Path) -> None:
        before = CheckpointOrigin.of(recipe(**TINY), pictures, None)
        now = CheckpointOrigin.of(
            recipe(**TINY | {"samples": 80, "title": "New", "patience": 3}), pictures, None
        )
        now.require_match(before.stored, Path("lab.pt"))

    def test_a_key_that_came_later_goes_on(self, pictures: Path) -> None:
        kept = CheckpointOrigin.of(recipe(**TINY), pictures, None).stored
        del kept["recipe"]["hidden"]
        CheckpointOrigin.of(recipe(**TINY), pictures, None).require_match(kept, Path("lab.pt"))

    def test_a_mended_label_and_another_picture_are_other_data(self, pictures: Path) -> None:
        before = CheckpointOrigin.of(recipe(**TINY), pictures, None)
        put(pictures / "train" / "real" / "train0.png", 99)
        changed = CheckpointOrigin.of(recipe(**TINY), pictures, None)
        assert "other data" in self.refused(before, changed)
        (pictures / "train" / "real" / "train0.png").rename(pictures / "train" / "fake" / "train0.png")
        assert "other data" in self.refused(changed, CheckpointOrigin.of(recipe(**TINY), pictures, None))

    def test_failures_are_part_of_the_data(self, pictures: Path) -> None:
        before = CheckpointOrigin.of(recipe(**TINY), pictures, None)
        with_some = CheckpointOrigin.of(recipe(**TINY), pictures, failures(pictures, train0=0.9))
        assert "failures" in self.refused(before, with_some)
        others = CheckpointOrigin.of(recipe(**TINY), pictures, failures(pictures, train1=0.1))
        assert "failures" in self.refused(with_some, others)

    def test_neither_place_nor_what_is_measured_on_counts(self, pictures: Path, tmp_path: Path) -> None:
        before = CheckpointOrigin.of(recipe(**TINY), pictures, None)
        for i in range(2):
            put(pictures / "test" / ("fake" if i else "real") / f"more{i}.png", 80 + i, bool(i))
        moved = pictures.rename(tmp_path / "elsewhere")
        CheckpointOrigin.of(recipe(**TINY), moved, None).require_match(before.stored, Path("lab.pt"))


def test_from_training_to_the_card(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained, published and measured; the same command again changes nothing, another is refused."""
    monkeypatch.setattr("training.train.draw_curves", draw_curves)
    config, out, models = recipe(**TINY), tmp_path / "out", tmp_path / "models"
    checkpoint = train(config, pictures, out)
    assert (out / "lab-curves.png").read_bytes().startswith(b"\x89PNG")
    card = publish(config, checkpoint, pictures, folder=models)
    weights = load_card(models / "lab.json")[1]
    learnt = [item for item in read_set(pictures) if item.split != "test"]
    assert marks_in_weights(weights) == set(file_marks(learnt))
    assert any("error rates are unknown" in limit for limit in card.limits)

    measured = card.model_copy(
        update={"figures": {"x": 0.5}, "segment": Platt(scale=1, offset=0), "terms": "Ours"}
    )
    write_card(measured, models)
    before = weights.read_bytes()
    assert publish(config, train(config, pictures, out), pictures, folder=models) == measured
    assert load_card(models / "lab.json")[0] == measured and weights.read_bytes() == before

    put(pictures / "train" / "real" / "train0.png", 99)
    with pytest.raises(OriginMismatchError, match="other data"):
        train(config, pictures, out)


def test_one_that_saw_all_it_is_asked_for_is_finished(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where it is asked for less than it saw, or for less than a batch more."""
    before = train(recipe(**TINY | {"samples": 12}), pictures, tmp_path).read_bytes()
    for samples in (8, 12, 15):
        again = train(recipe(**TINY | {"samples": samples}), pictures, tmp_path)
        assert again.read_bytes() == before
        assert "resuming after 12 examples" in capsys.readouterr().out


def test_one_whose_patience_had_run_out_does_not_go_on(pictures: Path, tmp_path: Path) -> None:
    checkpoint = train(recipe(**TINY), pictures, tmp_path)
    state = torch.load(checkpoint, weights_only=True)
    (check,) = state["history"]
    state["history"] = [check | {"validation_auc": value} for value in (0.9, 0.8, 0.7)]
    torch.save(state, checkpoint)

    def history(patience: int) -> list[dict[str, float]]:
        longer = recipe(**TINY | {"samples": 32, "patience": patience})
        return torch.load(train(longer, pictures, tmp_path), weights_only=True)["history"]

    assert len(history(2)) == 3
    assert len(history(3)) == 4, "one more is asked for"


def test_kept_features_serve_a_run_that_goes_on(pictures: Path, tmp_path: Path) -> None:
    """With other words and more patience, and where somebody removed them."""
    kept = FeaturesConfig(examples=8)
    config = recipe(**TINY | {"architecture": "few_features", "features": kept})
    train(config, pictures, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.npy")}
    assert len(before) == 2
    longer = config.model_copy(update={"title": "New", "notes": ("A",), "patience": 5, "samples": 16})
    assert torch.load(train(longer, pictures, tmp_path), weights_only=True)["seen"] == 16
    assert set(tmp_path.glob("*.npy")) == set(before)
    for path in before:
        path.unlink()
    train(longer.model_copy(update={"samples": 24}), pictures, tmp_path)
    made = {path: path.read_bytes() for path in tmp_path.glob("*.npy")}
    assert made == before


def test_a_checkpoint_of_an_earlier_version_goes_on(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out = recipe(**TINY), tmp_path / "out"
    checkpoint = train(config, pictures, out)
    state = torch.load(checkpoint, weights_only=True)
    torch.save(
        {key: value for key, value in state.items() if key not in {"made_from", "learnt_from"}}, checkpoint
    )
    train(config.model_copy(update={"samples": 16}), pictures, out)
    assert "does not state its origin" in capsys.readouterr().out
    assert torch.load(checkpoint, weights_only=True)["made_from"]["data"]


def test_failures_of_val_calibrate_nothing_and_the_card_names_them(pictures: Path, tmp_path: Path) -> None:
    config, listed = recipe(**TINY), failures(pictures, val0=0.9, val1=0.2, train2=0.8)
    checkpoint = train(config, pictures, tmp_path / "out", listed)
    card = publish(config, checkpoint, pictures, listed, folder=tmp_path / "models")
    assert card.data == (
        "Data set lab set, training split: 6 pictures, 3 real and 3 manipulated, of 6 groups",
        "Data set lab set, validation split: 4 pictures, 2 real and 2 manipulated, of 4 groups",
        "Data set lab set, test split: 2 pictures, 1 real and 1 manipulated, of 2 groups",
        "Gone over again, since a model was wrong on them, the worse the oftener: 1 of the training split "
        "and 2 of the validation split, whose groups it holds no longer",
    )


def test_what_the_model_before_learnt_from_stays_known(pictures: Path, tmp_path: Path) -> None:
    train(recipe(**TINY), pictures, tmp_path / "out")
    before = {item for item in read_set(pictures) if item.split != "test"}
    for path in pictures.glob("train/*/*.png"):
        put(path, 70 + int(path.stem[-1]), path.parent.name == "fake")
    checkpoint = train(recipe(**TINY | {"name": "second", "start": "lab"}), pictures, tmp_path / "out")
    known = torch.load(checkpoint, weights_only=True)["learnt_from"]
    assert len(known) == len(before) + 6 and set(file_marks(list(before))) < set(known)


@pytest.mark.parametrize("config", ["efficientnet-lite0", "efficientnet-lstm"])
def test_failures_of_research_data_are_refused(pictures: Path, tmp_path: Path, config: str) -> None:
    """Of a [mix] and of [sequences]; before anything is read."""
    with pytest.raises(ParameterError, match=rf"{config}: .*\[set\]"):
        train(read_config(RECIPES / f"{config}.toml"), pictures, tmp_path, failures(pictures, train0=0.9))


def test_a_run_that_is_killed_between_checks_loses_minutes_at_most(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has learned since the last check is kept, and it ends as if nothing had happened."""
    config = recipe(**TINY | {"samples": 32, "check_every": 16})
    whole = torch.load(train(config, pictures, tmp_path / "whole"), weights_only=True)
    learn, steps = Loop.learn, []

    def killed(self: Loop, loss: Tensor) -> None:
        if len(steps) == 6:  # the first check comes after four steps of four examples
            raise KeyboardInterrupt
        steps.append(loss)
        learn(self, loss)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "SAVED_EVERY", -1.0)
        patched.setattr(Loop, "learn", killed)
        with pytest.raises(KeyboardInterrupt):
            train(config, pictures, tmp_path / "killed")
    kept = torch.load(tmp_path / "killed" / "lab.pt", weights_only=True)
    assert kept["seen"] == 24 and [check["seen"] for check in kept["history"]] == [16]
    again = torch.load(train(config, pictures, tmp_path / "killed"), weights_only=True)
    assert again["history"] == whole["history"]
    for name, value in whole["average"].items():
        assert torch.equal(again["average"][name], value), name
