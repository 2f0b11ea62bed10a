"""Backups: made while files come in, are analysed and deleted, put back, and compared byte for byte."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from made_results import finished, hand_in
from made_validation import validation
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from detector.files import hashed
from detector.validation.quoted import quoted as extract_of
from webapp import create_app
from webapp.cli import main as cli
from webapp.custody import log as custody_log
from webapp.downloads import reports as report_downloads
from webapp.errors import UserError
from webapp.jobs import recovery
from webapp.services import deletion, validations
from webapp.services.backups import backup, backup_manifest, restore
from webapp.settings import read_settings
from webapp.storage import database_copy
from webapp.storage.data_folder import Folders
from webapp.storage.database import connect, opened
from webapp.storage.tables import AnalysisRow, Base, CaseRow, CustodyRow, SessionRow, State, User, now

HERE = Path(__file__).resolve().parents[2]
_PATIENCE = 300.0


def make(app, place: Path, earlier: Path | None = None):
    return backup.make(app.extensions["database"], app.extensions["settings"], place, earlier)


def put_back(place: Path, data: Path, keys: Path | None = None, **settings: str):
    there = read_settings({"REELPROOF_DATA": data} | settings)
    restore.restore(there, place, keys)
    return there


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def rows(database) -> dict[str, list[tuple]]:
    """All rows but those of the log, which goes on, by table."""
    with database.engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
            if table.name != "custody"
        }


class Load:
    """Somebody who hands in files all the time, and deletes every third result, while a worker analyses."""

    def __init__(self, data: Path) -> None:
        self.app = create_app({"REELPROOF_DATA": data, "TESTING": True})
        self.folders = Folders.local(data)
        self.seen: dict[str, dict[str, bytes]] = {}  # files of results, as they were when they were done
        self._enough = threading.Event()
        paths = os.pathsep.join(map(str, (HERE.parents[1], HERE, HERE.parent)))
        self.worker = subprocess.Popen(
            [sys.executable, str(HERE / "fake_worker.py")],
            env=os.environ | {"REELPROOF_DATA": str(data), "PYTHONPATH": paths},
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        client, number, database = self.app.test_client(), 0, self.app.extensions["database"]
        while not self._enough.is_set():
            number += 1
            file = (io.BytesIO(b"exhibit %d" % number * 5000), f"{number}.mp4")
            client.post("/api/v1/analyses", data={"file": file}, content_type="multipart/form-data").close()
            with database.begin() as session:
                done = session.scalars(select(AnalysisRow.id).where(AnalysisRow.state == State.DONE)).all()
            for each in set(done) - self.seen.keys():
                self.seen[each] = contents(self.folders.result(each))
                if len(self.seen) % 3 == 0:
                    deletion.delete(database, self.folders, each)
            time.sleep(0.3)  # the worker is to keep up

    def until(self, results: int) -> None:
        end = time.monotonic() + _PATIENCE
        while len(self.seen) < results:
            assert time.monotonic() < end and self.worker.poll() is None and self._thread.is_alive()
            time.sleep(0.05)

    def kill(self) -> None:
        self._enough.set()
        self._thread.join()
        if self.worker.poll() is None:
            os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait()
        self.app.extensions["database"].close()


def test_under_load_and_without_the_source(tmp_path, monkeypatch, capsys):
    load = Load(tmp_path / "data")
    snapshot = database_copy.snapshot

    def slow(database, place):
        snapshot(database, place)
        load.until(4)  # others go on meanwhile

    monkeypatch.setattr(database_copy, "snapshot", slow)
    try:
        load.until(2)
        manifest = make(load.app, tmp_path / "kept")
    finally:
        load.kill()
    shutil.rmtree(tmp_path / "data")
    assert manifest.missing == ()

    settings = put_back(tmp_path / "kept", tmp_path / "again")
    folders = Folders.local(settings.data)
    with opened(settings) as database:
        recovery.recover(database, count_attempt=True)
        with database.begin() as session:
            analyses = session.scalars(select(AnalysisRow)).all()
        states = [row.state for row in analyses]
        assert states.count(State.DONE) and set(states) <= {State.DONE, State.QUEUED}
        for row in analyses:
            assert (folders.data / row.exhibit.path).is_file()
            if row.state == State.DONE and row.id in load.seen:
                assert contents(folders.result(row.id)) == load.seen[row.id]
    assert {row.id for row in analyses if row.state == State.DONE} & load.seen.keys()
    monkeypatch.setenv("REELPROOF_DATA", str(settings.data))
    assert cli.run(["verify-log"]) == 0, capsys.readouterr()


def test_what_is_deleted_meanwhile_is_in_neither_rows_nor_files(app, tmp_path, monkeypatch):
    rows_of = [finished(app, file=f"{name}.mp4") for name in "ab"]
    folders, database = Folders.local(app.extensions["settings"].data), app.extensions["database"]
    copied = []

    def delete_one(of, place, snapshot=database_copy.snapshot):
        snapshot(of, place)
        copied.append(place)
        if len(copied) == 1:
            deletion.delete(database, folders, rows_of[1].id)

    monkeypatch.setattr(database_copy, "snapshot", delete_one)
    manifest = make(app, tmp_path / "kept")
    assert len(copied) == 2 and manifest.missing == ()
    there = contents(tmp_path / "kept")
    assert {each.path for each in manifest.files} == there.keys() - {"backup.json", "sha256sums.txt"}
    assert not any(rows_of[1].id in name or rows_of[1].exhibit.sha256 in name for name in there)
    assert any(rows_of[0].id in name for name in there)


def test_everything_is_as_it_was(app, tmp_path, quick_reports, monkeypatch):
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
def test_only_exhibits_are_put_back_read_only(app, tmp_path, inside):
    """Wherever the data folder lies: others of the group may not read its keys."""
    row = finished(app)
    make(app, tmp_path / "kept")
    settings = put_back(tmp_path / "kept", tmp_path / inside)
    kept = [path for path in settings.data.rglob("*") if path.is_file() and path.parent != settings.data]
    assert [path for path in kept if path.stat().st_mode & 0o777 != 0o600] == [
        settings.data / row.exhibit.path
    ]
    assert settings.custody_key.stat().st_mode & 0o777 == 0o600


def test_commands(app, tmp_path, monkeypatch, capsys):
    data = app.extensions["settings"].data
    row = finished(app)
    monkeypatch.setenv("REELPROOF_DATA", str(data))
    kept, keys = tmp_path / "kept", tmp_path / "apart"
    assert cli.run(["backup", str(kept)]) == 0
    assert cli.run(["check-backup", str(kept)]) == 0
    assert "all as written" in capsys.readouterr().out
    sums = ["sha256sum", "--check", "--quiet", "sha256sums.txt"]
    assert subprocess.run(sums, cwd=kept, check=False).returncode == 0
    assert cli.run(["backup", str(kept)]) == 2 and "is not empty" in capsys.readouterr().err
    assert cli.run(["restore", str(kept)]) == 2 and "is no empty folder" in capsys.readouterr().err

    (kept / "keys").rename(keys)
    monkeypatch.setenv("REELPROOF_DATA", str(tmp_path / "again"))
    assert cli.run(["restore", str(kept)]) == 2
    said = capsys.readouterr().err
    assert "keys/custody.key is missing" in said and "name their folder: --keys DIR" in said
    assert "Use another backup" not in said
    assert cli.run(["check-backup", str(kept)]) == 1 and "--keys DIR" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()
    damaged = kept / "data" / row.exhibit.path
    good = damaged.read_bytes()
    damaged.write_bytes(b"X" + good[1:])
    assert cli.run(["check-backup", str(kept), "--keys", str(keys)]) == 1
    assert "is not what was written" in capsys.readouterr().out
    assert cli.run(["restore", str(kept), "--keys", str(keys)]) == 2
    damaged.write_bytes(good)
    assert cli.run(["restore", str(kept), "--keys", str(keys)]) == 0
    assert cli.run(["verify-log"]) == 0


@pytest.fixture
def quoted(app) -> tuple[str, Path]:
    """The id of a validation that reports quote, and the extract they quote."""
    made, sixteen = validation(), "ab" * 16
    text, folder = made.to_json().encode(), Folders.of(app.extensions["settings"]).validation(sixteen)
    folder.mkdir()
    (folder / "validation.json").write_bytes(text)
    (folder / "laboratory.json").write_text(extract_of(made, text).to_json())
    with app.extensions["database"].begin() as session:
        custody_log.append(session, "configuration", {"what": "validation made", "validation": sixteen})
    with app.app_context():
        validations.quote(sixteen)
    return sixteen, folder / "laboratory.json"


def test_thresholds_that_change_meanwhile_are_those_of_the_rows(app, quoted, tmp_path, monkeypatch):
    id_, _ = quoted
    finished(app)
    make(app, tmp_path / "before")
    changed = iter([0.0, None])

    def change(of, place, snapshot=database_copy.snapshot):
        snapshot(of, place)
        for rate in changed:
            with app.test_request_context():
                validations.set_thresholds(id_, rate, None, 0.5)
            break

    monkeypatch.setattr(database_copy, "snapshot", change)
    manifest = make(app, tmp_path / "kept", tmp_path / "before")
    assert manifest.missing == () and next(changed, "none left") == "none left"
    assert (
        list(backup_manifest.problems(tmp_path / "before", backup_manifest.read(tmp_path / "before"), None))
        == []
    )
    settings = put_back(tmp_path / "kept", tmp_path / "again")
    with opened(settings) as database, database.begin() as session:
        assert validations.in_reports(session, Folders.of(settings)) is not None


@pytest.mark.parametrize("problem", [FileNotFoundError, backup._Unreadable])
def test_a_validation_that_goes_between_two_tries_is_left_out(app, quoted, tmp_path, monkeypatch, problem):
    id_, extract = quoted
    other = extract.parent.with_name("cd" * 16)
    other.mkdir()
    for name in ("a.json", "b.json"):
        (other / name).write_text(name)
    tries = []

    def change(of, place, snapshot=database_copy.snapshot):
        snapshot(of, place)
        tries.append(place)
        if len(tries) == 1:
            with app.test_request_context():
                validations.set_thresholds(id_, 0.0, None, 0.5)

    def gone(source, opened=backup._open):
        if len(tries) == 2 and source.name == "b.json":
            if problem is FileNotFoundError:
                shutil.rmtree(other)
            raise problem(source)
        return opened(source)

    monkeypatch.setattr(database_copy, "snapshot", change)
    monkeypatch.setattr(backup, "_open", gone)
    manifest = make(app, tmp_path / "kept")
    assert len(tries) == 2 and bool(manifest.missing) == (problem is backup._Unreadable)
    there = contents(tmp_path / "kept")
    assert {each.path for each in manifest.files} == there.keys() - {"backup.json", "sha256sums.txt"}
    assert not any(other.name in name for name in there)


def test_what_reports_quote_is_named_where_it_was_altered(app, quoted, tmp_path, monkeypatch, capsys):
    _, extract = quoted
    extract.write_bytes(extract.read_bytes() + b" ")
    assert make(app, tmp_path / "kept").missing == (
        f"validations/{extract.parent.name}/laboratory.json, which reports quote, is missing or not the one "
        "that was chosen.",
    )
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    assert cli.run(["verify-log"]) == 1
    assert "The validation that reports quote is not the one that was chosen." in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["a-keys", "z-keys"])  # before and after "data"
def test_the_key_in_a_backup_is_the_logs_own(app, tmp_path, monkeypatch, capsys, folder):
    """It was made in the data folder, and a new one elsewhere when the log began anew."""
    app.extensions["database"].close()
    data, keys = app.extensions["settings"].data, tmp_path / folder
    keys.mkdir(mode=0o700)
    for path in data.glob("reelproof.sqlite3*"):
        path.unlink()
    monkeypatch.setenv("REELPROOF_DATA", str(data))
    monkeypatch.setenv("REELPROOF_CUSTODY_KEY", str(keys / "custody.key"))
    again = create_app({"TESTING": True, "SEND": lambda _id: None})
    finished(again)
    make(again, tmp_path / "kept")
    kept = tmp_path / "kept" / "keys"
    assert (kept / "custody.key").read_bytes() == (keys / "custody.key").read_bytes()
    assert {path.name for path in kept.iterdir()} == {path.name for path in data.glob("*.key")}

    # Versions before may have written the other one, and its sum into the list.
    shutil.copy(data / "custody.key", kept)
    listed = backup_manifest.read(tmp_path / "kept")
    size, sha256 = hashed(kept / "custody.key")
    wrong = tuple(
        backup_manifest.ListedFile(path=each.path, bytes=size, sha256=sha256)
        if each.path == backup_manifest.CUSTODY_KEY
        else each
        for each in listed.files
    )
    listed.model_copy(update={"files": wrong}).write(tmp_path / "kept")
    assert cli.run(["check-backup", str(tmp_path / "kept")]) == 1
    assert "custody.key is not the key that the backup's" in capsys.readouterr().out
    monkeypatch.setenv("REELPROOF_DATA", str(tmp_path / "again"))
    monkeypatch.delenv("REELPROOF_CUSTODY_KEY")
    assert cli.run(["restore", str(tmp_path / "kept")]) == 2 and not (tmp_path / "again").exists()
    for path in kept.glob("[!c]*"):
        shutil.copy(path, keys)
    assert cli.run(["restore", str(tmp_path / "kept"), "--keys", str(keys)]) == 0
    assert cli.run(["verify-log"]) == 0


@pytest.mark.parametrize("of_postgresql", [False, True])
def test_a_full_disk_is_told(app, tmp_path, monkeypatch, capsys, of_postgresql):
    full = sqlite3.OperationalError("database or disk is full")

    def write(*_):
        raise OperationalError("INSERT", {}, full) if of_postgresql else full

    monkeypatch.setattr(database_copy, "_write", write)
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    assert cli.run(["backup", str(tmp_path / "kept")]) == 2
    words = f"cannot be copied to {tmp_path / 'kept' / 'database.sqlite3'}: database or disk is full. See"
    assert words in capsys.readouterr().err


def test_an_exhibit_that_is_missing_or_changed_is_named(app, tmp_path, monkeypatch, capsys):
    gone, changed = finished(app, file="a.mp4"), finished(app, file="b.mp4")
    data = app.extensions["settings"].data
    (data / gone.exhibit.path).unlink()
    (data / changed.exhibit.path).chmod(0o600)
    (data / changed.exhibit.path).write_bytes(b"other")
    monkeypatch.setenv("REELPROOF_DATA", str(data))
    assert cli.run(["backup", str(tmp_path / "kept")]) == 1
    said = capsys.readouterr().err
    assert f"{gone.exhibit.path} is missing" in said and "is not what was handed in" in said
    assert len(backup_manifest.read(tmp_path / "kept").missing) == 2


def test_files_of_an_earlier_back_up_are_linked(app, tmp_path):
    first, _ = finished(app, file="a.mp4"), make(app, tmp_path / "one")
    second, manifest = finished(app, file="b.mp4"), make(app, tmp_path / "two", tmp_path / "one")
    links = {row.id: (tmp_path / "two/data" / row.exhibit.path).stat().st_nlink for row in (first, second)}
    assert links == {first.id: 2, second.id: 1}
    assert list(backup_manifest.problems(tmp_path / "two", manifest, None)) == []


@pytest.mark.parametrize("damage", ["other bytes", "cut", "missing"])
def test_a_file_that_decayed_in_the_earlier_back_up_is_copied(app, tmp_path, damage):
    row = finished(app)
    make(app, tmp_path / "one")
    decayed = tmp_path / "one/data" / row.exhibit.path
    good = decayed.read_bytes()
    if damage == "missing":
        decayed.unlink()
    else:
        decayed.write_bytes(good[:-1] if damage == "cut" else b"X" + good[1:])
    manifest = make(app, tmp_path / "two", tmp_path / "one")
    again = tmp_path / "two/data" / row.exhibit.path
    assert manifest.missing == () and again.read_bytes() == good and again.stat().st_nlink == 1
    assert list(backup_manifest.problems(tmp_path / "two", manifest, None)) == []
    result = next((tmp_path / "two/data/analyses" / row.id).rglob("analysis.json"))
    assert result.stat().st_nlink == 2  # the others are linked


def test_nobody_stays_signed_in_and_newer_ones_are_refused(app, tmp_path, monkeypatch):
    make(app, tmp_path / "kept")
    settings = put_back(tmp_path / "kept", tmp_path / "again")
    with opened(settings) as database, database.begin() as session:
        assert session.scalars(select(SessionRow)).all() == []
    listed = tmp_path / "kept" / "backup.json"
    words = listed.read_text()
    listed.write_text(
        words.replace(f'"revision": "{backup_manifest.read(listed.parent).revision}"', '"revision": "9999"')
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
def test_a_restore_that_is_killed_has_all_of_its_rows_or_none(app, tmp_path, monkeypatch, where):
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
        with opened(settings) as database, database.begin() as session:
            assert session.scalars(select(SessionRow)).all() == []
            last = select(CustodyRow.action).order_by(CustodyRow.number.desc()).limit(1)
            assert session.scalar(last) == "restore"


def test_the_number_of_a_purged_case_is_not_given_again(app, tmp_path):
    database = app.extensions["database"]
    assert [next_case(database), next_case(database)] == [1, 2]
    with closing(database_copy.file(tmp_path / "copy.sqlite3")) as copied:
        copied.migrate()
        database_copy.put_back(Path(database.engine.url.database), copied)
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
        backup.make(database, settings, tmp_path / "two")
    with pytest.raises(UserError, match="has tables already"):
        put_back(tmp_path / "one", tmp_path / "third", **server)
    settings = put_back(tmp_path / "two", tmp_path / "back")
    with closing(connect(settings)) as database:
        assert rows(database) == before
        assert next_case(database) == 3
    postgresql.empty()
