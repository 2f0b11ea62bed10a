"""The database: how it is opened, and how its tables are brought up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Engine,
    NullPool,
    QueuePool,
    create_engine,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from webapp.errors import UserError
from webapp.settings import Settings
from webapp.storage.key_files import CustodyKey
from webapp.storage.tables import UtcDateTime, now

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


def clock(session: Session) -> datetime:
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


def unusable(settings: Settings, problem: SQLAlchemyError) -> str:
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


def has_no_room(problem: SQLAlchemyError) -> bool:
    """Whether the disk of the database is full."""
    reason = getattr(problem, "orig", None)
    return (
        getattr(reason, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        or getattr(reason, "sqlstate", None) == _DISK_FULL
    )


def takes_no_changes(problem: SQLAlchemyError) -> bool:
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
def opened(settings: Settings) -> Iterator[Database]:
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
