"""Open the database, migrate it, and copy its rows at one moment.

:func:`copy_rows` writes all rows to an SQLite file, :func:`restore_rows` puts them back. PostgreSQL is
copied through SQLAlchemy in one repeatable-read transaction, so a backup has the same form whatever the
server was, and can be restored into either.
"""

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
from webapp.storage.folded_text import fold
from webapp.storage.key_files import CustodyKey
from webapp.storage.tables import Base, UtcDateTime, now

CUSTODY_KEY = "custody key"  # in the info of a session: the key of the custody log
REVISION = "0022"  # the newest migration; a test compares it with the files
_RELEASE_0_1, _RELEASE_0_2 = "0007", "0020"  # migrations between them are in no release
_POOL_SIZE = 8
_LOCK = text("SELECT pg_advisory_xact_lock(7733661155)")  # an arbitrary number, the same everywhere
_LOCK_SQLITE = text("BEGIN IMMEDIATE")  # Python's sqlite3 begins a transaction only at the first write
_POSTGRESQL_DISK_FULL = "53100"
_MIGRATIONS = str(Path(__file__).with_name("migrations"))
_BATCH = 500  # rows


class Database:
    """A database and the sessions on it.

    Every session opens a connection of its own, so a process may fork while it holds a :class:`Database`,
    unless it uses :meth:`hold`.
    """

    def __init__(self, url: URL, info: Mapping[str, Any]) -> None:
        """``info`` is the info of every session, such as :data:`CUSTODY_KEY`."""
        self._url, self._is_sqlite = url, url.get_backend_name() == "sqlite"
        self.engine = self._create_engine(poolclass=NullPool)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False, info=dict(info))

    def begin(self) -> AbstractContextManager[Session]:
        """Return a session in a transaction that commits at the end of the ``with`` block."""
        return self._sessions.begin()

    @contextmanager
    def alone(self) -> Iterator[Session]:
        """Like :meth:`begin`, but lock out all other writers from the first line on.

        For decisions that read and then write, such as whether an exhibit is still needed.
        """
        with self._sessions.begin() as session:
            session.execute(_LOCK_SQLITE if self._is_sqlite else _LOCK)
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Return a read-only session that sees everything as it was at its first query.

        For comparing tables with one another. It blocks nobody, but SQLite's WAL grows until it ends.
        """
        with self._sessions.begin() as session:
            if self._is_sqlite:
                session.execute(text("BEGIN"))
            else:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    def close(self) -> None:
        """Dispose of the engine."""
        self.engine.dispose()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Pool connections during the ``with`` block, in a process that never forks.

        Opening a connection and reading the table definitions takes longer than most queries. And whenever
        the last connection to SQLite closes, it checkpoints and locks everybody out, on a busy disk for
        seconds; with one connection always open this never happens.
        """
        unpooled = self.engine
        # Pre-ping notices a server that was restarted; a file needs no ping.
        pooled = self._create_engine(
            poolclass=QueuePool,
            pool_size=_POOL_SIZE,
            max_overflow=-1,
            pool_use_lifo=True,
            pool_pre_ping=not self._is_sqlite,
        )
        with pooled.connect() as connection:  # SQLite opens the file only at the first query
            connection.execute(text("SELECT count(*) FROM alembic_version"))
        self._use(pooled)
        try:
            yield
        finally:
            self._use(unpooled)
            pooled.dispose()

    def revision(self) -> str | None:
        """Return the newest migration applied; None if there are no tables."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return revision

    def migrate(self) -> None:
        """Bring the tables up to date; returns quickly if they are.

        Raises :class:`UserError` if a newer Reelproof created them.
        """
        if (revision := self.revision()) == REVISION:
            return
        refuse_newer(revision)
        if revision is not None and _RELEASE_0_1 < revision < _RELEASE_0_2:
            raise UserError(
                409,
                f"The database has tables {revision}, which no release made.",
                "Start release 0.2 on it once, or restore a backup of a release.",
            )
        if self._is_sqlite:
            with self.engine.connect() as connection:
                # Pages read while a worker writes. The mode is stored in the file.
                connection.execute(text("PRAGMA journal_mode=WAL"))
        # Importing Alembic takes a third of a second; a start without migrations skips it.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", _MIGRATIONS.replace("%", "%%"))
        with self.engine.begin() as connection:
            # One transaction: all or nothing if killed, and the second of two simultaneous starts waits
            # here and then finds nothing to do.
            connection.execute(_LOCK_SQLITE if self._is_sqlite else _LOCK)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _use(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions.configure(bind=engine)

    def _create_engine(self, **pool: Any) -> Engine:
        # Days are counted in UTC whatever the server's time zone; the timeout notices a server that is gone.
        options = {} if self._is_sqlite else {"options": "-c timezone=utc", "connect_timeout": 5}
        # hide_parameters keeps the contents of rows out of error messages and logs.
        engine = create_engine(self._url, connect_args=options, hide_parameters=True, **pool)
        if self._is_sqlite:
            event.listen(engine, "connect", _prepare_sqlite)
        return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # The busy timeout (in milliseconds) comes first; FULL keeps commits through a power failure.
    for pragma in ("busy_timeout=30000", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    # SQLite's own lower() knows ASCII only, and people search for names with umlauts.
    connection.create_function("lower", 1, _lower, deterministic=True)
    connection.create_function("folded", 1, _folded, deterministic=True)


def _lower(value: object) -> str | None:
    return None if value is None else str(value).lower()


def _folded(value: object) -> str | None:
    return None if value is None else fold(str(value))


def connect(settings: Settings) -> Database:
    """Return the configured database; its sessions can append to the custody log."""
    return Database(settings.database_url, _session_info(settings))


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Return the configured database and close it at the end of the ``with`` block."""
    database = connect(settings)
    try:
        yield database
    finally:
        database.close()


