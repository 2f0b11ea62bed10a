"""Migrations, pragmas and moments."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, NullPool, event, make_url, text
from sqlalchemy.exc import DatabaseError, IntegrityError, StatementError

from detector.files import ROOT
from webapp.errors import UserError
from webapp.storage.database import _MIGRATIONS, REVISION, Database, refuse_other_version
from webapp.storage.tables import (
    AnalysisRow,
    Base,
    CaseMember,
    CaseRow,
    Exhibit,
    Milestone,
)

pytestmark = pytest.mark.usefixtures("not_quick")


@pytest.fixture
def database(tmp_path, not_quick):
    path = tmp_path / "rows 100%? #1.sqlite3"
    database = Database(URL.create("sqlite", database=str(path)), {})
    database.migrate()
    assert path.is_file()
    yield database
    database.close()


def test_revision_is_the_newest_migration():
    assert ScriptDirectory(_MIGRATIONS).get_current_head() == REVISION


def test_migrations_create_exactly_the_declared_tables(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_and_tables_agree_on_autoincrement(database, tmp_path):
    made = Database(URL.create("sqlite", database=str(tmp_path / "made.sqlite3")), {})
    Base.metadata.create_all(made.engine)

    def once(of: Database) -> list[str]:
        query = "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%' ORDER BY name"
        with of.begin() as session:
            return list(session.scalars(text(query)))

    assert once(database) == once(made) == ["cases", "fingerprints"]
    made.close()


def of_release(version: str, folder: Path) -> Path:
    """The database of the data folder that this release made."""
    with zipfile.ZipFile(ROOT / "tests" / "data" / f"data-folder-{version}.zip") as archive:
        return Path(archive.extract("data/reelproof.sqlite3", folder))


def opened(path: Path) -> Database:
    return Database(URL.create("sqlite", database=str(path)), {})


@pytest.mark.parametrize("version", ["0.1", "0.2"])
def test_databases_of_releases_get_the_declared_tables_and_keep_their_rows(tmp_path, version):
    path = of_release(version, tmp_path)
    with closing(sqlite3.connect(path)) as before:
        tables = [name for (name,) in before.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = [name for name in tables if not name.startswith(("sqlite_", "alembic_"))]
        rows = {name: before.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
        columns = {name: [row[1] for row in before.execute(f"PRAGMA table_info({name})")] for name in tables}
    database = opened(path)
    database.migrate()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        for name, kept in rows.items():
            query = text(f"SELECT {', '.join(columns[name])} FROM {name}")
            assert [tuple(row) for row in connection.execute(query)] == kept, name
    assert rows["analyses"] and rows["cases"] and rows["custody"] and rows["annotations"]
    with pytest.raises(DatabaseError, match="append-only"), database.begin() as session:
        session.execute(text("DELETE FROM custody"))
    database.close()


def test_numbers_of_cases_of_the_first_release_are_given_once(tmp_path):
    path = of_release("0.1", tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO cases VALUES (7, 'K 7', '', '2026-11-20 10:00:00', 'ada')")
    database = opened(path)
    database.migrate()
    with database.begin() as session:
        session.delete(session.get_one(CaseRow, 7))
        session.flush()
        session.add(CaseRow(name="K 8", description="", created=datetime.now(UTC), created_by="ada"))
    with database.begin() as session:
        assert [case.id for case in session.query(CaseRow).order_by(CaseRow.id)] == [1, 8]
    with pytest.raises(IntegrityError), database.begin() as session:
        session.add(CaseMember(case_id=7, user_id=1))
    database.close()


def test_migration_of_the_first_release_removes_webhook_secrets(tmp_path):
    path = of_release("0.1", tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        for key, body in (("a", '{"id":"1","secret":"whsec_hidden"}'), ("b", '{"id":"2"}')):
            row = ("ada", key, "f", "i", "2026-11-20 10:00:00", 201, "{}", body)
            connection.execute("INSERT INTO keyed_requests VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    assert b"whsec_hidden" in path.read_bytes()
    database = opened(path)
    database.migrate()
    with database.begin() as session:
        assert session.execute(text("SELECT key FROM keyed_requests")).scalars().all() == ["b"]
    database.close()
    assert b"whsec_hidden" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_tables_between_releases_are_refused(tmp_path):
    path = of_release("0.1", tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0012'")
    database = opened(path)
    with pytest.raises(UserError, match="tables 0012, which no release made.*Start release 0.2"):
        database.migrate()
    database.close()


def test_repeated_migration_changes_nothing(database):
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    with database.begin() as session:
        session.add(Milestone(name="x", reached=moment))
    database.migrate()
    with database.begin() as session:
        assert session.get_one(Milestone, "x").reached == moment


_KILLED = """
import os, signal, sys
from sqlalchemy import URL, Engine, event
from webapp.storage.database import Database

@event.listens_for(Engine, "after_cursor_execute")
def kill(_connection, _cursor, statement, *_):
    if statement.split()[:3] == sys.argv[2].split():
        os.kill(os.getpid(), signal.SIGKILL)

