"""The database: how it is opened, and how its tables are brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, NullPool, create_engine, event, inspect, text
from sqlalchemy.orm import Session, sessionmaker

from webapp.settings import Settings

REVISION = "0006"  # the newest migration; a test compares it with the files
_MIGRATIONS = str(Path(__file__).with_name("migrations"))


class Database:
    """One database and the sessions on it.

    Connections are opened a session and never shared, so a process may fork
    with an open :class:`Database` in hand.
    """

    def __init__(self, url: URL) -> None:
        self.engine = create_engine(url, poolclass=NullPool)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    def begin(self) -> AbstractContextManager[Session]:
        """A session in a transaction that commits at the end of the ``with`` block."""
        return self._sessions.begin()

    @contextmanager
    def alone(self) -> Iterator[Session]:
        """The same, and no other writer gets in between from its first line on.

        For what is decided by reading and then done by writing, such as whether an exhibit is still needed.
        """
        with self._sessions.begin() as session:
            if self.engine.dialect.name == "sqlite":
                session.execute(text("BEGIN IMMEDIATE"))
            yield session

    def close(self) -> None:
        """Let go of the engine."""
        self.engine.dispose()

    def migrate(self) -> None:
        """Bring the tables up to date; does nothing, quickly, when they are."""
        with self.engine.connect() as connection:
            if inspect(connection).has_table("alembic_version"):
                current = connection.scalar(text("SELECT version_num FROM alembic_version"))
                if current == REVISION:
                    return
        # Alembic takes a third of a second to import; a start that has nothing to migrate skips it.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", _MIGRATIONS.replace("%", "%%"))
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """A database for one piece of work in a worker."""
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        database.close()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # WAL lets pages be read while a worker writes; FULL keeps a commit through a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    # SQLite's own knows no letters beyond ASCII, and people search for names with umlauts.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(value: object) -> str | None:
    return None if value is None else str(value).lower()
