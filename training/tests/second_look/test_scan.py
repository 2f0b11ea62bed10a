"""The scan's network, trained on the second look's patches and on blends."""

from __future__ import annotations

import dataclasses
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from made_faces import samples
from second_look_cases import patch

from detector.faces.crop import INNER
from detector.models.loaded import LoadedModel, load_pair
from detector.models.model_files import load_card
from training.second_look.__main__ import main
from training.second_look.examples.patches import NOT_ASKED, Patch, store
from training.second_look.examples.sampling import Blended, WithBlends
from training.second_look.runs import LAST, LOG, Recipe, Trainer, parameter_groups, tune
from training.second_look.scan import BLENDS, ScanNetwork, ScanSource, interpolate_scan, measure, publish_scan

PATCHES = [patch(i, fake) for i in range(3) for fake in (False, True)]


RECIPE = Recipe(examples=32, batch=4, rate=1e-3, head_rate=1e-2, warm_up=1, check_every=1e9)


@pytest.fixture(scope="module")
def scan(model: LoadedModel) -> LoadedModel:
    return model.alone


@pytest.fixture
def network(scan: LoadedModel) -> ScanNetwork:
    return ScanNetwork.from_model(scan, 0.0)


@pytest.fixture
def source() -> ScanSource:
    return ScanSource(PATCHES, samples(), seed=1)


def steps(trainer: Trainer, source: ScanSource, count: int) -> list[float]:
    """Take ``count`` steps; return the losses."""
    values = []
    for loss in islice(trainer.losses(source), count):
        trainer.loop.learn(loss)
        values.append(float(loss.detach()))
    return values


def test_it_starts_with_the_scans_answer_and_the_reserve_put_back(scan: LoadedModel) -> None:
    crops = torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        before, started = scan.network(crops), ScanNetwork.from_model(scan, 1.5).eval()(crops)
    torch.testing.assert_close(started, before + 1.5, rtol=1e-3, atol=1e-3)


def test_a_fifth_of_its_examples_are_blends_and_all_have_one_target(source: ScanSource) -> None:
    drawn = source.batch(np.random.default_rng(2), 20)
    assert sum(isinstance(example.example, Blended) for example in drawn) == BLENDS * 20
    assert {example.targets for example in drawn} == {(0,), (1,)}
    assert sum(example.where is not None for example in drawn) == BLENDS * 20
    assert all(example.crop(128).shape == (128, 128, 3) for example in drawn)


def test_a_step_leaves_the_first_stages_alone(network: ScanNetwork, source: ScanSource) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert np.isfinite(steps(Trainer(network, RECIPE), source, 1))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert "backbone.classifier.weight" in changed and "backbone.blocks.6.0.conv_pw.weight" in changed
    frozen = ("backbone.conv_stem", "backbone.bn1", "backbone.blocks.0", "backbone.blocks.1")
    assert not any(name.startswith(frozen) for name in changed)


def test_rates_fall_towards_the_input(network: ScanNetwork) -> None:
    recipe = Recipe(rate=1e-3, falling=0.5, head_rate=1e-4)
    rates = {id(p): g["peak"] for g in parameter_groups(network, recipe) for p in g["params"]}
    assert len(rates) == len(list(network.parameters()))
    of = {name: rates[id(p)] for name, p in network.named_parameters()}
    assert of["backbone.classifier.weight"] == 1e-4
    assert of["backbone.blocks.6.0.conv_pw.weight"] == of["backbone.conv_head.weight"] == 1e-3
    assert of["backbone.blocks.5.0.conv_pw.weight"] == 5e-4
    assert of["backbone.conv_stem.weight"] == 1e-3 * 0.5**7


def test_training_lowers_the_loss(network: ScanNetwork, source: ScanSource) -> None:
    trainer = Trainer(network, Recipe(examples=160, batch=8, warm_up=1))
    losses = steps(trainer, source, 10)
    assert np.mean(losses[-3:]) < np.mean(losses[:2]) - 0.05


