"""Backups made and put back for tests."""

from __future__ import annotations

from pathlib import Path

from webapp.operations import backup, restore
from webapp.settings import read_settings


def make(app, place: Path, earlier: Path | None = None):
    return backup.make_backup(app.extensions["database"], app.extensions["settings"], place, earlier)


def put_back(place: Path, data: Path, keys: Path | None = None, require_reset: bool = False, **settings: str):
    there = read_settings({"REELPROOF_DATA": data} | settings)
    restore.restore(there, place, keys, require_reset=require_reset)
    return there


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
