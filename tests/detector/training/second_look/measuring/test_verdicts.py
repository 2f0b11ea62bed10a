"""Verdicts of the engine and of its slow way, put side by side."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from detector.models.loaded import LoadedModel
from detector.schema.analysis import Verdict
from detector.training.second_look.measuring import verdicts
from detector.training.second_look.measuring.verdicts import Answer, changed, measure_verdicts, told

PASSED, OPEN, FLAGGED = Verdict.NOT_FOUND, Verdict.INCONCLUSIVE, Verdict.MANIPULATED


def test_verdicts_are_counted_by_truth_and_changed_ones_named() -> None:
    before = [
        Answer("a.mp4", False, PASSED, 0.1),
        Answer("b.mp4", True, OPEN, 0.5),
        Answer("c.mp4", True, FLAGGED, 0.9),
    ]
    after = [*before[:1], Answer("b.mp4", True, FLAGGED, 0.7), *before[2:]]
    assert told(before).startswith("AUC 1.000; ")
    assert f"manipulated {FLAGGED} 2" in told(after)
    assert changed(before, before) == []
    assert changed(before, after) == [f"b.mp4: {OPEN} 0.50, then {FLAGGED} 0.70"]


def test_both_ways_answer_and_answers_are_kept(
    tmp_path: Path, talking: Path, scan: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("clips", "videos"):
        (tmp_path / folder).mkdir()
        with (tmp_path / folder / "labels.csv").open("w") as file:
            rows = csv.writer(file)
            rows.writerow(["file", "role", "label"])
            rows.writerow([f"{folder}.mp4", "develop", "fake" if folder == "clips" else "real"])
        shutil.copy(talking, tmp_path / folder / f"{folder}.mp4")
    said: list[str] = []
    answers = measure_verdicts(tmp_path, scan, tmp_path / "kept", 1, said.append)
    assert [len(each) for each in answers.values()] == [2, 2]
    assert len(said) == 2, said  # no verdict was changed by the engine's shortcuts
    monkeypatch.setattr(verdicts, "analyze", lambda *_args, **_named: pytest.fail("analysed again"))
    assert measure_verdicts(tmp_path, scan, tmp_path / "kept", 1, said.append) == answers
