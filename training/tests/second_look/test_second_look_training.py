"""Heads and commands of the second look, on a tiny random network and made pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from second_look_cases import SIZE, SmallFramings, tiny_network

from detector.files import ROOT
from detector.networks.graphs import QUESTIONS, READINGS
from detector.networks.vit_small_14 import ViTSmall14, ViTSmall14PatchHeads
from training.losses import question_loss
from training.second_look import measuring_steps, training_steps
from training.second_look.__main__ import main

pytestmark = pytest.mark.usefixtures("one_seed")


def test_one_logit_for_each_head_by_reading() -> None:
    network = tiny_network().eval()
    crops = network.normalise(torch.randint(0, 256, (2, SIZE, SIZE, 3), dtype=torch.uint8))
    inner, head, photograph = (
        network.of_reading(network(crops), torch.full((2,), reading)) for reading in range(READINGS)
    )
    assert inner.shape == head.shape == photograph.shape == (2, 2)
    assert not torch.equal(inner, head) and not torch.equal(head, photograph)
    mixed = network.of_reading(network(crops), torch.tensor([0, 2]))
    torch.testing.assert_close(mixed, torch.stack([inner[0], photograph[1]]))


def test_heads_that_are_not_asked_count_for_nothing() -> None:
    given = torch.tensor([[2.0, 50.0], [-1.0, -50.0]])
    wanted = torch.tensor([[1.0, -1.0], [0.0, -1.0]])
    one_head = question_loss(given[:, :1], wanted[:, :1], 0.0)
    torch.testing.assert_close(question_loss(given, wanted, 0.0), one_head)


def test_the_command_line_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*place, "publish-scan", str(tmp_path), "my-scan"]) == 2
    assert "`scan`" in capsys.readouterr().err
    assert main([*place, "publish-scan", str(tmp_path), "My/Scan"]) == 2
    assert "names of models" in capsys.readouterr().err
    assert main([*place, "prepare", "nosuch"]) == 2
    assert main([*place, "upper"]) == 2
    assert "tokens" in capsys.readouterr().err
    assert main([*place, "scan"]) == 2, "before faces are cut from other data"
    assert "`prepare`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("step", "fit"),
    [("photographs", "fit_photograph_heads"), ("altered", "fit_altered_head")],
)
def test_heads_are_fitted_anew_on_what_ships(
    step: str, fit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tries another head need not train the blocks first; heads for patches stay."""
    fitted: list[ViTSmall14] = []
    kept: dict[str, ViTSmall14] = {}
    monkeypatch.setattr(training_steps, "training_patches", lambda data, out: [])
    monkeypatch.setattr(training_steps, fit, lambda network, *_given: fitted.append(network))
    monkeypatch.setattr(training_steps, "_save", lambda network, path: kept.update({path.name: network}))
    shipped = ROOT / "models" / "second-look" / "reelproof.safetensors"
    place = ["--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*place, "--run", "try", step, "--of", str(shipped)]) == 0
    (network,) = fitted
    assert isinstance(network, ViTSmall14PatchHeads) and network.patch_judge.weight.any()
    assert kept == {f"{step}.pt": network}


@pytest.mark.usefixtures("small_framings")
def test_heads_of_another_network_are_not_fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file(SmallFramings().state_dict(), tmp_path / "own.safetensors", {"architecture": "small_framings"})
    place = ["--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*place, "altered", "--of", str(tmp_path / "own.safetensors")]) == 2
    assert "is a small_framings. These steps fit heads of vit_small_14." in capsys.readouterr().err


def test_older_names_of_the_scan_and_of_stability_still_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[argparse.Namespace] = []
    monkeypatch.setattr(measuring_steps, "stability", asked.append)
    for option, step in (("--scan", "stability"), ("--fast", "steadiness")):
        assert main(["--data", str(tmp_path), option, "efficientnet-lstm", step]) == 0
    assert [options.scan for options in asked] == ["efficientnet-lstm"] * 2


def test_the_tiny_network_is_built_like_the_large_one() -> None:
    assert tiny_network().judge.out_features == READINGS * QUESTIONS
    assert ViTSmall14().shape.features == 3 * 3 * 384
