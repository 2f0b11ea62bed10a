"""The custody log on PostgreSQL: the same triggers, and numbering with several writers."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import make_url, text
from sqlalchemy.exc import DatabaseError
from warm import Script

from reports.custody.chain import check_log
from webapp.custody import custody_log
from webapp.storage import key_files
from webapp.storage.database import CUSTODY_KEY, Database
from webapp.storage.tables import Base

_WRITER = Script("""
import sys
from pathlib import Path
from sqlalchemy import make_url
from webapp.custody import custody_log
from webapp.storage.database import CUSTODY_KEY, Database
from webapp.storage.key_files import CustodyKey
database = Database(make_url(sys.argv[1]), {CUSTODY_KEY: CustodyKey(Path(sys.argv[2]))})
for number in range(25):
    with database.begin() as session:
        custody_log.append(session, "view", {"n": number}, exhibit=sys.argv[3] * 64)
""")


@pytest.fixture(scope="module")
def database(postgresql, tmp_path_factory):
    key = tmp_path_factory.mktemp("key") / "custody.key"
    key_files.create_key(key)
    database = Database(make_url(postgresql.url), {CUSTODY_KEY: key_files.CustodyKey(key)})
    database.migrate()
    with database.begin() as session:
        custody_log.append(session, "log begun")
    yield database, key
    postgresql.empty()
    database.close()


def log(database):
    with database.begin() as session:
        return list(custody_log.iter_entries(session))


def test_migrations_create_exactly_the_declared_tables(database):
    with database[0].engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE custody SET actor = 'x'",
        "DELETE FROM custody",
        "TRUNCATE custody",
        "INSERT INTO custody SELECT 99, made, actor, action, exhibit, analysis, details, previous, "
        "previous_of_exhibit, sha256, mac FROM custody WHERE number = 1",
        "INSERT INTO custody SELECT * FROM custody WHERE number = 1 ON CONFLICT (number) "
        "DO UPDATE SET actor = 'x'",
    ],
)
def test_triggers_protect_the_log(database, statement):
    before = log(database[0])
    with pytest.raises(DatabaseError, match="custody log"), database[0].engine.begin() as connection:
        connection.execute(text(statement))
    assert log(database[0]) == before


def test_concurrent_writers_produce_one_chain(database, postgresql):
    rows, key = database
    before = len(log(rows))
    writer = [sys.executable, "-c", _WRITER, postgresql.url, str(key)]
    writers = [subprocess.Popen([*writer, exhibit]) for exhibit in ("a", "a", "b")]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    entries = log(rows)
    assert len(entries) == before + 75
    assert list(check_log(entries, key.read_bytes())) == []
