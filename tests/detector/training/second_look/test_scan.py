"""The scan's network, trained on the second look's patches and on blends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made_faces import samples
from second_look_cases import patch

from detector.faces.framing import INNER
from detector.models.card import load_card
from detector.models.loaded import load_pair
from detector.networks.base import create
from detector.training.second_look.examples.blends import Blended, WithBlends
from detector.training.second_look.examples.kinds import UNASKED
from detector.training.second_look.examples.patches import Patch
from detector.training.second_look.scan import BLENDS, ScanNetwork, ScanSource, between, measure, publish_scan
from detector.training.second_look.train import Recipe, Trainer

PATCHES = [patch(i, fake) for i in range(3) for fake in (False, True)]


@pytest.fixture(scope="module")
def second_look(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("second-look") / "best.pt"
    with torch.random.fork_rng():
        torch.manual_seed(4)
        torch.save(create("efficientnet_lite0_framings").state_dict(), path)
    return path


def test_it_starts_with_the_second_looks_answer_for_the_inner_face(second_look: Path) -> None:
    scan, whole = ScanNetwork.from_second_look(second_look).eval(), create("efficientnet_lite0_framings")
    whole.load_state_dict(torch.load(second_look, weights_only=True))
    crops = torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        torch.testing.assert_close(scan(crops), whole.eval()(crops)[:, 0])


def test_a_quarter_of_its_examples_are_blends_and_all_have_one_target() -> None:
    source = ScanSource(PATCHES, samples(), seed=1)
    drawn = source.batch(np.random.default_rng(2), 16)
    assert sum(isinstance(example.example, Blended) for example in drawn) == BLENDS * 16
    assert {example.targets for example in drawn} == {(0,), (1,)}
    assert all(example.crop(128).shape == (128, 128, 3) for example in drawn)


def test_a_step_leaves_the_first_stages_alone(second_look: Path) -> None:
    network = ScanNetwork.from_second_look(second_look)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trainer = Trainer(network, Recipe(examples=8, batch=4, warm_up=1))
    assert np.isfinite(trainer.train_step(ScanSource(PATCHES, samples(), seed=1)))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert "backbone.classifier.weight" in changed and "backbone.blocks.6.0.conv_pw.weight" in changed
    frozen = ("backbone.conv_stem", "backbone.bn1", "backbone.blocks.0", "backbone.blocks.1")
    assert not any(name.startswith(frozen) for name in changed)


def test_what_is_written_is_a_model_with_its_own_temperature(second_look: Path, tmp_path: Path) -> None:
    last = tmp_path / "last.pt"
    torch.save(ScanNetwork.from_second_look(second_look).state_dict(), last)
    state = between(second_look, last, 0.5)
    card, _ = load_card("reelproof")
    written = publish_scan(state, card, PATCHES, ["Trained anew"], tmp_path, reserve=1.5)
    assert written.recipe == ("Trained anew",) and written.figures == {} and written.second_look is None
    loaded = load_pair(*load_card(tmp_path / "reelproof.safetensors"))
    state["backbone.classifier.bias"] = state["backbone.classifier.bias"] - 1.5
    torch.testing.assert_close(loaded.network.state_dict(), state, rtol=1e-2, atol=1e-3)


def test_clips_are_told_apart_by_what_it_says(second_look: Path) -> None:
    many: list[Patch] = [patch(i, fake, role="develop") for i in range(3) for fake in (False, True)] * 3
    auc, figures = measure(many, ScanNetwork.from_second_look(second_look))
    assert 0 <= auc <= 1 and figures["all"] == auc


def test_of_a_blend_it_is_not_known_whether_it_is_synthesised() -> None:
    shares = {("aligned", INNER): 1.0}
    drawn = WithBlends(PATCHES, samples(), 64, 1, shares, blends=0.5).batch(np.random.default_rng(2), 16)
    blends = [example for example in drawn if isinstance(example, Blended)]
    assert len(blends) == 8
    assert {example.targets for example in blends} <= {(1, UNASKED), (0, 0)}
