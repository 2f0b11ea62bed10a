"""``python -m webapp fill-store`` and ``clear-cache``: the data folder and the store before it."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, select

from detector.files import hashed
from detector.models.card_files import WEIGHTS
from webapp.settings import SettingError, read_settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, ComparisonRow, Exhibit, JobRow, State


def add_to(commands: Any) -> None:
    """Add both commands to a parser's; they are given an open database, as ``with_database``."""
    words = "put what the data folder has into a new REELPROOF_STORE"
    commands.add_parser("fill-store", help=words, description=words).set_defaults(with_database=_fill)
    words = "remove from the data folder what the store has"
    cleared = commands.add_parser("clear-cache", help=words, description=words)
    cleared.set_defaults(with_database=_clear)
    cleared.add_argument("--days", type=float, default=7, help="and nobody used for so long (7)")


def _fill(database: Database, _asked: argparse.Namespace) -> None:
    """Put everything the data folder has into the store, but for what is there. Once, when a store is new."""
    folders = _folders()
    with database.begin() as session:
        exhibits = session.scalars(select(Exhibit).order_by(Exhibit.id)).all()
        done = [
            *map(folders.result, session.scalars(select(AnalysisRow.id).where(_is_done(AnalysisRow)))),
            *map(
                folders.comparison, session.scalars(select(ComparisonRow.id).where(_is_done(ComparisonRow)))
            ),
        ]
    put = 0
    for row in exhibits:
        path = folders.exhibit(row.sha256)
        if folders.store.size(path) == row.bytes:
            continue
        if not path.exists() or hashed(path)[1] != row.sha256:
            print(f"{row.name}: {path} is missing or damaged, not put", file=sys.stderr)
            continue
        folders.store.put(path, path)
        put += 1
    for folder in done:
        if folder.exists() and not folders.store.has_folder(folder):
            folders.store.put_folder(folder)
            put += 1
    previews = sorted(folders.previews.glob("[!.]*.mp4")) + sorted(folders.previews.glob("[!.]*.json"))
    for path in (*previews, *folders.thumbnails.glob("*.jpg"), *_models(folders)):
        if folders.store.size(path) is None:
            folders.store.put(path, path)
            put += 1
    print(f"{put} put into the store.")


def _clear(_database: Database, asked: argparse.Namespace) -> None:
    """Remove what the store has, and nobody used lately, from the data folder."""
    folders, before, bytes_ = _folders(), time.time() - asked.days * 86400, 0
    for path in (*folders.exhibits.glob("*/*"), *folders.previews.glob("[!.]*.mp4")):
        with contextlib.suppress(FileNotFoundError):  # an analysis is being deleted
            size = path.stat().st_size
            if _last_used(path) < before and folders.store.size(path) == size:
                path.unlink()
                bytes_ += size
    for folder in (*folders.analyses.glob("[!.]*"), *folders.comparisons.glob("[!.]*")):
        with contextlib.suppress(FileNotFoundError):
            files = [path for path in folder.rglob("*") if path.is_file()]
            if all(_last_used(path) < before for path in files) and folders.store.has_folder(folder):
                bytes_ += sum(path.stat().st_size for path in files)
                shutil.rmtree(folder, ignore_errors=True)
    print(f"{bytes_ / 1e6:,.0f} MB removed; the store has them.")


def _is_done(table: type[JobRow]) -> ColumnElement[bool]:
    return table.state == State.DONE


def _last_used(path: Path) -> float:
    """When a file was last written or, where the file system notes that, read."""
    return max(path.stat().st_mtime, path.stat().st_atime)


def _models(folders: Folders) -> Iterator[Path]:
    """Files of added models; cards last, since who sees one must find its weights."""
    for ending in (*WEIGHTS, ".json"):
        yield from sorted(folders.models.glob(f"[!.]*/*{ending}"))


def _folders() -> Folders:
    settings = read_settings()
    if settings.store is None:
        raise SettingError("REELPROOF_STORE names no store.")
    return Folders.of(settings)
