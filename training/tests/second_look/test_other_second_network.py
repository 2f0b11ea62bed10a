"""A second network of another architecture: read, fitted, shipped and used as the shipped one is."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from second_look_cases import SmallFramings, clip_record, patch

from detector import analyze
from detector.errors import ModelError
from detector.models.loaded import LoadedModel, load_model
from detector.models.model_files import MODELS_FOLDER
from detector.networks.vit_small_14 import FramingNetwork
from detector.schema.analysis import MediaKind
from training.second_look import measuring_steps
from training.second_look.__main__ import main
from training.second_look.examples.patches import Patch, family, store
from training.second_look.fitting.exhibits import ClipRecord, persons_of
from training.second_look.fitting.patch_scores import read_network
from training.second_look.fitting.thresholds import SYNTHESIS_LEVELS
from training.second_look.measuring import adversarial

NAME = SmallFramings.architecture
pytestmark = pytest.mark.usefixtures("one_seed", "small_framings")


@pytest.fixture
def weights(tmp_path: Path, one_seed: None) -> Path:
    """As somebody else saves them, without a word on what they are of."""
    path = tmp_path / "mine.safetensors"
    save_file(SmallFramings().state_dict(), path)
    return path


def test_the_file_or_the_option_says_what_it_is_of(weights: Path, tmp_path: Path) -> None:
    given = read_network(weights, NAME)
    assert type(given) is SmallFramings and not given.training
    state = given.state_dict()
    save_file(state, tmp_path / "stated.safetensors", metadata={"architecture": NAME})
    torch.save(state, tmp_path / "checkpoint.pt")
    for again in (
        read_network(tmp_path / "stated.safetensors"),
        read_network(tmp_path / "checkpoint.pt", NAME),
    ):
        assert type(again) is SmallFramings
        torch.testing.assert_close(again.state_dict(), state)


def test_weights_of_another_architecture_are_refused_in_a_line(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as refused:
        read_network(weights)
    message = str(refused.value)
    assert message.startswith(f"{weights} does not fit architecture vit_small_14: tensor ")
    assert "--architecture" in message and "\n" not in message and len(message) < 400
    with pytest.raises(ModelError, match="efficientnet_lite0 is not a FramingNetwork"):
        read_network(weights, "efficientnet_lite0")
    torch.save({"network": SmallFramings().state_dict(), "step": 3}, tmp_path / "last.pt")
    with pytest.raises(ModelError, match="state_dict only"):
        read_network(tmp_path / "last.pt", NAME)


def test_the_command_says_so_as_well(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "out"), "fit", str(weights)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "does not fit architecture vit_small_14" in line


def made(seed: int, generator: str, **changes: object) -> Patch:
    """A patch by a generator; unmanipulated where that is ``none``."""
    fake = generator != "none"
    return dataclasses.replace(
        patch(seed, fake, **changes), generator=generator, family=family(generator, fake)
    )


def store_patches(out: Path) -> None:
    """A few of each source that fitting reads."""
    generators = ("none", "StyleGAN2", "Photoshop", "none")
    stills = [made(n, g, role=role) for role in ("val", "test") for n, g in enumerate(generators * 3)]
    store(out, "stills", [dataclasses.replace(p, file=f"{n}-{p.file}") for n, p in enumerate(stills)])
    store(out, "clips", [patch(n, fake, role="develop") for n in range(2) for fake in (False, True)])
    store(out, "videos", [])
    store(out, "photos2", [])
    (out / SYNTHESIS_LEVELS).write_text(json.dumps({"limit": 3.0, "median": 0.0}))
    for source in ("dfdc", "ffpp"):
        roles = ("val", "test")
        crops = [patch(n, n % 2 == 1, role=role, box=None, source=source) for role in roles for n in range(4)]
        store(out, source, crops)


def test_it_is_fitted_shipped_and_used(
    weights: Path, tmp_path: Path, talking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, models = tmp_path / "out", tmp_path / "models"
    store_patches(out)
    models.mkdir()
    for ending in ("json", "safetensors"):
        shutil.copy(MODELS_FOLDER / f"reelproof.{ending}", models)
    seen: list[LoadedModel] = []

    def recorded(data: Path, model: LoadedModel, *_: object) -> list[ClipRecord]:
        seen.append(model)
        (person,) = persons_of(talking, model)
        assert person.inputs is not None and np.isfinite(person.inputs).all()
        return [clip_record(n, n % 2 == 1) for n in range(40)]

    monkeypatch.setattr(measuring_steps, "record_shares", recorded)
    monkeypatch.setattr(adversarial, "ATTACKS", adversarial.ATTACKS[:1])  # all: test_adversarial.py
    step = ["--data", str(tmp_path), "--out", str(out)]
    assert main([*step, "fit", str(weights), "--architecture", NAME]) == 0
    (model,) = seen
    assert model.second_look is not None and type(model.second_look.network) is SmallFramings
    assert main([*step, "ship", str(weights), str(models), "--recipe", "by hand"]) == 0

    shipped = load_model(models / "reelproof.json")
    card = shipped.card.second_look
    assert card is not None and card.architecture == NAME and card.photographs is not None
    assert card.agreement is not None and len(card.rates) == 8
    assert shipped.second_look is not None and isinstance(shipped.second_look.network, FramingNetwork)
    analysis = analyze(talking, model=shipped)
    assert analysis.media.kind is MediaKind.VIDEO
    assert any(person.second_look is not None for person in analysis.persons)
