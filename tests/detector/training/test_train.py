"""The loop learns, resumes and publishes, on archives made here that any network can tell apart."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from made_faces import crop, write_archive
from torch import nn

from detector.models import load_model
from detector.networks import create
from detector.scoring import normalised
from detector.training.config import SHIPPED as RECIPE
from detector.training.config import Config, read_config
from detector.training.dataset import stacked
from detector.training.publish import publish
from detector.training.train import scored

ROOT = Path(__file__).resolve().parents[3]

MEAN = STD = (0.5, 0.5, 0.5)


def eight_crops() -> tuple[torch.Tensor, torch.Tensor]:
    pictures = [crop(i, fake=bool(i % 2)) for i in range(8)]
    return normalised(torch.from_numpy(stacked(pictures)), MEAN, STD), torch.tensor([0.0, 1.0] * 4)


class TestNetwork:
    def test_it_overfits_eight_tiny_crops(self) -> None:
        """From ImageNet weights, twenty steps at 64 px; what does not learn these learns nothing."""
        torch.manual_seed(0)
        network = create("efficientnet_lite0")
        network.load_imagenet()
        network.train()
        crops, labels = eight_crops()
        optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
        losses = []
        for _ in range(20):
            loss = nn.functional.binary_cross_entropy_with_logits(network(crops), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[0] > 0.4
        assert min(losses[-3:]) < 0.1

    def test_every_parameter_gets_a_gradient(self) -> None:
        torch.manual_seed(0)
        network = create("efficientnet_lite0").eval()  # no layer is dropped at random
        crops, labels = eight_crops()
        nn.functional.binary_cross_entropy_with_logits(network(crops), labels).backward()
        without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
        assert without == []


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one training shard, validation, and no photos or clips worth naming."""
    folder = tmp_path_factory.mktemp("data")
    write_archive(folder / "dfdc-train-0.zip", 8)
    write_archive(folder / "dfdc-val.zip", 12, first=50)
    with zipfile.ZipFile(folder / "photos-real.zip", "w"):
        pass
    (folder / "videos").mkdir()
    (folder / "videos" / "labels.csv").write_text("file,label,role,generator\n")
    return folder


def recipe(samples: int) -> Config:
    shipped = read_config(RECIPE)
    no_mix = dict.fromkeys(type(shipped.mix).model_fields, 0.0)
    return shipped.model_copy(
        update={
            "name": "tiny",
            "size": 64,
            "samples": samples,
            "batch": 8,
            "warm_up": 8,
            "learning_rate": 1e-3,
            "check_every": 16,
            "average_decay": 0.9,
            "mix": shipped.mix.model_copy(update={**no_mix, "dfdc_real": 0.5, "dfdc_fake": 0.5}),
        }
    )


def trained(config: Config, data: Path, out: Path) -> str:
    """Train in a process of its own, as `python -m detector train` does; returns what it printed."""
    script = "import sys; from pathlib import Path; from detector.training import config, train; "
    script += "c = config.Config.model_validate_json(sys.argv[1]); "
    script += "train.train(c, Path(sys.argv[2]), Path(sys.argv[3]))"
    command = [sys.executable, "-c", script, config.model_dump_json(), str(data), str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_train_resume_and_publish(archives: Path, tmp_path: Path) -> None:
    """End to end: it learns, a second call resumes, and what is published loads and scores the same."""
    out = tmp_path / "out"
    trained(recipe(48), archives, out)
    history = json.loads((out / "history.json").read_text())
    assert [entry["seen"] for entry in history] == [16, 32, 48]
    assert "resuming after 48 examples" in trained(recipe(320), archives, out)
    history = json.loads((out / "history.json").read_text())
    assert [entry["seen"] for entry in history] == list(range(16, 321, 16))
    assert history[-1]["validation_auc"] > 0.9

    checkpoint = out / "tiny.pt"
    card = publish(recipe(320), checkpoint, archives, tmp_path / "models")
    assert card.figures == {} and "320 examples" in " ".join(card.recipe)
    loaded = load_model(tmp_path / "models" / "tiny.json")
    assert loaded.card == card
    pictures = [crop(60 + i, fake=bool(i % 2)) for i in range(6)]
    crops = normalised(torch.from_numpy(stacked(pictures)), card.input.mean, card.input.std)
    state = torch.load(checkpoint, weights_only=True)
    network = create(card.architecture).eval()
    halved = {name: value.half().float() for name, value in state["average"].items() if value.dim()}
    network.load_state_dict({**state["average"], **halved})
    with torch.inference_mode():
        kept, shipped = network(crops), loaded.network(crops)
    assert torch.allclose(kept, shipped, atol=1e-3), "half precision is all that was lost"
    assert (shipped[1::2] > shipped[::2].max()).all()


def test_scored_is_in_order_and_in_the_networks_own_range(archives: Path) -> None:
    from detector.training.harvest import dfdc_samples

    samples = dfdc_samples(archives / "dfdc-val.zip")
    network = create("efficientnet_lite0").eval()
    config = recipe(8)
    labels, logits = scored(network, samples, config, torch.device("cpu"))
    assert labels == [0, 1] * 12
    _, backwards = scored(network, samples[::-1], config, torch.device("cpu"))
    assert backwards[::-1] == pytest.approx(logits, abs=1e-3)
    assert np.isfinite(logits).all()
