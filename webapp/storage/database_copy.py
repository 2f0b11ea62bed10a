"""The rows as one SQLite file: copied at one moment while the app runs, and put back into any database.

A database of PostgreSQL is copied through SQLAlchemy in one repeatable-read transaction, so that a backup
has the same form whatever server there was, and can be put back into either.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Table, func, insert, inspect, select, text
from sqlalchemy.exc import OperationalError

from webapp.errors import UserError
from webapp.settings import Settings
from webapp.storage.database import REVISION, Database, refuse_newer, session_info
from webapp.storage.tables import Base

_ROWS = 500  # at a time


def snapshot(database: Database, place: Path) -> None:
    """Write all rows as they are at one moment to a new SQLite file.

    Raises :class:`UserError` where the tables are not those of this version, and where it cannot be written.
    """
    refuse_other_version(database)
    try:
        _write(database, place)
    except (sqlite3.OperationalError, OperationalError) as problem:
        reason = getattr(problem, "orig", problem)
        if not isinstance(reason, sqlite3.Error):  # PostgreSQL's
            raise
        raise UserError(
            507,
            f"The rows cannot be copied to {place}: {reason}.",
            "See that this user may write there and that the disk has room.",
        ) from problem


def _write(database: Database, place: Path) -> None:
    url = database.engine.url
    if url.get_backend_name() == "sqlite":
        with (
            closing(sqlite3.connect(str(url.database), timeout=30)) as source,
            closing(sqlite3.connect(place)) as copy,
        ):
            source.backup(copy)  # all pages in one step: writers append to the WAL meanwhile
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, whole by itself
        return
    with closing(file(place)) as copied:
        copied.migrate()
        with (
            database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as source,
            copied.engine.begin() as target,
        ):
            _copy(source, target)
        with copied.engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=DELETE"))


def file(place: Path, settings: Settings | None = None) -> Database:
    """The database in a file of :func:`snapshot`; with ``settings`` its sessions can record in its log."""
    return Database(URL.create("sqlite", database=str(place)), session_info(settings) if settings else {})


def put_back(copy: Path, database: Database) -> None:
    """Fill an empty database with the rows of a file; the file's tables are those of this version."""
    database.migrate()
    with closing(file(copy)) as copied, copied.engine.connect() as source, database.engine.begin() as target:
        _copy(source, target)


def refuse_other_version(database: Database) -> None:
    """Raise :class:`UserError` unless the tables are those of this version."""
    if (found := database.revision()) != REVISION:
        refuse_newer(found)
        raise UserError(
            409,
            f"The database has tables of another version ({found or 'none'}; this one: {REVISION}).",
            "Start python -m webapp of this version once, or use the version it was last used with.",
        )


def has_tables(database: Database) -> bool:
    """Whether there is anything in the database."""
    with database.engine.connect() as connection:
        return bool(inspect(connection).get_table_names())


def _copy(source: Connection, target: Connection) -> None:
    for table in Base.metadata.sorted_tables:  # what others refer to comes first
        for rows in _batches(source, table):
            target.execute(insert(table), rows)
        _continue_numbers(source, target, table)


def _batches(source: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    query = select(table).order_by(*table.primary_key.columns)
    found = source.execution_options(yield_per=_ROWS).execute(query)
    for rows in found.mappings().partitions():
        yield [dict(row) for row in rows]


def _continue_numbers(source: Connection, target: Connection, table: Table) -> None:
    """Have new rows numbered after those that were put in, and after what was given and deleted since.

    In PostgreSQL that is every table, in SQLite those whose numbers are given once: it has a counter of them.
    """
    if (key := table.autoincrement_column) is None:
        return
    there = target.scalar(select(func.max(key))) or 0
    what = {"name": table.name, "key": key.name, "highest": max(there, _highest_given(source, table))}
    if not what["highest"]:
        return
    if target.dialect.name == "postgresql":
        target.execute(text("SELECT setval(pg_get_serial_sequence(:name, :key), :highest)"), what)
    elif table.dialect_options["sqlite"]["autoincrement"]:
        target.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), what)
        target.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :highest)"), what)


def _highest_given(source: Connection, table: Table) -> int:
    """The highest number that a row of a table ever had, deleted ones too; 0 where that is not known."""
    query = "SELECT seq FROM sqlite_sequence WHERE name = :name"
    if source.dialect.name == "postgresql":
        query = "SELECT pg_sequence_last_value(pg_get_serial_sequence(:name, :key)::regclass)"
    (key,) = table.primary_key.columns
    return source.scalar(text(query), {"name": table.name, "key": key.name}) or 0
