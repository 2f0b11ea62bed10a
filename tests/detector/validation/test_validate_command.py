"""`python -m detector validate`: what it writes, that it goes on where it was, and what it refuses.

Analyses are replaced by what a file's name says, in the process of a worker: what confines them is tested
with `score` (tests/detector/batch/test_worker_pool.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from onnx_models import put
from warm import Script

from detector.files import ROOT
from detector.schema.joint import JointRule
from detector.schema.laboratory import Laboratory, Validation
from detector.validation.validated_model import difference_to_model, validated_model

# A name is `LABEL-PROBABILITY-NUMBER`; what it gives stands in for an analysis.
ACTING = Script("""
import sys
from types import SimpleNamespace
from detector.batch import worker_pool
from cli.engine.main import main
from detector.sandbox import UnexpectedError
from tests.unconfined import Unconfined

def scored(path, name, asked, threads, report, more=None):
    _, figure, _ = name.split(".")[0].split("-")
    probability = int(figure) / 100
    if probability == 0.99:
        raise UnexpectedError("nobody thought of this")
    more = {}
    if asked.others.models:  # one more, that flags from 0.5 on
        said = "manipulated" if probability >= 0.5 else "no manipulation found"
        more = {"others": [{"model": "other", "verdict": said, "probability": probability}],
                "models": [{"name": "other", "title": "Other", "architecture": "none", "sha256": "0" * 64}]}
    return {**more, "verdict": "manipulated" if probability >= 0.65 else "no manipulation found",
            "probability": probability, "stability": None, "faces": 1, "duration": 2.0, "media": "video",
            "segments": [[0.5, 1.5, probability]] if probability >= 0.65 else [], "outside": [],
            "codec": "h264", "values": {"face width": 90.0}, "backend": "OpenVINO"}

worker_pool._scored, worker_pool.Sandbox = scored, Unconfined
worker_pool.MODULES = worker_pool._FOR_SEVERAL = ()
worker_pool._make_networks = lambda loaded: None
worker_pool._one_thread = lambda: None
worker_pool.load_once = lambda model: SimpleNamespace()
worker_pool.backends.needs_torch = lambda model: False
if sys.argv.pop(1) == "quick":  # rendering a PDF takes longer than all else
    from reports.signing import validation_files
    validation_files.render_document = lambda *given: b"%PDF-"
