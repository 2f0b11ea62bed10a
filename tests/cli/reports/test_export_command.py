"""``python -m reports export``: each format to a file, and refusals in one line."""

from __future__ import annotations

import io
import subprocess
import sys
from codecs import BOM_UTF8
from pathlib import Path

import pytest
from analyses import build

from cli.reports.main import main
from detector.files import ROOT
from detector.schema.analysis import Analysis, MediaKind
from reports.exports.formats import FORMATS
from reports.render.result import write_result


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """The analysis.json of a result with pictures."""
    folder = tmp_path / "result"
    analysis = build(folder, persons=2, segments=2, peaks=1)
    (folder / "analysis.json").write_text(analysis.to_json(), "utf-8")
    return folder / "analysis.json"


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_written(result: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / FORMATS[name].ending
    assert main(["export", str(result), "--format", name, "--out", str(out)]) == 0
    expected = io.BytesIO()
    FORMATS[name].write(Analysis.from_json(result.read_bytes()), result.parent, expected)
    assert out.read_bytes() == expected.getvalue() != b""
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([out.name, "result"])


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "exports.md").read_text("utf-8")
    assert f"`{name}`" in (ROOT / "docs" / "cli.md").read_text("utf-8")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["export", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("reports: ") and err.count("\n") == 1 and "Traceback" not in err
    return err


@pytest.mark.parametrize("kind", ["missing", "text", "other"])
def test_invalid_analyses_are_refused(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "analysis.json"
    if kind != "missing":
        path.write_bytes({"text": b"{", "other": b'{"verdict": "real"}'}[kind])
    message = refused(capsys, str(path), "--format", "csv", "--out", str(tmp_path / "x.csv"))
    assert "analysis.json" in message
    assert not (tmp_path / "x.csv").exists()


def test_the_analysis_is_never_overwritten(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = result.read_bytes()
    same = result.parent / ".." / result.parent.name / result.name
    assert "analysis itself" in refused(capsys, str(result), "--format", "json", "--out", str(same))
    assert result.read_bytes() == before


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256", "case.json", "overlays/A1-1.png"])
def test_no_part_of_a_result_is_overwritten(
    result: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor of another one, nor through a link: its manifest would fit no longer."""
    write_result(Analysis.from_json(result.read_bytes()), result.parent)
    part, link = result.parent / name, tmp_path / "link"
    link.symlink_to(part)
    before = part.read_bytes()
    (tmp_path / "other.json").write_bytes(result.read_bytes())
    for analysis, out in ((result, part), (tmp_path / "other.json", part), (result, link)):
        message = refused(capsys, str(analysis), "--format", "csv", "--out", str(out))
        assert "part of the result" in message
    assert part.read_bytes() == before
    assert main(["export", str(result), "--format", "csv", "--out", str(result.parent / "mine.csv")]) == 0


def test_an_unwritable_destination_is_refused(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "folder" in refused(capsys, str(result), "--format", "csv", "--out", str(tmp_path))
    message = refused(capsys, str(result.parent), "--format", "csv", "--out", str(tmp_path / "x.csv"))
    assert "is a folder. Name the analysis.json in it." in message
    nowhere = tmp_path / "no" / "x.csv"
    assert "no such folder" in refused(capsys, str(result), "--format", "csv", "--out", str(nowhere))


def test_a_failed_export_keeps_the_earlier_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = build(tmp_path, kind=MediaKind.IMAGE, segments=1)
    (tmp_path / "analysis.json").write_text(photo.to_json(), "utf-8")
    out = tmp_path / "x.edl"
    out.write_bytes(b"earlier")
    before = sorted(tmp_path.iterdir())
    message = refused(capsys, str(tmp_path / "analysis.json"), "--format", "edl", "--out", str(out))
    assert "photo" in message
    assert out.read_bytes() == b"earlier" and sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", [[], ["x.json"], ["x.json", "--format", "xml", "--out", "x"]])
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["export", *arguments])
    assert left.value.code == 2 and "usage:" in capsys.readouterr().err


def test_as_a_module(result: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reports", "export", str(result), "--format", "csv", "--out", "x.csv"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "x.csv").read_bytes().startswith(BOM_UTF8 + b"segment,person,")
