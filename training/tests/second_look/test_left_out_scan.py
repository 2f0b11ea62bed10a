"""The scan trained without some generators, on made pictures."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from made_faces import samples
from second_look_cases import patch

from detector.errors import ParameterError
from detector.models.loaded import LoadedModel, load_model
from training.second_look import scan
from training.second_look.examples.patches import Patch, store
from training.second_look.measuring import left_out
from training.second_look.measuring.left_out import measure_shares, train_without
from training.second_look.runs import Recipe

RECIPE = Recipe(examples=8, batch=4, warm_up=1)
WAV2LIP = {"fake": True, "generator": "Wav2Lip + GFPGAN", "family": "lip-sync"}


@cache
def shipped() -> LoadedModel:
    return load_model("reelproof").alone


def network() -> scan.ScanNetwork:
    return scan.ScanNetwork.from_model(shipped(), 0.0)


def clips(role: str) -> list[Patch]:
    """Two unmanipulated clips, two swaps and two of lip-sync."""
    return [
        patch(n, file=f"{role}-{n}-{kind}.mp4", role=role, frame=frame, **kind)
        for n in range(2)
        for kind in ({}, {"fake": True}, WAV2LIP)
        for frame in range(6)
    ]


def test_what_is_left_out_is_not_learnt_and_a_finished_run_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[Patch] = []

    class Watched(scan.ScanSource):
        def __init__(self, patches: list[Patch], *others: object) -> None:
            learnt.extend(patches)
            super().__init__(patches, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(left_out, "ScanSource", Watched)
    last = train_without(network(), clips("train"), samples(), ["wav2lip"], RECIPE, tmp_path, print)
    assert {example.generator for example in learnt} == {"none", "Deepfakes"}
    before = last.read_bytes()
    assert train_without(network(), clips("train"), samples(), ["wav2lip"], RECIPE, tmp_path, print) == last
    assert last.read_bytes() == before
    learnt.clear()
    other = train_without(network(), clips("train"), samples(), ["deepfakes"], RECIPE, tmp_path, print)
    assert other != last and {example.generator for example in learnt} == {"none", "Wav2Lip + GFPGAN"}


def test_a_generator_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="sadtalker"):
        train_without(network(), clips("train"), samples(), ["sadtalker"], RECIPE, tmp_path, print)


def test_each_share_of_the_way_is_measured_on_what_was_left_out_and_on_what_was_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path, "clips", clips("train") + clips("develop"))
    store(tmp_path, "videos", [])
    start, last = network(), tmp_path / "last.pt"
    state = start.state_dict()
    torch.save(state | {"backbone.classifier.bias": state["backbone.classifier.bias"] + 1}, last)
    asked: list[float] = []
    monkeypatch.setattr(left_out, "logits", lambda network, shown, framing: told(network, shown, asked))
    figures = measure_shares(start, last, tmp_path, ["wav2lip"], print)
    assert list(figures) == list(left_out.SHARES) and asked == pytest.approx(left_out.SHARES)
    assert all(told == {"wav2lip": 1.0, "left out": 1.0, "learnt": 0.5} for told in figures.values())


def told(network: scan.ScanNetwork, shown: list[Patch], asked: list[float]) -> object:
    """Logits that know lip-sync alone; ``asked`` notes how far from the start the network is."""
    start = shipped().network.state_dict()["backbone.classifier.bias"]
    asked.append(float(network.state_dict()["backbone.classifier.bias"] - start))
    return torch.tensor([[float(example.family == "lip-sync")] for example in shown]).numpy()
