"""Changed copies of clips, and how many of their verdicts differ from the original's."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from detector.models.loaded import LoadedModel
from detector.schema.analysis import Verdict
from training.evaluation.short_clips import ShortClip, write_short_clip
from training.second_look.measuring import stored_analyses
from training.second_look.measuring.changed_copies import (
    CHANGES,
    ChangedVerdict,
    measure_stability,
    stability_figures,
)

PASSED, OPEN, FLAGGED = Verdict.NOT_FOUND, Verdict.INCONCLUSIVE, Verdict.MANIPULATED


def test_a_copy_is_shifted_or_halved() -> None:
    shifted, halved = (change.of for change in CHANGES[:2])
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    assert np.array_equal(shifted(picture)[3:, 3:], picture[:-3, :-3])
    assert halved(picture).shape == (20, 30, 3)


def test_changed_verdicts_and_those_turned_over_are_counted_apart() -> None:
    shifted, halved, _ = (change.name for change in CHANGES)
    results = [
        ChangedVerdict(shifted, FLAGGED, OPEN),
        ChangedVerdict(shifted, FLAGGED, FLAGGED),
        ChangedVerdict(halved, FLAGGED, PASSED),
        ChangedVerdict(halved, PASSED, PASSED),
        *[ChangedVerdict(CHANGES[2].name, OPEN, OPEN)] * 4,
    ]
    figures = stability_figures(results)
    assert figures[f"whole program, 2 develop clips {shifted}, verdict changed"] == 0.5
    assert figures["whole program, 4 develop clips crf 28, verdict changed"] == 0.0
    assert figures["whole program, 8 changed copies, verdict changed"] == 0.25
    assert figures["whole program, 8 changed copies, verdict turned over"] == 0.125


def test_what_has_no_face_stays_inconclusive_and_analyses_are_kept(
    tmp_path: Path, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("clips", "videos"):
        (tmp_path / folder).mkdir()
        rows = [("grey.mp4", "develop", "real")] if folder == "clips" else []
        with (tmp_path / folder / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("file", "role", "label"), *rows])
    grey = ShortClip([np.full((96, 96, 3), 90, np.uint8)] * 8, Fraction(30))
    write_short_clip(grey, tmp_path / "clips" / "grey.mp4", 20)
    lines: list[str] = []
    copies = tmp_path / "copies"
    results = measure_stability(tmp_path, model, copies, 1, lines.append)
    assert results == [ChangedVerdict(change.name, OPEN, OPEN) for change in CHANGES]
    assert not list(copies.glob("*.mp4"))
    monkeypatch.setattr(stored_analyses, "analyze", lambda *_args, **_named: pytest.fail("analysed again"))
    assert measure_stability(tmp_path, model, copies, 1, lines.append) == results