Database(URL.create("sqlite", database=sys.argv[1]), {}).migrate()
"""


@pytest.mark.parametrize(
    ("revision", "after"),
    [(None, "CREATE TABLE analyses"), ("0007", "ALTER TABLE users"), ("0007", "DROP TABLE cases")],
)
def test_killed_migration_completes_at_the_next_start(tmp_path, revision, after):
    path = tmp_path / "rows.sqlite3" if revision is None else of_release("0.1", tmp_path)
    database = opened(path)
    killed = [sys.executable, "-c", _KILLED, path, after]
    assert subprocess.run(killed, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert database.revision() == revision
    database.migrate()
    assert database.revision() == REVISION
    database.close()


_STARTED = """
import sys
import alembic.command, alembic.config
from sqlalchemy import URL
from webapp.storage.database import Database

class Told(Database):
    def revision(self):
        found = super().revision()
        print(found, flush=True)
        return found

Told(URL.create("sqlite", database=sys.argv[1]), {}).migrate()
"""


def test_concurrent_starts_create_tables_once(tmp_path):
    path = tmp_path / "rows.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")  # until both have looked
        command = [sys.executable, "-c", _STARTED, path]
        starts = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
        assert [process.stdout.readline() for process in starts if process.stdout] == [b"None\n"] * 2
        time.sleep(1)  # and are about to begin
        other.execute("ROLLBACK")
    assert [process.wait() for process in starts] == [0, 0]
    for process in starts:
        process.communicate()


def test_newer_tables_are_not_touched(database):
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    words = f"made by a newer Reelproof \\(tables 0099; this one: {REVISION}\\).* backup that was made before"
    for refused in (database.migrate, lambda: refuse_other_version(database)):
        with pytest.raises(UserError, match=words):
            refused()


def test_pragmas(database):
    with database.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
        assert connection.scalar(text("PRAGMA busy_timeout")) == 30000


def test_pooled_connections_are_shared_between_threads(database, tmp_path):
    """One open connection keeps SQLite's own files there; without hold() each session opens its own."""
    beside = tmp_path / "rows 100%? #1.sqlite3-wal"
    assert not beside.exists()
    with database.hold(), ThreadPoolExecutor(3) as pool:
        opened: list[object] = []
        event.listen(database.engine, "connect", lambda connection, _record: opened.append(connection))

        def ask(_: int) -> int | None:
            with database.begin() as session:
                return session.scalar(text("SELECT count(*) FROM milestones"))

        assert [ask(number) for number in range(20)] == [0] * 20
        assert opened == []  # the one opened at first did for all
        assert list(pool.map(ask, range(200))) == [0] * 200
        assert len(opened) <= 2
        with pytest.raises(ZeroDivisionError), database.begin() as session:
            session.add(Milestone(name="x", reached=datetime.now(UTC)))
            session.flush()
            raise ZeroDivisionError
        assert ask(0) == 0
        assert beside.exists()
    assert isinstance(database.engine.pool, NullPool)
    assert not beside.exists()


def snapshot_keeps_to_one_moment(database: Database) -> None:
    with database.snapshot() as session:
        assert session.query(Milestone).count() == 0
        with database.alone() as other:  # and nobody waits for it
            other.add(Milestone(name="x", reached=datetime.now(UTC)))
        assert session.query(Milestone).count() == 0
    with database.begin() as session:
        assert session.query(Milestone).count() == 1
        session.query(Milestone).delete()


def test_snapshot_is_consistent(database):
    snapshot_keeps_to_one_moment(database)
    with database.hold():
        snapshot_keeps_to_one_moment(database)


def test_postgresql_snapshot_is_consistent(postgresql):
    database = Database(make_url(postgresql.url), {})
    database.migrate()
    snapshot_keeps_to_one_moment(database)
    with database.hold():
        snapshot_keeps_to_one_moment(database)
        with database.begin() as session:
            assert session.scalar(text("SHOW transaction_isolation")) == "read committed"
    database.close()


def test_foreign_keys_are_enforced(database):
    with pytest.raises(IntegrityError), database.begin() as session:
        session.add(
            AnalysisRow(id="a", exhibit_id=99, file="x", state="queued", stage="", created=datetime.now(UTC))
        )


def test_exhibit_hash_is_unique(database):
    def exhibit():
        return Exhibit(sha256="0" * 64, name="x", bytes=1, path="p", created=datetime.now(UTC))

    with database.begin() as session:
        session.add(exhibit())
    with pytest.raises(IntegrityError), database.begin() as session:
        session.add(exhibit())


def test_moments_keep_their_instant_and_require_a_time_zone(database):
    there = datetime(2026, 11, 20, 10, tzinfo=timezone(timedelta(hours=2)))
    with database.begin() as session:
        session.add(Milestone(name="y", reached=there))
    with database.begin() as session:
        moment = session.get_one(Milestone, "y").reached
    assert moment == there and moment.tzinfo is UTC
    with pytest.raises(StatementError), database.begin() as session:
        session.add(Milestone(name="z", reached=datetime(2026, 11, 20)))
