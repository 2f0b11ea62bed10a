"""``python -m reports``: what its commands write, what they leave alone, and what they refuse."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from analyses import Written, build
from evidence import EXHIBIT, custody, small_bundle

from cli.reports import render
from cli.reports.main import main
from detector.files import ROOT
from reports.bundle.manifest import new_manifest
from verification.verify import verify


def test_render_again_makes_the_same_files(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever that is."""
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    copy = tmp_path / "copy"
    shutil.copytree(written.folder, copy)
    for name in ("report.html", "report.pdf", "manifest.json"):
        (copy / name).unlink()
    assert main(["render", str(copy / "analysis.json")]) == 0
    for name in ("analysis.json", "report.html", "report.pdf", "manifest.json"):
        assert (copy / name).read_bytes() == (written.folder / name).read_bytes(), name


def test_render_elsewhere_leaves_the_folder_alone(tmp_path: Path) -> None:
    source, out = tmp_path / "case", tmp_path / "new" / "out"
    analysis = build(source, segments=1, peaks=1)
    (source / "analysis.json").write_text(analysis.to_json(), "utf-8")
    assert main(["render", str(source / "analysis.json"), "--out", str(out)]) == 0
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert there == {entry["path"] for entry in manifest["files"]} | {"manifest.json", "manifest.sha256"}
    for name in ("overlays/A1-1.png", "overlays/A1-1-frame.png"):
        assert (out / name).read_bytes() == (source / name).read_bytes()
    assert not (source / "report.pdf").exists()


def test_render_into_an_earlier_result_leaves_nothing_of_it(tmp_path: Path) -> None:
    first, second, out = (tmp_path / name for name in ("first", "second", "out"))
    for folder, persons in ((first, 2), (second, 1)):
        analysis = build(folder, persons=persons, segments=persons, peaks=1, count=3, picture=(16, 9))
        (folder / "analysis.json").write_text(analysis.to_json(), "utf-8")
    (first / "custody.json").write_bytes(custody(analysis.media.sha256))
    assert main(["render", str(first / "analysis.json"), "--out", str(out)]) == 0
    assert (out / "overlays/B1-1.png").exists() and (out / "custody.json").exists()
    assert main(["render", str(second / "analysis.json"), "--out", str(out)]) == 0
    assert verify(out).results.problems == []
    assert not (out / "overlays/B1-1.png").exists() and not (out / "custody.json").exists()
    (out / "notes.txt").write_text("mine")
    assert main(["render", str(first / "analysis.json"), "--out", str(out)]) == 0
    assert [problem.file for problem in verify(out).results.problems] == ["notes.txt"]
    assert (first / "overlays/B1-1.png").exists()


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A bundle that was unpacked into a folder."""
    (tmp_path / "bundle").mkdir()
    with zipfile.ZipFile(small_bundle(tmp_path / "bundle", pdf=False, played=EXHIBIT)) as archive:
        archive.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"


def test_an_unpacked_bundle_is_not_overwritten(
    unpacked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = {path: path.read_bytes() for path in unpacked.rglob("*") if path.is_file()}
    source = tmp_path / "source"
    analysis = build(source, segments=1, peaks=1, count=3, picture=(16, 9))
    (source / "analysis.json").write_text(analysis.to_json(), "utf-8")
    for command in (["analysis.json"], ["analysis.json", "--out", str(unpacked)]):
        rendered = (unpacked if len(command) == 1 else source) / command[0]
        assert main(["render", str(rendered), *command[1:]]) == 2
        assert "is an unpacked review bundle" in capsys.readouterr().err
    assert there == {path: path.read_bytes() for path in unpacked.rglob("*") if path.is_file()}


def test_annotations_of_a_bundle_are_in_its_report(
    unpacked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, annotation_file = tmp_path / "out", unpacked / "annotations.json"
    command = ["render", str(unpacked / "analysis.json"), "--out", str(out)]
    assert main(command) == 0
    page = (out / "report.html").read_text("utf-8")
    assert "1 reviewer annotated this analysis." in page and "No reviewer has" not in page
    assert (out / "annotations.json").read_bytes() == annotation_file.read_bytes()
    assert verify(out).results.problems == []

    text = annotation_file.read_text("utf-8")
    for changed, words in (
        (text.replace('"agree"', '"disagree"'), "was changed after it was saved"),
        (re.sub('(?<="analysis_sha256": ")[0-9a-f]{8}', "0" * 8, text), "is about another analysis.json"),
    ):
        annotation_file.write_text(changed, "utf-8")
        assert main(command) == 2
        assert words in capsys.readouterr().err


def test_render_puts_nothing_among_other_things(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    analysis = build(source, segments=1, peaks=1)
    (source / "analysis.json").write_text(analysis.to_json(), "utf-8")
    out.mkdir()
    (out / "analysis.json").write_text("what another program analysed")
    (out / "report.pdf").write_text("somebody's own")
    command = ["render", str(source / "analysis.json"), "--out", str(out)]
    assert main(command) == 2 and "is not empty and contains no earlier result" in capsys.readouterr().err
    other = build(tmp_path / "other", segments=1, peaks=1, sha256="cd" * 32)
    manifest = new_manifest(other, "result").model_dump_json()
    for text in (manifest, '{"manifest_version": 3, "name": "a browser\'s"}'):
        (out / "manifest.json").write_text(text)
        assert main(command) == 2
        line = capsys.readouterr().err
        assert line.startswith("reports: ") and line.count("\n") == 1
        assert text != manifest or "holds the result of another exhibit, interview_cut3.mp4" in line
    assert main([*command[:-1], str(out / "report.pdf")]) == 2 and "is a file" in capsys.readouterr().err
    assert (out / "report.pdf").read_text() == "somebody's own"
    assert main([*command[:-1], str(source / ".." / "source")]) == 0  # the analysis's own, without a manifest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_prints_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def stopped(_options: argparse.Namespace) -> None:
        os.kill(os.getpid(), number)
        time.sleep(60)

    monkeypatch.setattr(render, "run", stopped)
    # What runs in the background may begin with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main(["render", str(tmp_path)]) == 128 + number
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "reports: stopped\n"


def hostile(tmp_path: Path) -> bytes:
    analysis = json.loads(build(tmp_path, segments=1, peaks=1).to_json())
    analysis["segments"][0]["peaks"][0]["frame"] = "../../etc/passwd"
    return json.dumps(analysis).encode()


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "other", "binary", "hostile"])
def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case" / "analysis.json"
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        data = {"text": b"{", "other": b'{"verdict": "real"}', "binary": b"\xff\xfe\0", "hostile": b""}[kind]
        path.write_bytes(data or hostile(tmp_path / "case"))
    assert main(["render", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("reports: ") and err.count("\n") == 1
    assert "Traceback" not in err
    assert not (path.parent / "report.html").exists()


@pytest.mark.fresh
def test_commands_are_imported_lazily() -> None:
    code = """
import sys, cli.reports.main as main
early = [name for name in sys.modules if name.startswith(("cli.reports.", "numpy", "pydantic."))]
assert early == ["cli.reports.main"], early
main._parser("reports", "reports")
assert "cli.reports.render" in sys.modules and "weasyprint" not in sys.modules
def interrupted(*arguments):
    raise KeyboardInterrupt
main._parser = interrupted
sys.exit(main.main([]))
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert (ended.returncode, ended.stderr) == (130, "reports: stopped\n")
