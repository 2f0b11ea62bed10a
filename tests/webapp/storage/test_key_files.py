"""Key files: created once and completely, private, never overwritten."""

from __future__ import annotations

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from webapp.settings import SettingError
from webapp.storage import key_files


def make_custody_key(data: Path) -> bytes:
    key_files.create_key(data / "custody.key")
    return key_files.read_key(data / "custody.key")


MAKERS = {
    "custody.key": make_custody_key,
    "secret.key": key_files.secret_key,
    "webhooks.key": key_files.webhook_key,
}


@pytest.mark.parametrize("name", MAKERS)
def test_key_is_created_once(tmp_path, name):
    with ThreadPoolExecutor(8) as threads:
        (key,) = set(threads.map(MAKERS[name], [tmp_path] * 16))
    assert len(key) == key_files.KEY_BYTES and [path.name for path in tmp_path.iterdir()] == [name]
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert MAKERS[name](tmp_path) == key


@pytest.mark.parametrize("name", MAKERS)
def test_key_created_concurrently_is_kept(tmp_path, name, monkeypatch):
    link = os.link

    def late(made: Path, place: Path) -> None:
        Path(place).write_bytes(b"k" * key_files.KEY_BYTES)
        Path(place).chmod(0o600)
        link(made, place)

    monkeypatch.setattr(os, "link", late)
    assert MAKERS[name](tmp_path) == b"k" * key_files.KEY_BYTES
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("mode", [0o644, 0o620])
def test_key_accessible_to_others_is_rejected(tmp_path, name, mode):
    MAKERS[name](tmp_path)
    (tmp_path / name).chmod(mode)
    with pytest.raises(SettingError, match=f"chmod 600 .*{name}"):
        MAKERS[name](tmp_path)


@pytest.mark.parametrize("name", ["secret.key", "webhooks.key"])
def test_key_of_another_user_is_explained(tmp_path, name, monkeypatch):
    MAKERS[name](tmp_path)

    def refused(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)  # root, who may run the tests, reads everything
    with pytest.raises(SettingError, match=rf"{name} cannot be read or made \(Permission denied\)\. Correct"):
        MAKERS[name](tmp_path)


def test_failure_to_create_the_custody_key_is_explained(tmp_path):
    with pytest.raises(key_files.CustodyKeyError, match="REELPROOF_CUSTODY_KEY to another file"):
        key_files.create_key(tmp_path / "missing" / "custody.key")