sys.exit(main(["validate", *sys.argv[1:]]))
""")


def validated(*arguments: str | Path, pdf: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ACTING, "whole" if pdf else "quick", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)


@pytest.fixture
def material(tmp_path: Path) -> Path:
    for number in range(12):
        for label, figure in (("real", 10 + number), ("manipulated", 60 + 2 * number)):
            path = tmp_path / "data" / label / f"{label}-{figure}-{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(path.name.encode())
    return tmp_path / "data"


def test_run_writes_validation_and_report_and_resumes(tmp_path: Path, material: Path) -> None:
    out = tmp_path / "out"
    done = validated(
        material, "--out", out, "--workers", "1", "--repeat", "1", "--laboratory", "Lab", pdf=True
    )
    assert done.returncode == 0, done.stderr
    assert "false negative rate 0.250" in done.stdout
    made = Validation.from_json((out / "validation.json").read_bytes())
    assert len(made.items) == 24
    assert made.laboratory == "Lab"
    assert made.repetitions[0].largest_difference == 0
    assert (out / "validation.pdf").read_bytes().startswith(b"%PDF-")
    sums = (out / "sha256sums.txt").read_text().splitlines()
    assert [line.split("  ")[1] for line in sums] == ["validation.json", "validation.html", "validation.pdf"]

    options = [str(out / "validation.json"), "--false-positive-rate", "0"]
    set_ = subprocess.run(
        [sys.executable, "-m", "detector", "threshold", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert "clips: flagged from 0.22 (shipped 0.65); false positive rate 0.000" in set_.stdout, set_.stderr
    own = Laboratory.from_json((out / "laboratory.json").read_bytes())
    assert own.thresholds[0].threshold == 0.22

    lines = (out / "measured.jsonl").read_text().splitlines()
    assert len(lines) == 24
    (out / "measured.jsonl").write_text("\n".join(lines[:20]) + "\n")
    another = material / "real" / "real-99-9.mp4"
    another.write_bytes(b"breaks")
    elsewhere = Path(os.path.relpath(material, ROOT))  # another way to name the same files
    again = validated(elsewhere, "--out", out, "--workers", "1", "--repeat", "0")
    assert again.returncode == 1, "one file could not be analysed"
    assert len((out / "measured.jsonl").read_text().splitlines()) == 25
    later = Validation.from_json((out / "validation.json").read_bytes())
    assert [item.file for item in later.items if item.error] == ["real/real-99-9.mp4"]
    assert later.level(later.items[0].kind) == made.level(made.items[0].kind)  # type: ignore[arg-type]


def test_names_that_are_not_utf_8_keep_their_measurements(tmp_path: Path, material: Path) -> None:
    (material / "manipulated" / "manipulated-60-0.mp4").unlink()
    generator = material / "manipulated" / os.fsdecode(b"swap\xff")
    generator.mkdir()
    (generator / os.fsdecode(b"manipulated-60-0\xff.mp4")).write_bytes(b"one")
    data = material.rename(tmp_path / os.fsdecode(b"caf\xe9"))
    done = validated(data, "--out", tmp_path / "out", "--workers", "1", "--repeat", "0")
    assert done.returncode == 0, done.stderr
    made = Validation.from_json((tmp_path / "out" / "validation.json").read_bytes())
    assert made.title == "caf?" and len(made.items) == 24
    (measurement,) = [item for item in made.items if "?" in item.file]
    assert measurement.file == "manipulated/swap?/manipulated-60-0?.mp4" and measurement.generator == "swap?"
    assert measurement.probability == 0.6


def test_further_model_is_validated_too(tmp_path: Path, material: Path) -> None:
    out = tmp_path / "out"
    done = validated(material, "--out", out, "--workers", "1", "--repeat", "1", "--also", "efficientnet-lstm")
    assert done.returncode == 0, done.stderr
    made = Validation.from_json((out / "validation.json").read_bytes())
    (beside,), (either, both) = made.others, made.joint
    assert beside.model.title == "Other"
    assert [level.manipulated.flagged for level in (made.levels[0], beside.levels[0])] == [9, 12]
    assert either.rule is JointRule.ANY and either.levels[0].manipulated.flagged == 12
    assert both.rule is JointRule.ALL and both.levels[0].manipulated.inconclusive == 3
    assert {rate.figure for rate in both.levels[0].rates} == {"false positive rate", "false negative rate"}
    page = (out / "validation.html").read_text()
    assert "Each model by its own verdict" in page and "manipulated if any model says so" in page
    assert Laboratory.from_json((out / "laboratory.json").read_bytes()).others == made.others
    assert f"{beside.model.title}:" in done.stdout


def test_onnx_file_is_validated(tmp_path: Path, material: Path) -> None:
    out, tiny = tmp_path / "out", put(tmp_path, "tiny")
    done = validated(material, "--out", out, "--workers", "1", "--repeat", "0", "--model", tiny)
    assert done.returncode == 0, done.stderr
    made = Validation.from_json((out / "validation.json").read_bytes())
    assert made.model.name == "tiny" and made.model.second_look is None
    quoted = Laboratory.from_json((out / "laboratory.json").read_bytes())
    assert not difference_to_model(quoted, validated_model(tiny))
    assert "weights" in difference_to_model(quoted, validated_model(None))


def test_duplicate_model_is_rejected_early(tmp_path: Path, material: Path) -> None:
    done = validated(material, "--out", tmp_path / "out", "--also", "reelproof")
    assert done.returncode == 2 and "named twice" in done.stderr


def test_comparison_with_another_machine(tmp_path: Path, material: Path) -> None:
    out = tmp_path / "out"
    assert validated(material, "--out", out, "--workers", "1", "--repeat", "0").returncode == 0
    there = json.loads((out / "validation.json").read_text())
    there["items"][0]["probability"] -= 0.05
    (tmp_path / "there.json").write_text(json.dumps(there))
    done = validated(material, "--out", out, "--repeat", "0", "--against", tmp_path / "there.json")
    assert done.returncode == 0, done.stderr
    (repetition,) = Validation.from_json((out / "validation.json").read_bytes()).repetitions
    assert repetition.how.startswith("on another machine")
    assert repetition.items == 24
    assert repetition.largest_difference == pytest.approx(0.05)


def test_errors_are_reported_early(tmp_path: Path, material: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    assert "contains no validation" in validated(material, "--out", other).stderr
    assert "no such folder or CSV" in validated(tmp_path / "gone", "--out", tmp_path / "out").stderr
    key = tmp_path / "key.p12"
    key.write_bytes(b"no key")
    assert "no PKCS#12 file" in validated(material, "--out", tmp_path / "out", "--key", key).stderr
