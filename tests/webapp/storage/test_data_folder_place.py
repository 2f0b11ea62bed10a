"""Data folders that cannot be created or written."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from webapp.settings import SettingError, read_settings
from webapp.storage.data_folder import Folders, lock_data_folder


def test_uncreatable_data_folder_names_the_setting() -> None:
    with pytest.raises(SettingError, match="^REELPROOF_DATA=/proc/nope cannot be the data folder"):
        Folders.of(read_settings({"REELPROOF_DATA": "/proc/nope"})).create()


def test_read_only_file_system_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(folder: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(SettingError, match=r"Read-only file system\)\. Name a folder"):
        Folders.local(tmp_path / "data").create()


def test_unwritable_folder_is_rejected_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Folders.local(tmp_path).create()
    # What the kernel answers for a read-only mount and for folders of another user; root may write all.
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).name != "incoming")
    with pytest.raises(SettingError, match=f"nothing can be written to {tmp_path}/incoming. Name a folder"):
        Folders.local(tmp_path).create()


def test_unopenable_lock_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(SettingError, match=f"^REELPROOF_DATA={tmp_path} cannot be .*lock cannot be opened"):
        lock_data_folder(tmp_path)


def test_file_system_without_locks_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(SettingError, match=r"keeps no locks \(No locks available\), so .*mount the share"):
        lock_data_folder(tmp_path)