def _session_info(settings: Settings) -> dict[str, Any]:
    return {CUSTODY_KEY: CustodyKey(settings.custody_key)}


def shared_clock(session: Session) -> datetime:
    """Return the current time for values that one machine writes and another compares.

    With PostgreSQL this is the server's clock, since the machines' clocks may differ. All users of SQLite
    are on one machine.
    """
    if session.get_bind().dialect.name == "sqlite":
        return now()
    return session.scalars(select(func.clock_timestamp(type_=UtcDateTime))).one()


def refuse_newer(revision: str | None) -> None:
    """Raise :class:`UserError` for tables created by a newer Reelproof."""
    if revision is not None and revision > REVISION:
        raise UserError(
            409,
            f"The database was made by a newer Reelproof (tables {revision}; this one: {REVISION}).",
            "Use that version, or restore a backup that was made before the upgrade.",
        )


def refuse_other_version(database: Database) -> None:
    """Raise :class:`UserError` unless the tables are those of this version."""
    if (revision := database.revision()) != REVISION:
        refuse_newer(revision)
        raise UserError(
            409,
            f"The database has tables of another version ({revision or 'none'}; this one: {REVISION}).",
            "Start python -m webapp of this version once, or use the version it was last used with.",
        )


def has_tables(database: Database) -> bool:
    """Return whether the database has any tables."""
    with database.engine.connect() as connection:
        return bool(inspect(connection).get_table_names())


def explain_unusable(settings: Settings, problem: SQLAlchemyError) -> str:
    """Explain why the database cannot be used and what to do, without revealing a password."""
    reason = " ".join(str(getattr(problem, "orig", problem)).split()).rstrip(".")
    url = settings.database_url
    if url.get_backend_name() != "sqlite":
        server = f" at {url.host}:{url.port or 5432}" if url.host else ""
        return (
            f"PostgreSQL{server} cannot be used: {reason}. Start it, or correct REELPROOF_DATABASE "
            f"(database {url.database}, user {url.username or 'of the system'})."
        )
    remedy = "Put back a copy of it, or set REELPROOF_DATA to another folder."
    if isinstance(problem, OperationalError):  # locked, read-only or disk full: the file may be intact
        remedy = "See that this user may write there and that the disk has room."
    return f"The database in {settings.data} cannot be used: {reason}. {remedy}"


