"""A network in an ONNX file is measured as the engine uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector import analyze
from detector.models.loaded import load_model
from detector.models.model_files import load_card
from detector.schema.analysis import Parameters
from detector.scoring.scorer import Scorer
from training.evaluation import leaderboard as board
from training.evaluation.evaluate import evaluate
from training.evaluation.leaderboard import leaderboard, read_record
from training.evaluation.material import analyse_clips, own_set_clips, own_set_part


def test_evaluation_matches_the_engine(tiny: Path, material: Path, tmp_path: Path) -> None:
    """By sampled frames alone: without those around ends of segments."""
    parameters = Parameters()
    evaluated = {
        clip.file: clip.analysis
        for clip in analyse_clips(
            own_set_clips(own_set_part(material, None, frozenset())),
            Scorer(load_model(tiny)),
            tmp_path,
            print,
            parameters=parameters,
        )
    }
    assert len(evaluated) == 4
    alone = parameters.model_copy(update={"edge_window": 0.0})
    for name in ("fake/fake.mp4", "real/real.png"):
        wanted = analyze(material / name, model=tiny, parameters=alone)
        assert evaluated[name].verdict == wanted.verdict
        assert evaluated[name].probability == pytest.approx(wanted.probability, abs=1e-3)


def test_evaluation_page(tiny: Path, material: Path, tmp_path: Path) -> None:
    measured = evaluate(tiny, material, tmp_path / "out")
    assert measured.levels["clips"]["items"] == measured.levels["photographs"]["items"] == 2
    assert (tmp_path / "out" / "index.html").is_file()
    crops = evaluate(tiny, material, tmp_path / "crops", crops=True)
    assert crops.levels["crops"]["items"] == 2


def test_leaderboard_row(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without speed, which compares networks of torch."""
    card, _ = load_card(tiny)
    kept = tmp_path / "out" / "evaluation-tiny" / "metrics.json"
    kept.parent.mkdir(parents=True)
    figures = {name: 0.5 for _, name, _ in board.COLUMNS}
    model = {"sha256": card.sha256, "temperature": card.temperature}
    kept.write_text(json.dumps({"model": model, "parameters": Parameters().model_dump(), "figures": figures}))
    table = leaderboard([str(tiny)], tmp_path, tmp_path / "out", folder=tmp_path)
    (row,) = read_record(tmp_path)
    assert (row.name, row.figures, row.speed) == ("tiny", figures, None) and row.parameters > 100
    assert "`tiny`" in table.read_text()
