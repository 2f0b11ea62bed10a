"""``verify --reanalyse``: the right exhibit, the right model, and what is said of the outcome."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from analyses import build

import detector
from detector.demo_clip import make_sample
from detector.schema.analysis import Analysis
from reports import write_report
from reports.__main__ import main
from reports.bundle.manifest import file_entries, manifest_files, new_manifest


@pytest.fixture
def case(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A result without reports, its exhibit, and the weights it names."""
    exhibit, weights = tmp_path / "clip.mp4", tmp_path / "m.safetensors"
    exhibit.write_bytes(b"the exhibit")
    weights.write_bytes(b"the weights")
    folder = tmp_path / "result"
    folder.mkdir()
    made = build(folder, kept=False, sha256=hashlib.sha256(b"the exhibit").hexdigest())
    model = made.model.model_copy(update={"sha256": hashlib.sha256(b"the weights").hexdigest()})
    analysis = made.model_copy(update={"model": model})
    (folder / "analysis.json").write_text(analysis.to_json())
    manifest = new_manifest(analysis, "result").model_copy(
        update={"files": file_entries(folder, ["analysis.json"])}
    )
    for name, data in manifest_files(manifest).items():
        (folder / name).write_bytes(data)
    return folder, exhibit, weights


def recorded(folder: Path) -> Analysis:
    return Analysis.from_json((folder / "analysis.json").read_bytes())


def test_findings_that_agree(
    case: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, exhibit, weights = case
    asked: dict[str, object] = {}

    def analyze(path: Path, **options: object) -> Analysis:
        asked.update(options, path=path)
        return recorded(folder)

    monkeypatch.setattr(detector, "analyze", analyze, raising=False)
    command = ["verify", str(folder), "--reanalyse", str(exhibit), "--model", str(weights)]
    assert main(command) == 0
    assert "The findings agree." in capsys.readouterr().out
    assert asked == {
        "path": exhibit,
        "name": "interview_cut3.mp4",
        "parameters": recorded(folder).parameters,
        "model": weights,
    }
    assert main([*command, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["reanalysis"]["agree"] is True


def test_findings_that_differ(
    case: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, exhibit, weights = case
    other = recorded(folder)
    fewer = other.model_copy(update={"segments": other.segments[1:]})
    monkeypatch.setattr(detector, "analyze", lambda path, **options: fewer, raising=False)
    assert main(["verify", str(folder), "--reanalyse", str(exhibit), "--model", str(weights)]) == 1
    said = capsys.readouterr().out
    assert "The findings differ." in said and "analysis.json: does not fit: analysed again" in said


def test_another_exhibit_and_a_model_that_is_not_here(
    case: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, exhibit, weights = case
    assert main(["verify", str(folder), "--reanalyse", str(exhibit)]) == 2
    assert "Name it with --model" in capsys.readouterr().err
    exhibit.write_bytes(b"another exhibit")
    assert main(["verify", str(folder), "--reanalyse", str(exhibit), "--model", str(weights)]) == 1
    assert "clip.mp4: does not fit" in capsys.readouterr().out


@pytest.mark.slow
def test_the_sample_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, folder = tmp_path / "sample.mp4", tmp_path / "result"
    make_sample(clip)
    folder.mkdir()
    write_report(detector.analyze(clip, images=folder), folder)
    assert main(["verify", str(folder), "--reanalyse", str(clip)]) == 0
    assert "The findings agree." in capsys.readouterr().out
