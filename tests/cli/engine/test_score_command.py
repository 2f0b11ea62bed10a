"""``score`` from a shell: a line a file, whatever becomes of it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_files import KEYS
from clips import write_clip
from unreadable_files import BAD, bad_files

from cli.engine.main import main
from detector.files import ROOT


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, still: Path) -> dict[str, Path]:
    """Files by name: bad ones, a still, a clip without faces, and a zip of two entries."""
    folder = tmp_path_factory.mktemp("given")
    files = bad_files(folder) | {"still": still, "blank.mp4": folder / "blank.mp4"}
    write_clip(files["blank.mp4"], [np.full((120, 160, 3), 90, np.uint8)] * 30)
    files["photos.zip"] = folder / "photos.zip"
    with zipfile.ZipFile(files["photos.zip"], "w") as archive:
        archive.write(still, "../good.jpg")
        archive.writestr("bad.jpg", b"no photo")
    return files


@pytest.fixture(scope="module")
def done(given: dict[str, Path]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "detector", "score", *map(str, given.values()), "--set", "second_look=0"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def lines(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}


class TestScore:
    """In a process of its own, from which workers can be forked; `test_worker_pool.py` has the rest."""

    def test_one_line_for_each_file(
        self, given: dict[str, Path], lines: dict[str, dict[str, Any]], done: subprocess.CompletedProcess[str]
    ) -> None:
        names = {str(path) for name, path in given.items() if name != "photos.zip"}
        assert set(lines) == names | {"../good.jpg", "bad.jpg"}
        assert len(done.stdout.splitlines()) == len(lines)
        photo, clip, entry = (lines[n] for n in (str(given["still"]), str(given["blank.mp4"]), "../good.jpg"))
        assert tuple(photo) == tuple(clip) == tuple(entry) == KEYS
        assert (photo["faces"], photo["duration"]) == (1, 0)
        assert 0 <= photo["probability"] == entry["probability"] <= 1
        assert (clip["verdict"], clip["probability"], clip["faces"]) == ("inconclusive", None, 0)
        assert clip["duration"] == pytest.approx(1.2)
        assert clip["reason"].startswith("No face was found")
        assert photo["seconds"] > 0 and clip["seconds"] > 0

    def test_bad_files_do_not_stop_the_others(
        self, given: dict[str, Path], lines: dict[str, dict[str, Any]], done: subprocess.CompletedProcess[str]
    ) -> None:
        assert done.returncode == 1 and "Traceback" not in done.stderr
        for line in (*(lines[str(given[name])] for name in BAD), lines["bad.jpg"]):
            assert tuple(line) == ("file", "error", "cause")
            assert line["error"] and "\n" not in line["error"]

    def test_unknown_model_ends_the_command(self, capsys: pytest.CaptureFixture[str], still: Path) -> None:
        assert main(["score", str(still), "--model", "nosuch"]) == 2
        out = capsys.readouterr()
        assert out.out == "" and len(out.err.splitlines()) == 1

    @pytest.mark.parametrize("number", ["0", "-2"])
    def test_zero_workers_are_rejected(
        self, capsys: pytest.CaptureFixture[str], still: Path, number: str
    ) -> None:
        assert main(["score", str(still), "--workers", number]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "--workers" in line


def test_the_help_names_every_kind_of_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert "video, photo, recording of sound, zip of photos, or folder of these" in words
