"""The engine from a shell: what is printed, what is written, and how it fails."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analyses import build, with_stability
from clips import write_clip
from made_comparison_results import comparison_of
from unconfined import Unconfined
from unreadable_files import BAD, bad_files

from cli.engine.analyze import compact_form
from cli.engine.main import argument_parser, main
from detector import Analysis, engine
from detector.errors import ParameterError
from detector.models.loaded import LoadedModel
from detector.models.model_files import DEFAULT_MODEL
from verification.verify import verify


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch, scan: LoadedModel) -> None:
    """With a model loaded once."""
    monkeypatch.setattr("detector.sandboxed_engine.Sandbox", Unconfined)
    load = engine.load_model
    monkeypatch.setattr(
        engine, "load_model", lambda name: scan if name in (None, DEFAULT_MODEL) else load(name)
    )


@pytest.fixture
def blank(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "blank.mp4", [np.full((120, 160, 3), 90, np.uint8)] * 30)


class TestHelp:
    @pytest.mark.parametrize(
        "command",
        [
            [],
            ["analyze"],
            ["score"],
            ["sample"],
            ["annotate"],
            ["schema"],
            ["setup-check"],
            ["train"],
            ["calibrate"],
            ["evaluate"],
            ["leaderboard"],
        ],
    )
    def test_help(self, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
        with pytest.raises(SystemExit) as left:
            main([*command, "--help"])
        assert left.value.code == 0
        assert "usage: python -m detector" in capsys.readouterr().out

    def test_format_jsonl_is_accepted_but_hidden(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert argument_parser().parse_args(["score", "a.mp4", "--format", "jsonl"]).files == [Path("a.mp4")]
        with pytest.raises(SystemExit):
            main(["score", "--help"])
        assert "--format" not in capsys.readouterr().out

    @pytest.mark.parametrize(
        "arguments", [[], ["watch"], ["analyze"], ["analyze", "a.mp4", "--format", "xml"], ["score"]]
    )
    def test_wrong_usage(self, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 2
        assert "usage:" in capsys.readouterr().err


class TestAnalyze:
    def test_words(self, capsys: pytest.CaptureFixture[str], blank: Path) -> None:
        assert main(["analyze", str(blank)]) == 0
        out = capsys.readouterr()
        assert out.out.splitlines()[0] == "blank.mp4: Inconclusive"
        assert "No face" in out.out
        assert "Traceback" not in out.err

    def test_file_name_cannot_forge_a_verdict(
        self, capsys: pytest.CaptureFixture[str], blank: Path, tmp_path: Path
    ) -> None:
        hostile = tmp_path / "\x1b[8mclip\nclip.mp4: no manipulation found\u202e.mp4"
        shutil.copy(blank, hostile)
        assert main(["analyze", str(hostile)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert all(line.isprintable() for line in lines)
        assert lines[0] == r"\x1b[8mclip\nclip.mp4: no manipulation found\u202e.mp4: Inconclusive"
        assert main(["analyze", str(hostile.with_suffix(".mov"))]) == 2
        assert r"\x1b[8mclip clip.mp4" in (output := capsys.readouterr().err) and output[:-1].isprintable()

    def test_json(self, capsys: pytest.CaptureFixture[str], still: Path) -> None:
        assert main(["analyze", str(still), "--format", "json"]) == 0
        analysis = Analysis.from_json(capsys.readouterr().out)
        assert analysis.media.file == "astronaut.png" and len(analysis.persons) == 1

    def test_summary(self, capsys: pytest.CaptureFixture[str], blank: Path) -> None:
        assert main(["analyze", str(blank), "--format", "summary"]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        assert json.loads(line) == {
            "input_type": "video",
            "video_is_fake": None,
            "overall_confidence": None,
            "manipulated_segments": [],
        }

    def test_sample_rate(self, capsys: pytest.CaptureFixture[str], blank: Path) -> None:
        assert main(["analyze", str(blank), "--format", "json", "--sample-rate", "4"]) == 0
        analysis = Analysis.from_json(capsys.readouterr().out)
        assert analysis.parameters.sample_rate == 4 and analysis.coverage.frames_sampled == 5

    @pytest.mark.parametrize("rate", ["0", "-3", "nan", "inf", "1e9"])
    def test_invalid_sample_rate(self, capsys: pytest.CaptureFixture[str], blank: Path, rate: str) -> None:
        assert main(["analyze", str(blank), f"--sample-rate={rate}"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "--sample-rate" in line

    def test_unknown_model(self, capsys: pytest.CaptureFixture[str], blank: Path) -> None:
        assert main(["analyze", str(blank), "--model", "nosuch"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "nosuch.json" in line and "efficientnet-lstm" in line

    @pytest.mark.parametrize("name", BAD)
    def test_bad_file_is_one_line_on_standard_error(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
    ) -> None:
        assert main(["analyze", str(bad_files(tmp_path)[name])]) == 2
        out = capsys.readouterr()
        assert out.out == ""
        (line,) = out.err.splitlines()
        assert line.startswith("reelproof: ") and name in line
        assert line.endswith(".")

    def test_name_that_is_not_utf_8(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, still: Path
    ) -> None:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
        path.write_bytes(still.read_bytes())
        assert main(["analyze", str(path), "--format", "json"]) == 0
        assert "caf" in Analysis.from_json(capsys.readouterr().out).media.file

    def test_terminal_without_the_characters_of_a_name(
        self, tmp_path: Path, still: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was done stays done: words are printed with escapes, JSON as the UTF-8 it is."""
        path = tmp_path / "café.jpg"
        path.write_bytes(still.read_bytes())
        for form in ("text", "json"):
            printed = io.BytesIO()
            monkeypatch.setattr("sys.stdout", io.TextIOWrapper(printed, "ascii"))
            assert main(["analyze", str(path), "--format", form]) == 0
            sys.stdout.flush()
            if form == "text":
                assert printed.getvalue().startswith(b"caf\\xe9.jpg: ")
            else:
                assert Analysis.from_json(printed.getvalue()).media.file == path.name


