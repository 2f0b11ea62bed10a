"""Programs of training end with one line that names the file where data are missing or damaged."""

from __future__ import annotations

import errno
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from training.command import run_step
from training.evaluation import fingerprints
from training.evaluation.comparison import __main__ as comparison
from training.evaluation.comparison import fit
from training.proposals import __main__ as proposals
from training.second_look import __main__ as second_look

Main = Callable[[Sequence[str]], int]
PROGRAMS: dict[str, tuple[Main, list[str], list[str]]] = {
    "second look": (second_look.main, ["--out", "out"], ["prepare", "clips"]),
    "its photographs": (second_look.main, ["--out", "out"], ["prepare", "photos"]),
    "proposals": (proposals.main, ["--out", "out"], ["prepare"]),
    "comparison": (comparison.main, ["--out", "out"], []),
    "its weights": (fit.main, [], []),
    "fingerprints": (fingerprints.main, ["--out", "out"], []),
}


def said(main: Main, arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error of a program that could not do it."""
    capsys.readouterr()
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_data(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    main, before, after = PROGRAMS[name]
    line = said(main, ["--data", "nowhere", *before, *after], capsys)
    missing = "nowhere/photos-real.zip" if name == "its photographs" else "labels.csv"
    assert missing in line and "--data" in line and "whole" in line


def test_a_damaged_archive_and_a_damaged_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos-real.zip").write_bytes(b"PK\x03\x04 half of it")
    prepare = ["--data", ".", "--out", "out", "prepare"]
    damaged = "photos-real.zip: not a zip, or damaged. Copy or download it again."
    assert said(second_look.main, [*prepare, "photos"], capsys) == damaged
    Path("clips").mkdir()
    Path("videos").mkdir()
    for folder in ("clips", "videos"):
        Path(folder, "labels.csv").write_text("file,label,role,generator\na.mp4,real,train,none\n")
        Path(folder, "a.mp4").write_bytes(b"nothing that plays")
    assert "clips/a.mp4" in said(second_look.main, [*prepare, "clips"], capsys)
    assert "clips/a.mp4" in said(proposals.main, prepare, capsys)
    for folder in ("clips", "videos"):
        Path(folder, "labels.csv").write_text("file,label,role,generator\n")
    assert said(proposals.main, prepare, capsys) == damaged


def failing(error: Exception, capsys: pytest.CaptureFixture[str]) -> str:
    def step() -> None:
        raise error

    return said(lambda _: run_step(step, Path("data")), [], capsys)


def test_what_to_do_depends_on_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    gone = FileNotFoundError(errno.ENOENT, "No such file or directory", "out/x\n.pt")
    assert failing(gone, capsys) == (
        r"out/x .pt: No such file or directory. Run the step that makes it first, or name another."
    )
    full = OSError(errno.ENOSPC, "No space left on device", "out/x.pt")
    assert failing(full, capsys) == "out/x.pt: No space left on device"
    assert failing(OSError(errno.EIO, "Input/output error"), capsys) == "Input/output error"
    assert "Copy or download it again" in failing(zipfile.BadZipFile("Bad CRC-32 for 'a.jpg'"), capsys)
    with pytest.raises(ValueError, match="a mistake"):
        failing(ValueError("a mistake"), capsys)
