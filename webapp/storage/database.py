"""Open the database, migrate it, and copy its rows at one moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    QueuePool,
    Table,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from webapp.errors import UserError
from webapp.settings import Settings
from webapp.storage.key_files import CustodyKey
from webapp.storage.tables import Base, UtcDateTime, now

CUSTODY_KEY = "custody key"  # of a session's info: the key of the custody log, for what records
REVISION = "0020"  # the newest migration; a test compares it with the files
_KEPT_OPEN = 8  # connections; more are opened and closed as they are needed
_ALONE = text("SELECT pg_advisory_xact_lock(7733661155)")  # any number that everyone here uses
_ALONE_SQLITE = text("BEGIN IMMEDIATE")  # by itself Python's sqlite3 begins at the first row written
_DISK_FULL = "53100"  # of PostgreSQL
_MIGRATIONS = str(Path(__file__).with_name("migrations"))


class Database:
    """One database and the sessions on it.

    Connections are opened a session and never shared, so a process may fork
    with an open :class:`Database` in hand; but see :meth:`hold`.
    """

    def __init__(self, url: URL, info: Mapping[str, Any]) -> None:
        """``info`` is what every session carries, such as :data:`CUSTODY_KEY`."""
        self._url, self._sqlite = url, url.get_backend_name() == "sqlite"
        self.engine = self._opened(poolclass=NullPool)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False, info=dict(info))

    def begin(self) -> AbstractContextManager[Session]:
        """A session in a transaction that commits at the end of the ``with`` block."""
        return self._sessions.begin()

    @contextmanager
    def alone(self) -> Iterator[Session]:
        """The same, and no other writer gets in between from its first line on.

        For what is decided by reading and then done by writing, such as whether an exhibit is still needed.
        """
        with self._sessions.begin() as session:
            session.execute(_ALONE_SQLITE if self._sqlite else _ALONE)
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A session that reads everything as it was at its first question, and writes nothing.

        For comparing one table with another. Nobody waits for it, but SQLite's file of recent changes grows
        until it ends.
        """
        with self._sessions.begin() as session:
            if self._sqlite:
                session.execute(text("BEGIN"))
            else:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    def close(self) -> None:
        """Let go of the engine."""
        self.engine.dispose()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep connections open for the ``with`` block and use them again, in a process that never forks.

        Opening one and reading the tables' definitions takes longer than most questions. And whenever
        the last connection to SQLite closes, it tidies up and lets nobody in meanwhile, which on a busy
        disk takes seconds. With one always open there is no last one.
        """
        once = self.engine
        # A server that was started anew is noticed by asking first; a file needs no asking.
        held = self._opened(
            poolclass=QueuePool,
            pool_size=_KEPT_OPEN,
            max_overflow=-1,
            pool_use_lifo=True,
            pool_pre_ping=not self._sqlite,
        )
        with held.connect() as connection:  # until its first question SQLite has not opened the file
            connection.execute(text("SELECT count(*) FROM alembic_version"))
        self._use(held)
        try:
            yield
        finally:
            self._use(once)
            held.dispose()

    def revision(self) -> str | None:
        """The newest migration the tables have had; None where there are none."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return found

    def migrate(self) -> None:
        """Bring the tables up to date; does nothing, quickly, when they are.

        Raises :class:`UserError` where a newer Reelproof has made them.
        """
        if (found := self.revision()) == REVISION:
            return
        refuse_newer(found)
        if self._sqlite:
            with self.engine.connect() as connection:
                # Pages are read while a worker writes. The file remembers it.
                connection.execute(text("PRAGMA journal_mode=WAL"))
        # Alembic takes a third of a second to import; a start that has nothing to migrate skips it.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", _MIGRATIONS.replace("%", "%%"))
        with self.engine.begin() as connection:
            # All or nothing, where it is killed; of two that start at once the second finds nothing to do.
            connection.execute(_ALONE_SQLITE if self._sqlite else _ALONE)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _use(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions.configure(bind=engine)

    def _opened(self, **pool: Any) -> Engine:
        # Days are counted in UTC whatever the server thinks, and a server that is gone is noticed.
        options = {} if self._sqlite else {"options": "-c timezone=utc", "connect_timeout": 5}
        # What rows hold stands in no message, and so in no log.
        engine = create_engine(self._url, connect_args=options, hide_parameters=True, **pool)
        if self._sqlite:
            event.listen(engine, "connect", _prepare_sqlite)
        return engine


def shared_clock(session: Session) -> datetime:
    """Now, for what one machine notes and another compares: by PostgreSQL's clock, since theirs may differ.

    All that use SQLite are on one machine.
    """
    if session.get_bind().dialect.name == "sqlite":
        return now()
    return session.scalars(select(func.clock_timestamp(type_=UtcDateTime))).one()


def refuse_newer(revision: str | None) -> None:
    """Raise :class:`UserError` for tables that a newer Reelproof has made."""
    if revision is not None and revision > REVISION:
        raise UserError(
            409,
            f"The database was made by a newer Reelproof (tables {revision}; this one: {REVISION}).",
            "Use that version, or restore a backup that was made before the upgrade.",
        )


def explain_unusable(settings: Settings, problem: SQLAlchemyError) -> str:
    """Which database cannot be used, why, and what to do; names no password."""
    reason = " ".join(str(getattr(problem, "orig", problem)).split()).rstrip(".")
    url = settings.database_url
    if url.get_backend_name() != "sqlite":
        place = f" at {url.host}:{url.port or 5432}" if url.host else ""
        return (
            f"PostgreSQL{place} cannot be used: {reason}. Start it, or correct REELPROOF_DATABASE "
            f"(database {url.database}, user {url.username or 'of the system'})."
        )
    remedy = "Put back a copy of it, or set REELPROOF_DATA to another folder."
    if isinstance(problem, OperationalError):  # locked, read-only, no room: the file itself may be sound
        remedy = "See that this user may write there and that the disk has room."
    return f"The database in {settings.data} cannot be used: {reason}. {remedy}"


def is_disk_full(problem: SQLAlchemyError) -> bool:
    """Whether the disk of the database is full."""
    reason = getattr(problem, "orig", None)
    return (
        getattr(reason, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        or getattr(reason, "sqlstate", None) == _DISK_FULL
    )


def is_read_only(problem: SQLAlchemyError) -> bool:
    """Whether the disk of an SQLite database refuses what is written to it: it is read-only, or failed."""
    code = getattr(getattr(problem, "orig", None), "sqlite_errorcode", None) or 0
    return code & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR)  # extended codes lie above


def connect(settings: Settings) -> Database:
    """The database of these settings; its sessions can record in the custody log."""
    return Database(settings.database_url, session_info(settings))


def session_info(settings: Settings) -> dict[str, Any]:
    """What sessions need to record in the custody log."""
    return {CUSTODY_KEY: CustodyKey(settings.custody_key)}


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """A database for one piece of work in a worker."""
    database = connect(settings)
    try:
        yield database
    finally:
        database.close()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # First of all patience, in milliseconds; FULL keeps a commit through a power cut.
    for pragma in ("busy_timeout=30000", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    # SQLite's own knows no letters beyond ASCII, and people search for names with umlauts.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(value: object) -> str | None:
    return None if value is None else str(value).lower()


_ROWS = 500  # at a time


def copy_rows(database: Database, place: Path) -> None:
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
    with closing(open_copy(place)) as copied:
        copied.migrate()
        with (
            database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as source,
            copied.engine.begin() as target,
        ):
            _copy(source, target)
        with copied.engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=DELETE"))


def open_copy(place: Path, settings: Settings | None = None) -> Database:
    """The database in a file of :func:`snapshot`; with ``settings`` its sessions can record in its log."""
    return Database(URL.create("sqlite", database=str(place)), session_info(settings) if settings else {})


def restore_rows(copy: Path, database: Database) -> None:
    """Fill an empty database with the rows of a file; the file's tables are those of this version."""
    database.migrate()
    with (
        closing(open_copy(copy)) as copied,
        copied.engine.connect() as source,
        database.engine.begin() as target,
    ):
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