def test_empty_file_is_rejected_before_loading(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "detector.sandboxed_engine", None)
    (tmp_path / "empty.mp4").touch()
    assert main(["analyze", str(tmp_path / "empty.mp4")]) == 2
    assert "0 bytes" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["analyze", "score"])
def test_joint_rule_needs_further_models(
    capsys: pytest.CaptureFixture[str], still: Path, command: str
) -> None:
    assert main([command, str(still), "--joint", "majority"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "“majority” is for several models" in captured.err


class TestOut:
    def test_result_is_complete_listed_and_replaced_atomically(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        still: Path,
        blank: Path,
    ) -> None:
        folder = tmp_path / "new" / "result"
        assert main(["analyze", str(still), "--out", str(folder)]) == 0
        assert str(folder / "report.pdf") in capsys.readouterr().out
        written = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
        assert {"analysis.json", "report.html", "report.pdf", "manifest.json"} <= written
        assert (folder / "report.pdf").read_bytes().startswith(b"%PDF-")
        analysis = Analysis.from_json((folder / "analysis.json").read_bytes())
        exhibit = hashlib.sha256(still.read_bytes()).hexdigest()
        assert analysis.media.sha256 == exhibit
        manifest = (folder / "manifest.json").read_text()
        assert exhibit in manifest
        for name in written - {"manifest.json", "manifest.sha256"}:
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() in manifest, name

        # An earlier result stays until it is replaced whole: a file that cannot be read costs none, and
        # leaves no folder that the next run refuses.
        before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
        assert main(["analyze", str(tmp_path / "gone.mp4"), "--out", str(folder)]) == 2
        assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before
        (folder / "overlays").mkdir(exist_ok=True)
        (folder / "overlays" / "Z9-1.png").write_bytes(b"old")
        (folder / "notes.txt").write_text("whoever looks at it may keep notes here")
        (folder / "laboratory.json").write_text("figures that the earlier report quoted")
        listed = json.dumps({"path": "laboratory.json", "bytes": 1, "sha256": exhibit})
        (folder / "manifest.json").write_text(manifest.replace('"files": [', f'"files": [{listed},', 1))
        (folder / "manifest.sig").write_bytes(b"signs the earlier one")
        monkeypatch.setattr("reports.render.pdf.render_document", lambda *_given: b"%PDF-")  # takes seconds
        assert main(["analyze", str(blank), "--out", str(folder)]) == 0
        kept = {path.name for path in folder.iterdir()}
        assert "notes.txt" in kept and not kept & {"laboratory.json", "manifest.sig"}
        assert Analysis.from_json((folder / "analysis.json").read_bytes()).media.file == "blank.mp4"
        assert not (folder / "overlays" / "Z9-1.png").exists()

    def test_stored_comparisons_become_part_of_the_next_result(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        still: Path,
        blank: Path,
    ) -> None:
        folder = tmp_path / "result"
        place = folder / "comparisons" / "reference"
        with monkeypatch.context() as patched:  # setting it takes seconds
            patched.setattr("reports.render.pdf.render_document", lambda *_given: b"%PDF-")
            assert main(["analyze", str(still), "--out", str(folder)]) == 0
        place.mkdir(parents=True)
        sums = (hashlib.sha256(still.read_bytes()).hexdigest(), "ab" * 32)
        made = comparison_of(place, (still.name, "original.jpg"), sums, still=True)
        (place / "comparison.json").write_text(made.to_json())
        assert any("comparisons/reference" in str(problem) for problem in verify(folder).results.problems)
        kept = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
        assert main(["analyze", str(still), "--out", str(folder)]) == 0
        assert verify(folder).results.problems == []
        assert made.statement in (folder / "report.html").read_text()
        assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == kept

        before = (folder / "manifest.json").read_bytes()
        capsys.readouterr()
        assert main(["analyze", str(blank), "--out", str(folder)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "comparisons/reference/comparison.json compares another exhibit" in line
        assert (folder / "manifest.json").read_bytes() == before

    def test_folder_with_other_content_is_not_touched(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, still: Path
    ) -> None:
        (tmp_path / "thesis.txt").write_text("years of work")
        assert main(["analyze", str(still), "--out", str(tmp_path)]) == 2
        assert "not empty" in capsys.readouterr().err
        assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]

    def test_file_instead_of_the_output_folder(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, still: Path
    ) -> None:
        (tmp_path / "taken").write_text("")
        assert main(["analyze", str(still), "--out", str(tmp_path / "taken")]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "taken" in line


class TestSummary:
    def test_times_in_minutes_and_seconds(self, analysed_sample: Any) -> None:
        analysis = analysed_sample.analysis
        segment = analysis.segments[0].model_copy(update={"start": 59.96, "end": 3725.2, "confidence": 0.75})
        form = compact_form(analysis.model_copy(update={"segments": (segment,)}))
        assert set(form) == {
            "input_type", "video_is_fake", "overall_confidence", "manipulated_segments"
        }  # fmt: skip
        assert form["video_is_fake"] is True
        assert form["overall_confidence"] == analysis.probability
        (listed,) = form["manipulated_segments"]  # type: ignore[misc]
        assert listed == {"start_time": "00:59", "end_time": "62:05", "confidence": 0.75}

    def test_only_stable_persons_are_flagged(self, tmp_path: Path) -> None:
        analysis = with_stability(build(tmp_path, persons=2, segments=3, kept=False), B=0.6)
        listed = compact_form(analysis)["manipulated_segments"]
        assert [entry["start_time"] for entry in listed] == ["00:06", "00:36"]  # type: ignore[attr-defined]


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == Analysis.schema_text()


def test_sample_into_a_missing_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:  # fmt: skip
    assert main(["sample", str(tmp_path / "no" / "sample.mp4")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "sample.mp4" in line


def test_sample_over_an_existing_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:  # fmt: skip
    monkeypatch.setattr("detector.demo_clip.make_sample", lambda path: path.write_bytes(b"clip"))
    path = tmp_path / "interview.mp4"
    path.write_bytes(b"evidence")
    assert main(["sample", str(path)]) == 2
    assert "already exists" in capsys.readouterr().err and path.read_bytes() == b"evidence"
    path.unlink()
    assert main(["sample", str(path)]) == 0
    assert path.read_bytes() == b"clip"


def test_interrupted_sample_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def cut_off(path: Path) -> None:
        path.write_bytes(b"half")
        raise ParameterError("cut off")

    monkeypatch.setattr("detector.demo_clip.make_sample", cut_off)
    assert main(["sample", str(tmp_path / "clip.mp4")]) == 2
    assert list(tmp_path.iterdir()) == []


def test_training_commands_need_the_package_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("training", "training.publish"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["train", "--data", str(tmp_path)]) == 2
    assert "needs the package training" in capsys.readouterr().err
