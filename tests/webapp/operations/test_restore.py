"""Restored backups: everything as before, completely or not at all, on either database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from made_backups import make, put_back
from made_results import finished, hand_in
from sqlalchemy import select

from webapp import create_app
from webapp.downloads import reports as report_downloads
from webapp.errors import UserError
from webapp.operations import backup
from webapp.settings import read_settings
from webapp.storage import database as storage_database
from webapp.storage.database import connect, open_database
from webapp.storage.tables import AnalysisRow, Base, CaseRow, CustodyRow, SessionRow, User, now


def rows(database) -> dict[str, list[tuple]]:
    """All rows but those of the log, which goes on, by table."""
    with database.engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
            if table.name != "custody"
        }


def test_restore_reproduces_everything(app, tmp_path, quick_reports, monkeypatch):
    row = finished(app)
    hand_in(app, b"waits")
    client = app.test_client()
    reports = {name: client.get(f"/analyses/{row.id}/{name}").data for name in ("report.pdf", "report.html")}
    before = rows(app.extensions["database"])
    for place in ("validations", "models"):  # what no row speaks of
        folder = app.extensions["settings"].data / place / "x"
        folder.mkdir(parents=True)
        (folder / "kept.json").write_text(place)
    manifest = make(app, tmp_path / "kept")
    settings = put_back(tmp_path / "kept", tmp_path / "again")
    assert (settings.data / row.exhibit.path).stat().st_mode & 0o777 == 0o440
    for place in ("validations", "models"):
        assert (settings.data / place / "x" / "kept.json").read_text() == place
    assert settings.custody_key.stat().st_mode & 0o777 == 0o600

    monkeypatch.setattr(report_downloads, "_render", None)  # kept ones are kept
    with closing(connect(settings)) as database:
        assert rows(database) == before
        with database.begin() as session:
            (entry,) = session.scalars(select(CustodyRow).where(CustodyRow.action == "restore"))
        assert f'"log count": {manifest.entries},' in entry.details
    again = create_app({"TESTING": True, "REELPROOF_DATA": settings.data})
    again.test_client_class = app.test_client_class
    for name, content in reports.items():
        assert again.test_client().get(f"/analyses/{row.id}/{name}").data == content
    again.extensions["database"].close()


@pytest.mark.parametrize("inside", ["exhibits", "exhibits/data"])
def test_only_exhibits_are_restored_read_only(app, tmp_path, inside):
    """Wherever the data folder lies: others of the group may not read its keys."""
    row = finished(app)
    make(app, tmp_path / "kept")
    settings = put_back(tmp_path / "kept", tmp_path / inside)
    kept = [path for path in settings.data.rglob("*") if path.is_file() and path.parent != settings.data]
    assert [path for path in kept if path.stat().st_mode & 0o777 != 0o600] == [
        settings.data / row.exhibit.path
    ]
    assert settings.custody_key.stat().st_mode & 0o777 == 0o600


def test_restore_ends_sessions_and_rejects_newer_backups(app, tmp_path, monkeypatch):
    make(app, tmp_path / "kept")
    settings = put_back(tmp_path / "kept", tmp_path / "again")
    with open_database(settings) as database, database.begin() as session:
        assert session.scalars(select(SessionRow)).all() == []
    listed = tmp_path / "kept" / "backup.json"
    words = listed.read_text()
    listed.write_text(
        words.replace(f'"revision": "{backup.read_manifest(listed.parent).revision}"', '"revision": "9999"')
    )
    with pytest.raises(UserError, match="newer Reelproof"):
        put_back(tmp_path / "kept", tmp_path / "third")
    listed.write_text(words.replace('"data/', '"data/../../', 1).replace('"keys/', '"keys/../', 1))
    with pytest.raises(UserError, match="cannot be read"):
        put_back(tmp_path / "kept", tmp_path / "third")
    assert not (tmp_path / "third").exists()


def next_case(database) -> int:
    """The number of a new case, which is gone again."""
    case = CaseRow(name="new", description="", created=now(), created_by="ada")
    with database.begin() as session:
        session.add(case)
        session.flush()
        session.delete(case)
    return case.id


@pytest.mark.parametrize("where", ["before", "behind"])
def test_killed_restore_has_all_rows_or_none(app, tmp_path, monkeypatch, where):
    """Nobody stays signed in by a restore that did not come to its end, and the log says that it was made."""
    with app.extensions["database"].begin() as session:
        user = User(
            name="ada", display="Ada", role="examiner", password="", password_set=now(), one_time=False,
            created=now(),
        )  # fmt: skip
        session.add(user)
        session.flush()
        moments = {"started": now(), "seen": now(), "confirmed": now()}
        session.add(SessionRow(id="ab" * 32, user_id=user.id, address="x", agent="x", **moments))
    make(app, tmp_path / "kept")
    data, rename = tmp_path / "again", Path.rename

    class Killed(BaseException):
        pass

    def killed(source: Path, target: str) -> Path:
        if Path(target).parent != data:
            return rename(source, target)
        if where == "behind":
            rename(source, target)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        with pytest.raises(Killed):
            put_back(tmp_path / "kept", data)
    settings = read_settings({"REELPROOF_DATA": data})
    assert Path(str(settings.database_url.database)).exists() == (where == "behind")
    if where == "behind":
        with open_database(settings) as database, database.begin() as session:
            assert session.scalars(select(SessionRow)).all() == []
            last = select(CustodyRow.action).order_by(CustodyRow.number.desc()).limit(1)
            assert session.scalar(last) == "restore"


def test_restore_does_not_reuse_numbers_of_purged_cases(app, tmp_path):
    database = app.extensions["database"]
    assert [next_case(database), next_case(database)] == [1, 2]
    with closing(storage_database.open_copy(tmp_path / "copy.sqlite3")) as copied:
        copied.migrate()
        storage_database.restore_rows(Path(database.engine.url.database), copied)
        assert next_case(copied) == 3


def test_from_sqlite_to_postgresql_and_back(app, tmp_path, postgresql):
    finished(app)
    hand_in(app, b"waits")
    assert next_case(app.extensions["database"]) == 1
    before = rows(app.extensions["database"])
    make(app, tmp_path / "one")
    server = {"REELPROOF_DATABASE": postgresql.url.replace("+psycopg", "")}
    settings = put_back(tmp_path / "one", tmp_path / "there", **server)
    with closing(connect(settings)) as database:
        assert rows(database) == before
        with database.alone() as session:
            exhibit = session.scalars(select(AnalysisRow)).first().exhibit
            more = type(exhibit)(
                sha256="f" * 64, name="x", bytes=1, path="exhibits/ff/x", created=exhibit.created
            )
            session.add(more)
            session.flush()
            assert more.id > exhibit.id  # numbers go on
            session.delete(more)
        assert next_case(database) == 2
        backup.make_backup(database, settings, tmp_path / "two")
    with pytest.raises(UserError, match="has tables already"):
        put_back(tmp_path / "one", tmp_path / "third", **server)
    settings = put_back(tmp_path / "two", tmp_path / "back")
    with closing(connect(settings)) as database:
        assert rows(database) == before
        assert next_case(database) == 3
    postgresql.empty()