def is_disk_full(problem: SQLAlchemyError) -> bool:
    """Return whether the disk of the database is full."""
    reason = getattr(problem, "orig", None)
    return (
        getattr(reason, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        or getattr(reason, "sqlstate", None) == _POSTGRESQL_DISK_FULL
    )


def is_read_only(problem: SQLAlchemyError) -> bool:
    """Return whether the disk of an SQLite database rejects writes: it is read-only or has failed."""
    code = getattr(getattr(problem, "orig", None), "sqlite_errorcode", None) or 0
    return code & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR)  # the low byte of extended codes


def copy_rows(database: Database, path: Path) -> None:
    """Write all rows, as they are at one moment, to a new SQLite file.

    Raises :class:`UserError` if the tables are not those of this version or the file cannot be written.
    """
    refuse_other_version(database)
    try:
        _copy_to_file(database, path)
    except (sqlite3.OperationalError, OperationalError) as problem:
        reason = getattr(problem, "orig", problem)
        if not isinstance(reason, sqlite3.Error):  # PostgreSQL's
            raise
        raise UserError(
            507,
            f"The rows cannot be copied to {path}: {reason}.",
            "See that this user may write there and that the disk has room.",
        ) from problem


def _copy_to_file(database: Database, path: Path) -> None:
    url = database.engine.url
    if url.get_backend_name() == "sqlite":
        with (
            closing(sqlite3.connect(str(url.database), timeout=30)) as source,
            closing(sqlite3.connect(path)) as copy,
        ):
            source.backup(copy)  # all pages in one step; meanwhile writers append to the WAL
            copy.execute("PRAGMA journal_mode=DELETE")  # a single file, complete without a WAL
        return
    with closing(open_copy(path)) as copied:
        copied.migrate()
        with (
            database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as source,
            copied.engine.begin() as target,
        ):
            _copy_tables(source, target)
        with copied.engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=DELETE"))


def open_copy(path: Path, settings: Settings | None = None) -> Database:
    """Open a file written by :func:`copy_rows`; with ``settings``, sessions can append to its custody log."""
    return Database(URL.create("sqlite", database=str(path)), _session_info(settings) if settings else {})


def restore_rows(path: Path, database: Database) -> None:
    """Fill an empty database with the rows of a file whose tables are those of this version."""
    database.migrate()
    with (
        closing(open_copy(path)) as copied,
        copied.engine.connect() as source,
        database.engine.begin() as target,
    ):
        _copy_tables(source, target)


def _copy_tables(source: Connection, target: Connection) -> None:
    for table in Base.metadata.sorted_tables:  # referenced tables first
        query = select(table).order_by(*table.primary_key.columns)
        rows = source.execution_options(yield_per=_BATCH).execute(query)
        for batch in rows.mappings().partitions():
            target.execute(insert(table), [dict(row) for row in batch])
        _continue_numbers(source, target, table)


def _continue_numbers(source: Connection, target: Connection, table: Table) -> None:
    """Number new rows after the highest id ever used, including ids of deleted rows.

    In PostgreSQL this concerns every table, in SQLite those with AUTOINCREMENT: it keeps a counter of them.
    """
    if (key := table.autoincrement_column) is None:
        return
    there = target.scalar(select(func.max(key))) or 0
    values = {"name": table.name, "key": key.name, "highest": max(there, _highest_id(source, table))}
    if not values["highest"]:
        return
    if target.dialect.name == "postgresql":
        target.execute(text("SELECT setval(pg_get_serial_sequence(:name, :key), :highest)"), values)
    elif table.dialect_options["sqlite"]["autoincrement"]:
        target.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
        target.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :highest)"), values)


def _highest_id(source: Connection, table: Table) -> int:
    """Return the highest id a row of the table ever had, or 0 if unknown."""
    query = "SELECT seq FROM sqlite_sequence WHERE name = :name"
    if source.dialect.name == "postgresql":
        query = "SELECT pg_sequence_last_value(pg_get_serial_sequence(:name, :key)::regclass)"
    (key,) = table.primary_key.columns
    return source.scalar(text(query), {"name": table.name, "key": key.name}) or 0
