"""The table from made records; speed and rows of the shipped model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from detector.errors import ParameterError
from detector.models.loaded import LoadedModel
from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER, load_card
from detector.schema.analysis import Parameters
from detector.scoring.scorer import Scorer
from training.evaluation import leaderboard as board
from training.evaluation.leaderboard import Row, Speed, leaderboard, markdown, measure_speed, read_record


def row(name: str, auc: float, ece: float, note: str = "", speed: Speed | None = None) -> Row:
    return Row(
        name=name,
        title=name.title(),
        architecture="resnet18",
        sha256="0" * 64,
        size=112,
        parameters=11_200_000,
        megabytes=22.4,
        figures={"develop clips, AUC": auc, "dfdc-test crops, expected calibration error": ece},
        speed=speed,
        note=note,
    )


FAST = Speed(one_thread=123.4, all_threads=456.7, threads=2, ratio_one=0.5, ratio_all=0.6)


def test_the_shipped_table_is_that_of_record_and_cards(tmp_path: Path) -> None:
    """Else write it anew: ``leaderboard.write_record(leaderboard.read_record())``."""
    folder = tmp_path / "models"
    shutil.copytree(MODELS_FOLDER, folder)
    board.write_record(read_record(folder), folder)
    for name in ("LEADERBOARD.md", "leaderboard.jsonl"):
        assert (folder / name).read_text() == (MODELS_FOLDER / name).read_text()


def test_table_from_records(tmp_path: Path) -> None:
    (tmp_path / "good.safetensors").touch()
    board.write_record([row("poor", 0.7, 0.02, "too large"), row("good", 0.9, 0.03, speed=FAST)], tmp_path)
    good, poor = read_record(tmp_path)
    assert (good.name, poor.name) == ("good", "poor"), "best on clips first"
    text = (tmp_path / "LEADERBOARD.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    assert lines[0].startswith("| `good` | `resnet18`, 112 px |") and "**0.900**" in lines[0]
    assert "| 11.2 | 22.4 | 123 | 457 (2) | 0.50 |" in lines[0]
    assert lines[1].startswith("| `poor` (1) ") and "**0.020**" in lines[1] and "0.700" in lines[1]
    assert "1. `poor`: too large" in text
    counts = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(counts) == 1, "every row has every column"


def test_weights_that_are_not_there_are_noted() -> None:
    assert "1. `gone`: weights not shipped" in markdown([row("gone", 0.5, 0.1)], {"other"})
    assert "not shipped" not in markdown([row("here", 0.5, 0.1)], {"here"})


def test_the_card_of_a_second_look_is_linked_below_the_table(tmp_path: Path) -> None:
    shutil.copytree(MODELS_FOLDER / board.SECOND_LOOK_FOLDER, tmp_path / board.SECOND_LOOK_FOLDER)
    board.write_record([row("reelproof", 0.9, 0.03)], tmp_path)
    table = (tmp_path / "LEADERBOARD.md").read_text()
    assert "| `reelproof`" in table and "(second-look/reelproof.md#measured-figures)" in table


def test_a_malformed_record_is_refused(tmp_path: Path) -> None:
    assert read_record(tmp_path) == []
    (tmp_path / "leaderboard.jsonl").write_text('{"name": 3}\n')
    with pytest.raises(ParameterError, match="malformed"):
        read_record(tmp_path)


def test_the_record_is_no_model_card() -> None:
    assert not board.RECORD.endswith(".json")


def test_speed_is_measured_in_turns(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "_ROUNDS", 1)
    monkeypatch.setattr(board, "_BATCHES", 1)
    before = torch.get_num_threads()
    scorer = Scorer(model, torch.device("cpu"))
    speeds = measure_speed({"a": scorer, "b": scorer}, 1)
    assert set(speeds) == {"a", "b"} and min(speeds.values()) > 1
    assert torch.get_num_threads() == before


def test_figures_known_already_are_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    models, out = tmp_path / "models", tmp_path / "out"
    kept = out / f"evaluation-{DEFAULT_MODEL}"
    models.mkdir()
    kept.mkdir(parents=True)
    for suffix in (".json", ".safetensors"):
        shutil.copy(MODELS_FOLDER / f"{DEFAULT_MODEL}{suffix}", models)
    card, _ = load_card()
    figures = {name: 0.5 for _, name, _ in board.COLUMNS}
    model = {"sha256": card.sha256, "temperature": card.temperature}
    (kept / "metrics.json").write_text(
        json.dumps({"model": model, "parameters": Parameters().model_dump(), "figures": figures})
    )
    monkeypatch.setattr(board, "_speeds", lambda loaded, report: {card.name: FAST})
    monkeypatch.setattr(board, "evaluate", lambda *given, **named: pytest.fail("measured again"))
    assert leaderboard([], tmp_path, out, folder=models) == models / "LEADERBOARD.md"
    (made,) = read_record(models)
    assert made.figures == figures and made.speed == FAST
    assert made.parameters == pytest.approx(3.4e6, rel=0.05)
    assert made.megabytes == pytest.approx(
        (MODELS_FOLDER / f"{DEFAULT_MODEL}.safetensors").stat().st_size / 1e6, 0.01
    )
