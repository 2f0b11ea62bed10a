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
from learning import overfit
from made_faces import crop, write_archive

from detector.backends.torch import normalise_batch
from detector.files import ROOT
from detector.models.loaded import load_model
from detector.networks.base import create
from training.data.crop_examples import UNKNOWN, stack_crops
from training.data.sources import framed_batches
from training.losses import Batch, local_contrast
from training.publish import publish
from training.recipe import DEFAULT_RECIPE as RECIPE
from training.recipe import Config, read_config
from training.train import predict

MEAN = STD = (0.5, 0.5, 0.5)


def eight_crops() -> tuple[torch.Tensor, torch.Tensor]:
    pictures = [crop(i, fake=bool(i % 2)) for i in range(8)]
    return normalise_batch(torch.from_numpy(stack_crops(pictures)), MEAN, STD), torch.tensor([0.0, 1.0] * 4)


class TestNetwork:
    def test_it_overfits_eight_tiny_crops(self) -> None:
        """From ImageNet weights, twenty steps at 64 px; what does not learn these learns nothing."""
        torch.manual_seed(0)
        network = create("efficientnet_lite0")
        network.load_imagenet()
        losses = overfit(network, *eight_crops(), 20)
        assert losses[0] > 0.4
        assert min(losses[-3:]) < 0.1


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
            "start": "imagenet",
            "frozen_stages": 0,
            "interpolation": 1.0,
            "local_weight": 0.0,
            "hidden": 0.0,
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
    script = "import sys; from pathlib import Path; from training import recipe, train; "
    script += "c = recipe.Config.model_validate_json(sys.argv[1]); "
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
    history = json.loads((out / "tiny-history.json").read_text())
    assert [entry["seen"] for entry in history] == [16, 32, 48]
    assert "resuming after 48 examples" in trained(recipe(320), archives, out)
    history = json.loads((out / "tiny-history.json").read_text())
    assert [entry["seen"] for entry in history] == list(range(16, 321, 16))
    assert history[-1]["validation_auc"] > 0.9
    assert (out / "tiny-curves.png").read_bytes().startswith(b"\x89PNG")

    checkpoint = out / "tiny.pt"
    card = publish(recipe(320), checkpoint, archives, folder=tmp_path / "models")
    assert card.figures == {} and "320 examples" in " ".join(card.recipe)
    loaded = load_model(tmp_path / "models" / "tiny.json")
    assert loaded.card == card
    pictures = [crop(60 + i, fake=bool(i % 2)) for i in range(6)]
    crops = normalise_batch(torch.from_numpy(stack_crops(pictures)), card.input.mean, card.input.std)
    state = torch.load(checkpoint, weights_only=True)
    network = create(card.architecture).eval()
    halved = {name: value.half().float() for name, value in state["best"].items() if value.dim()}
    network.load_state_dict({**state["best"], **halved})
    with torch.inference_mode():
        kept, shipped = network(crops), loaded.network(crops)
    assert torch.allclose(kept, shipped, atol=1e-3), "half precision is all that was lost"
    assert (shipped[1::2] > shipped[::2].max()).all()


def test_predictions_are_in_order(archives: Path) -> None:
    from training.data.research_faces import dfdc_samples

    samples = dfdc_samples(archives / "dfdc-val.zip")
    network, config, cpu = create("efficientnet_lite0"), recipe(8), torch.device("cpu")
    labels, logits = predict(network, list(framed_batches(samples, config)), cpu)
    assert labels == [0, 1] * 12
    _, backwards = predict(network, list(framed_batches(samples[::-1], config)), cpu)
    assert backwards[::-1] == pytest.approx(logits, abs=1e-3)
    assert np.isfinite(logits).all()


class TestLocalContrast:
    where = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])

    def test_blended_places_above_the_others(self) -> None:
        right = torch.tensor([[[3.0, 0.0], [0.0, 0.0]]])
        assert local_contrast(right, self.where) < local_contrast(-right, self.where)

    def test_by_hand(self) -> None:
        """Mean 1; inside 3 above it, outside 1 below it: two softplus terms."""
        loss = local_contrast(torch.tensor([[[4.0, 0.0], [0.0, 0.0]]]), self.where)
        assert float(loss) == pytest.approx(np.log1p(np.exp(-3)) + np.log1p(np.exp(-1)), rel=1e-5)

    def test_the_level_is_left_alone(self) -> None:
        local = torch.randn(1, 2, 2, generator=torch.manual_seed(0), requires_grad=True)
        local_contrast(local, self.where).backward()
        assert local.grad is not None and local.grad.any()
        assert float(local.grad.sum()) == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("value", [0.0, 1.0, UNKNOWN])
    def test_nowhere_everywhere_and_unknown_do_not_count(self, value: float) -> None:
        local = torch.randn(2, 2, 2, requires_grad=True)
        loss = local_contrast(local, torch.full((2, 2, 2), value))
        loss.backward()
        assert loss.item() == 0 and local.grad is not None and not local.grad.any()


def test_places_share_the_logit_between_them() -> None:
    """The mean over places is the logit itself, so a map of them explains all of it."""
    network = create("efficientnet_lite0").eval()
    crops = torch.randn(3, 3, 64, 64, generator=torch.manual_seed(0))
    with torch.inference_mode():
        logits, local = network.forward_local(crops)
        assert torch.allclose(local.mean(dim=(1, 2)), logits, atol=1e-4)
        assert torch.allclose(network(crops), logits, atol=1e-4)


def test_frozen_stages_stay() -> None:
    network = create("efficientnet_lite0")
    network.train()
    network.freeze_stages(2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    crops, labels = eight_crops()
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], 1e-2)
    Batch(crops, labels).forward(network).sum().backward()
    optimizer.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    frozen = {"conv_stem", "bn1", "blocks.0", "blocks.1"}
    assert changed and not any(name.startswith(tuple(f"backbone.{f}." for f in frozen)) for name in changed)
    assert any(name.startswith("backbone.blocks.2.") for name in changed)
