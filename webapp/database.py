"""The database: how it is opened, and how its tables are brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, NullPool, create_engine, event, inspect, text
from sqlalchemy.orm import Session, sessionmaker

from webapp import custody
from webapp.custody_key import CustodyKey
from webapp.settings import Settings

REVISION = "0007"  # the newest migration; a test compares it with the files
_ALONE = text("SELECT pg_advisory_xact_lock(7733661155)")  # any number that everyone here uses
_MIGRATIONS = str(Path(__file__).with_name("migrations"))


class Database:
    """One database and the sessions on it.

    Connections are opened a session and never shared, so a process may fork
    with an open :class:`Database` in hand.
    """

    def __init__(self, url: URL, custody_key: Path) -> None:
        """``custody_key`` is the file with the key of the custody log, read when something is recorded."""
        self._sqlite = url.get_backend_name() == "sqlite"
        # Days are counted in UTC whatever the server thinks, and a server that is gone is noticed.
        options = {} if self._sqlite else {"options": "-c timezone=utc", "connect_timeout": 5}
        self.engine = create_engine(url, poolclass=NullPool, connect_args=options)
        if self._sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
        self._sessions = sessionmaker(
            self.engine, expire_on_commit=False, info={custody.KEY: CustodyKey(custody_key)}
        )

    def begin(self) -> AbstractContextManager[Session]:
        """A session in a transaction that commits at the end of the ``with`` block."""
        return self._sessions.begin()

    @contextmanager
    def alone(self) -> Iterator[Session]:
        """The same, and no other writer gets in between from its first line on.

        For what is decided by reading and then done by writing, such as whether an exhibit is still needed.
        """
        with self._sessions.begin() as session:
            session.execute(text("BEGIN IMMEDIATE") if self._sqlite else _ALONE)
            yield session

    def close(self) -> None:
        """Let go of the engine."""
        self.engine.dispose()

    def hold(self) -> AbstractContextManager[Any]:
        """Keep one connection open for the ``with`` block, in a process that never forks.

        Whenever the last connection to SQLite closes, it tidies up and lets nobody in meanwhile, which
        on a busy disk takes seconds. With one always open there is no last one.
        """
        return _held(self.engine) if self._sqlite else nullcontext()

    def revision(self) -> str | None:
        """The newest migration the tables have had; None where there are none."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return found

    def migrate(self) -> None:
        """Bring the tables up to date; does nothing, quickly, when they are."""
        if self.revision() == REVISION:
            return
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
            if not self._sqlite:
                connection.execute(_ALONE)  # two that start at once
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """A database for one piece of work in a worker."""
    database = Database(settings.database_url, settings.custody_key)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def _held(engine: Engine) -> Iterator[None]:
    with engine.connect() as connection:
        connection.execute(text("SELECT count(*) FROM alembic_version"))
        connection.rollback()
        yield


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
