"""Verdicts of the engine and of its slow way, put side by side."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from analyses import build

from detector.models.loaded import LoadedModel
from detector.schema.analysis import ManipulationKind, Verdict
from training.second_look.measuring import stored_analyses, verdicts
from training.second_look.measuring.verdicts import (
    ClipVerdict,
    changed_verdicts,
    describe_verdicts,
    measure_verdicts,
)

PASSED, OPEN, FLAGGED = Verdict.NOT_FOUND, Verdict.INCONCLUSIVE, Verdict.MANIPULATED


def test_verdicts_are_counted_by_truth_and_changed_ones_named() -> None:
    before = [
        ClipVerdict("a.mp4", False, PASSED, 0.1),
        ClipVerdict("b.mp4", True, OPEN, 0.5),
        ClipVerdict("c.mp4", True, FLAGGED, 0.9),
    ]
    after = [*before[:1], ClipVerdict("b.mp4", True, FLAGGED, 0.7), *before[2:]]
    assert describe_verdicts(before).startswith("AUC 1.000; ")
    assert f"manipulated {FLAGGED} 2" in describe_verdicts(after)
    assert changed_verdicts(before, before) == []
    assert changed_verdicts(before, after) == [f"b.mp4: {OPEN} 0.50, then {FLAGGED} 0.70"]


@pytest.mark.parametrize(
    ("kind", "generator", "right"),
    [
        (ManipulationKind.EDITED, "FF++ FaceSwap c23", True),
        (ManipulationKind.GENERATED, "FF++ FaceSwap c23", False),
        (ManipulationKind.GENERATED, "SadTalker", True),
        (ManipulationKind.EDITED, "SadTalker", False),
        (ManipulationKind.EDITED, "Wav2Lip on generated portrait", True),
        (ManipulationKind.GENERATED, "Wav2Lip on generated portrait", True),
        (None, "SadTalker", None),
    ],
)
def test_whether_the_kind_is_right_follows_from_the_generator(
    tmp_path: Path, kind: ManipulationKind | None, generator: str, right: bool | None
) -> None:
    analysis = build(tmp_path, kept=False).model_copy(update={"kind": kind})
    assert verdicts._kind(analysis, {"generator": generator, "label": "fake"}) is right


def test_kinds_are_counted_of_flagged_manipulated_clips() -> None:
    fakes = [
        ClipVerdict(f"{n}.mp4", True, FLAGGED, 0.9, kind) for n, kind in enumerate((True, True, False, None))
    ]
    others = [ClipVerdict("x.mp4", False, FLAGGED, 0.9, False), ClipVerdict("y.mp4", True, OPEN, 0.5)]
    assert describe_verdicts([*fakes, *others]).endswith("their kind right 2, wrong 1, not told 1")


def test_both_ways_answer_and_answers_are_kept(
    tmp_path: Path, talking: Path, scan: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("clips", "videos"):
        (tmp_path / folder).mkdir()
        with (tmp_path / folder / "labels.csv").open("w") as file:
            rows = csv.writer(file)
            rows.writerow(["file", "role", "label", "generator", "group"])
            label = "fake" if folder == "clips" else "real"
            rows.writerow([f"{folder}.mp4", "develop", label, "none", folder])
        shutil.copy(talking, tmp_path / folder / f"{folder}.mp4")
    lines: list[str] = []
    answers = measure_verdicts(tmp_path, scan, tmp_path / "kept", 1, True, lines.append)
    assert [answer.fake for answer in answers] == [True, False]
    assert lines[-1].startswith("slow: "), "no verdict was changed by the engine's shortcuts"
    for module in (verdicts, stored_analyses):
        monkeypatch.setattr(module, "analyze", lambda *_args, **_named: pytest.fail("analysed again"))
    assert measure_verdicts(tmp_path, scan, tmp_path / "kept", 1, True, lines.append) == answers
