"""The data folder is private, even if it existed with other modes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from detector.files import ROOT
from webapp.settings import SettingError
from webapp.storage.data_folder import Folders


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("reelproof.sqlite3*")}


@pytest.fixture
def readable(tmp_path) -> Path:
    """A folder as a person makes it, with a database of an earlier version."""
    for end in ("", "-wal", "-shm"):
        path = tmp_path / f"reelproof.sqlite3{end}"
        path.touch()
        path.chmod(0o644)
    tmp_path.chmod(0o755)
    return tmp_path


def test_database_readable_by_others_is_made_private(readable):
    Folders.local(readable).create()
    assert len(modes(readable)) == 3 and set(modes(readable).values()) == {0o600}
    assert stat.S_IMODE(readable.stat().st_mode) == 0o755


def test_warning_if_the_mode_cannot_be_changed(readable, monkeypatch, caplog):
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refused)
    Folders.local(readable).create()
    assert f"chmod 600 {readable / 'reelproof.sqlite3'}" in caplog.text
    assert set(modes(readable).values()) == {0o644}


def test_commands_create_a_private_data_folder(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    command = [sys.executable, "-m", "webapp", "add-token", "--name", "ci", "--scope", "read"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"REELPROOF_DATA": str(data)}, umask=0o022, capture_output=True
    )
    assert done.returncode == 0
    assert modes(data)["reelproof.sqlite3"] == 0o600


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_file_in_place_of_the_folder_names_the_setting(tmp_path, below):
    (tmp_path / "file").touch()
    place = Path(f"{tmp_path}/file{below}")
    with pytest.raises(
        SettingError, match=f"^REELPROOF_DATA={place} cannot be the data folder: .* Name a fo"
    ):
        Folders.local(place).create()