def test_resuming_is_exact(scan: LoadedModel, source: ScanSource, tmp_path: Path) -> None:
    whole = Trainer(ScanNetwork.from_model(scan, 0.0), RECIPE)
    steps(whole, source, 2)
    whole.save(tmp_path / LAST)
    expected = steps(whole, source, 2)
    again = Trainer(ScanNetwork.from_model(scan, 0.7), RECIPE)
    again.resume(tmp_path / LAST)
    assert steps(again, source, 2) == expected
    whole_average, average = whole.average.state_dict(), again.average.state_dict()
    assert all(torch.equal(whole_average[name], average[name]) for name in average)


def test_a_run_ends_with_figures_and_goes_on_where_it_stopped(
    scan: LoadedModel, source: ScanSource, tmp_path: Path
) -> None:
    lines: list[str] = []
    trainer = Trainer(ScanNetwork.from_model(scan, 0.0), dataclasses.replace(RECIPE, examples=8))
    tune(trainer, source, tmp_path, lambda network: (0.6, {"clips": 0.6}), lines.append)
    assert json.loads((tmp_path / LOG).read_text())["step"] == 2
    assert (tmp_path / "best.pt").exists() and (tmp_path / "step-2.pt").exists()
    longer = Trainer(ScanNetwork.from_model(scan, 0.0), dataclasses.replace(RECIPE, examples=12))
    tune(longer, source, tmp_path, lambda network: (0.5, {"clips": 0.5}), lines.append)
    assert longer.loop.step == 3 and longer.best == 0.6
    best, last = (torch.load(tmp_path / f"{name}.pt") for name in ("best", "step-3"))
    name = "backbone.classifier.weight"
    assert not torch.equal(best[name], last[name])


def test_what_is_written_is_a_model_with_its_own_temperature(
    scan: LoadedModel, network: ScanNetwork, tmp_path: Path
) -> None:
    last = tmp_path / "last.pt"
    torch.save(ScanNetwork.from_model(scan, 3.0).state_dict(), last)
    state = interpolate_scan(network, last, 0.5)
    card, _ = load_card("reelproof")
    written = publish_scan(state, card, PATCHES, ["Trained anew"], tmp_path, reserve=1.5)
    assert written.recipe == ("Trained anew",) and written.figures == {} and written.second_look is None
    loaded = load_pair(*load_card(tmp_path / "reelproof.safetensors"))
    torch.testing.assert_close(loaded.network.state_dict(), network.state_dict(), rtol=1e-2, atol=1e-2)


def test_a_published_scan_has_a_name_of_its_own(network: ScanNetwork, tmp_path: Path) -> None:
    out, models = tmp_path / "out", tmp_path / "models"
    for source in ("dfdc", "ffpp"):
        store(out, source, [dataclasses.replace(example, role="val") for example in PATCHES])
    run = out / "runs" / "main"
    run.mkdir(parents=True)
    torch.save(network.state_dict(), run / "best.pt")
    models.mkdir()
    step = ["--data", str(tmp_path), "--out", str(out), "publish-scan", str(models)]
    assert main([*step, "reelproof"]) == 2 and not list(models.iterdir())
    assert main([*step, "my-scan"]) == 0
    assert load_card(models / "my-scan.json")[0].name == "my-scan"
    assert not list(models.glob("reelproof*"))


def test_clips_and_crops_are_told_apart_by_what_it_says(network: ScanNetwork) -> None:
    many: list[Patch] = [patch(i, fake, role="develop") for i in range(3) for fake in (False, True)] * 3
    mean, figures = measure(many, {"dfdc": PATCHES}, network)
    assert 0 <= figures["dfdc"] <= 1
    assert mean == pytest.approx((figures["all"] + figures["dfdc"]) / 2)


def test_of_a_blend_it_is_not_known_whether_it_is_synthesised() -> None:
    shares = {("aligned", INNER): 1.0}
    drawn = WithBlends(PATCHES, samples(), 64, 1, shares, blends=0.5).batch(np.random.default_rng(2), 16)
    blends = [example for example in drawn if isinstance(example, Blended)]
    assert len(blends) == 8
    assert {example.targets for example in blends} <= {(1, NOT_ASKED), (0, 0)}
