"""`make setup` and setup.sh: done once for the same list of packages, and told where root is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from detector.files import ROOT


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The Makefile, a list of packages, and a setup.sh that only says that it ran."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.txt").write_text("flask==3\n")
    (tmp_path / "setup.sh").write_text("mkdir -p $VENV; echo ran $1\n")
    return tmp_path


def made(folder: Path, *what: str) -> list[str]:
    command = ["make", "-s", "-C", str(folder), *what]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_the_second_time_nothing_is_done(sources):
    assert made(sources, "setup") == ["ran"]
    assert made(sources, "setup") == []
    os.utime(sources / "requirements.txt")
    assert made(sources, "setup") == []
    assert made(sources, ".venv/.browser") == ["ran", "browser"]
    assert made(sources, ".venv/.browser") == []


@pytest.mark.parametrize("name", ["requirements.txt", "setup.sh"])
def test_another_list_is_installed_whatever_its_date(sources, name):
    made(sources, ".venv/.browser")
    with (sources / name).open("a") as file:
        file.write("# more\n")
    os.utime(sources / name, (0, 0))
    assert made(sources, "-o", ".venv/.ready", "setup") == []
    assert made(sources, ".venv/.browser") == ["ran", "ran", "browser"]
    assert made(sources, "setup") == []


def test_without_sudo_it_says_what_root_has_to_run(tmp_path):
    for name, words in {"id": "echo 1000", "apt-get": "", "ldconfig": "", "fc-list": ""}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{words}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "grep").symlink_to(shutil.which("grep") or "grep")
    done = subprocess.run(
        ["/bin/sh", ROOT / "setup.sh"],
        env={"PATH": str(tmp_path), "PYTHON": "/bin/true", "VENV": str(tmp_path / "venv")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "apt-get update && apt-get install -y --no-install-recommends libpango-1.0-0" in done.stderr
    assert done.stderr.endswith("then run make again.\n")
