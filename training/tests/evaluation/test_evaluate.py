"""Evaluation from end to end on small made data, and the figures over clips."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from clips import Analysed
from made_faces import crop, encoded

from cli.engine.main import main
from detector.errors import ParameterError
from detector.models.loaded import LoadedModel
from detector.models.model_files import MODELS_FOLDER, load_card
from detector.schema.analysis import Analysis, Parameters, Verdict
from detector.schema.causes.cards import CardCode
from detector.scoring.scorer import Scorer
from training.evaluation.evaluate import evaluate
from training.evaluation.material import (
    Clip,
    clip_figures,
    inner_auc,
    left_out_figures,
    listed_clips,
    own_set_crops,
    own_set_part,
    scored_frames,
    segment_spans,
    timed_clips,
)
from training.evaluation.recorded_clips import record, replay, strongest_crop


def judged(
    base: Analysis, verdict: Verdict, probability: float | None, *flagged: tuple[float, float]
) -> Analysis:
    template = base.segments[0]
    parts = tuple(template.model_copy(update={"start": a, "end": b}) for a, b in flagged)
    return base.model_copy(update={"verdict": verdict, "probability": probability, "segments": parts})


YES, NO, UNSURE = Verdict.MANIPULATED, Verdict.NOT_FOUND, Verdict.INCONCLUSIVE


def test_figures_over_clips(analysed_sample: Analysed) -> None:
    """Four whole clips, two spliced, one control, whose verdicts are given."""
    base = analysed_sample.analysis
    clips = [
        Clip("ffpp-c40-1.mp4", True, "face2face", (), judged(base, YES, 0.9)),
        Clip("ffpp-c40-2.mp4", False, "none", (), judged(base, NO, 0.2)),
        Clip("dfdc-1.mp4", True, "dfdc", (), judged(base, NO, 0.3)),
        Clip("dfdc-2.mp4", False, "dfdc", (), judged(base, UNSURE, None)),
        Clip("dfdc-3.mp4", False, "dfdc", (), judged(base, YES, 0.8)),
        Clip("splice-1.mp4", True, "x", ((0, 2),), judged(base, YES, 0.9, (0, 2))),
        Clip("splice-2.mp4", True, "x", ((0, 2),), judged(base, NO, 0.4)),
        Clip("control.mp4", False, "", (), judged(base, YES, 0.9, (1, 2))),
    ]
    figures = clip_figures(clips)
    assert figures == pytest.approx(
        {
            "develop clips, AUC": 3 / 4,
            "develop clips of FaceForensics++ c40, AUC": 1.0,
            "develop clips, manipulated ones flagged": 1 / 2,
            "develop clips, unmanipulated ones flagged": 1 / 3,
            "develop clips, inconclusive": 1 / 5,
            "partly manipulated clips, mean temporal IoU": 1 / 2,
            "partly manipulated clips, flagged": 1 / 2,
            "control clips (a cut or a stretch compressed again), flagged": 1.0,
        }
    )
    assert segment_spans(clips[5].analysis) == [(0, 2)]


def test_left_out_thresholds(analysed_sample: Analysed) -> None:
    base = analysed_sample.analysis
    clips = [
        Clip(f"{i}.mp4", fake, "x", (), judged(base, NO, p), group=group)
        for i, (fake, p, group) in enumerate(
            [(True, 0.9, "a"), (False, 0.1, "a"), (True, 0.8, "b"), (False, 0.2, "b"), (False, None, "c")]
        )
    ]
    assert list(left_out_figures(clips).values()) == [1.0, 1.0, 0.0]


def test_two_people_are_two_videos(analysed_sample: Analysed) -> None:
    """What is flagged on the wrong side is a false alarm there."""
    base = analysed_sample.analysis
    flagged = base.segments[0].person
    (who,) = (p for p in base.persons if p.id == flagged)
    centre = (who.median_box[0] + who.median_box[2]) / 2
    for split, side in ((centre + 1, " left"), (centre - 1, " right")):
        left, right = timed_clips([Clip("duo", True, "x", ((1, 2),), base, split_x=split)])
        assert (left.truth, right.truth) == ((), ((1, 2),))
        assert {v.name.removeprefix("duo"): bool(v.proposals) for v in (left, right)}[side]


def test_frames_inside_a_clip(analysed_sample: Analysed) -> None:
    base = analysed_sample.analysis
    start, end = base.segments[0].start, base.segments[0].end
    clip = Clip("a", True, "x", ((start, end),), base)
    assert inner_auc([clip], smoothed=True)["a"] > 0.6
    assert inner_auc([Clip("b", True, "x", ((-2, -1),), base)], smoothed=False) == {}
    frames = scored_frames([clip])
    judged = [score for person in base.persons for score in person.scores if score.usable]
    assert len(frames.labels) == len(judged)


def test_real_develop_clips_are_counted(data: Path) -> None:
    """`labels.csv` names a generator for every clip, or clip_figures would take real ones for controls."""
    listed = listed_clips(data / "videos")
    whole = [c for c in listed if c.generator and not c.truth]
    assert sum(c.fake for c in whole) == 11 and len(whole) == 24
    assert len({c.group for c in whole if c.file.startswith("ffpp")}) == 2
    assert sum(bool(c.truth) for c in listed) == 8 and sum(not c.generator for c in listed) == 2
    assert {c.group for c in listed if c.truth or not c.generator} == {"ffpp-183-253", "ffpp-469-481"}


def test_a_replay_says_what_the_engine_says(
    sample: Path, scanned_alone: Analysis, model: LoadedModel, tmp_path: Path
) -> None:
    """Verdict, segments and scores of sampled frames; crops of another size need no second search."""
    parameters, straight = Parameters(), scanned_alone
    recording, crops = record(sample, 128, tmp_path, parameters)
    analysis = replay(recording, crops, Scorer(model), parameters)
    assert (analysis.verdict, analysis.reason, analysis.coverage) == (
        straight.verdict,
        straight.reason,
        straight.coverage.model_copy(update={"quality": None}),  # a recording keeps crops, not their quality
    )
    known = {"details": None, "anomalies": (), "credentials": None}  # what is not recorded
    assert analysis.media == straight.media.model_copy(update=known)
    assert analysis.probability == pytest.approx(straight.probability, abs=1e-3)
    assert [(s.id, s.start, s.end) for s in analysis.segments] == [
        (s.id, s.start, s.end) for s in straight.segments
    ]
    for mine, reference in zip(analysis.persons, straight.persons, strict=True):
        assert [s.logit for s in mine.scores] == pytest.approx([s.logit for s in reference.scores], abs=1e-2)
    shown = strongest_crop(recording, analysis, crops)
    assert shown is not None and shown.shape == (128, 128, 3)

    again, kept = record(sample, 128, tmp_path, parameters)
    assert np.array_equal(crops, kept) and again.times == recording.times
    _, small = record(sample, 64, tmp_path, parameters)
    assert small.shape == (len(crops), 64, 64, 3)
    gap = small.astype(float).mean(axis=(1, 2)) - crops.astype(float).mean(axis=(1, 2))
    assert np.abs(gap).max() < 6


@pytest.fixture
def folder(tmp_path: Path, astronaut: np.ndarray) -> Path:
    """Two photos a class, at different depths; one has no face."""
    for place in ("real/a.png", "real/deep/b.png", "fake/x/c.png", "fake/d.png"):
        path = tmp_path / "data" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = crop(1, True) if "c.png" in place else astronaut[:300, 60:360]
        path.write_bytes(encoded(picture))
    return tmp_path / "data"


def test_a_folder_of_photos(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out" / "evaluation"
    for suffix in (".json", ".safetensors"):
        shutil.copy(MODELS_FOLDER / f"efficientnet-lstm{suffix}", tmp_path)
    card = tmp_path / "efficientnet-lstm.json"
    unmeasured = CardCode.UNMEASURED.cause()
    limits = {"limits": ["T.", unmeasured.text], "limit_causes": [unmeasured.model_dump(mode="json")]}
    card.write_text(json.dumps(json.loads(card.read_text()) | limits))
    assert main(["evaluate", str(card), str(folder), "--out", str(out), "--update-card"]) == 0
    assert "photographs, inconclusive" in capsys.readouterr().out
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["figures"]["photographs, inconclusive"] == 0.25
    assert metrics["levels"]["photographs"]["items"] == 3 and not metrics["temporal"]
    assert set(metrics["levels"]) == {"photographs"}, "neither clips nor frames"
    failures = json.loads((out / "failures.json").read_text())
    assert {"path", "label", "probability", "group", "kind"} <= set(failures[0])
    assert {f["path"] for f in failures} >= {"fake/x/c.png"}
    assert all((out / f["thumbnail"]).is_file() for f in failures if f["thumbnail"])
    page = (out / "index.html").read_text()
    assert "http" not in page and (out / "pictures" / "roc.png").is_file()
    assert "no usable face" in (out / "gallery.html").read_text()
    assert list((tmp_path / "out" / "faces").glob("*.npy"))
    # The card lies beside the weights that were measured.
    model_card = load_card(card)[0]
    assert model_card.figures == metrics["figures"] and model_card.limits == ("T.",)
    assert model_card.limit_causes == ()
    assert (
        {rate.unit for rate in model_card.rates}
        == {rate.data for rate in model_card.rates}
        == {"photographs"}
    )
    assert "photographs, inconclusive" in (tmp_path / "efficientnet-lstm.md").read_text()


def test_crops_from_a_table(model: LoadedModel, tmp_path: Path) -> None:
    with (tmp_path / "table.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "group"])
        for i in range(6):
            (tmp_path / f"{i}.jpg").write_bytes(encoded(crop(i, bool(i % 2)), ".jpg"))
            rows.writerow([f"{i}.jpg", i % 2, f"g{i // 2}"])
    found_ = own_set_crops(own_set_part(tmp_path / "table.csv", None, frozenset()))
    assert [c.label for c in found_] == [0, 1] * 3 and found_[3].group == "g1"
    measured = evaluate(None, tmp_path / "table.csv", tmp_path / "out", crops=True)
    assert measured.levels["crops"]["items"] == 6 and measured.levels["crops"]["groups"] == 3
    assert 0 <= measured.figures["crops, AUC"] <= 1


def test_data_of_neither_form(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no such"):
        evaluate(None, tmp_path / "gone", tmp_path / "out")
    with pytest.raises(ParameterError, match="empty"):
        own_set_part(tmp_path, None, frozenset())
    (tmp_path / "t.csv").write_text("path,label\na.jpg,maybe\n")
    with pytest.raises(ParameterError, match="line 2"):
        own_set_part(tmp_path / "t.csv", None, frozenset())
