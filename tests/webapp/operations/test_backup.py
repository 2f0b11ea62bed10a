"""Backups under load, and reports of missing files."""

from __future__ import annotations

import errno
import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from made_backups import contents, make, put_back
from made_results import finished
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from cli.web import main as cli
from detector.files import hash_file
from webapp import create_app
from webapp.exhibits import deletion
from webapp.jobs import recovery
from webapp.operations import backup, restore
from webapp.storage import database as storage_database
from webapp.storage.data_folder import Folders
from webapp.storage.database import open_database
from webapp.storage.tables import AnalysisRow, State

HERE = Path(__file__).resolve().parents[1]
_PATIENCE = 300.0


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
            for analysis_id in set(done) - self.seen.keys():
                self.seen[analysis_id] = contents(self.folders.result(analysis_id))
                if len(self.seen) % 3 == 0:
                    deletion.delete_analysis(database, self.folders, analysis_id)
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


def test_backup_under_load_restores_without_the_source(tmp_path, monkeypatch, capsys):
    load = Load(tmp_path / "data")
    snapshot = storage_database.copy_rows

    def slow(database, place):
        snapshot(database, place)
        load.until(4)  # others go on meanwhile

    monkeypatch.setattr(backup, "copy_rows", slow)
    try:
        load.until(2)
        manifest = make(load.app, tmp_path / "kept")
    finally:
        load.kill()
    shutil.rmtree(tmp_path / "data")
    assert manifest.missing == ()

    settings = put_back(tmp_path / "kept", tmp_path / "again")
    folders = Folders.local(settings.data)
    with open_database(settings) as database:
        recovery.requeue_running(database, count_attempt=True)
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


def test_concurrent_deletion_is_consistent(app, tmp_path, monkeypatch):
    rows_of = [finished(app, file=f"{name}.mp4") for name in "ab"]
    folders, database = Folders.local(app.extensions["settings"].data), app.extensions["database"]
    copied = []

    def delete_one(of, place, snapshot=storage_database.copy_rows):
        snapshot(of, place)
        copied.append(place)
        if len(copied) == 1:
            deletion.delete_analysis(database, folders, rows_of[1].id)

    monkeypatch.setattr(backup, "copy_rows", delete_one)
    manifest = make(app, tmp_path / "kept")
    assert len(copied) == 2 and manifest.missing == ()
    there = contents(tmp_path / "kept")
    assert {entry.path for entry in manifest.files} == there.keys() - {"backup.json", "sha256sums.txt"}
    assert not any(rows_of[1].id in name or rows_of[1].exhibit.sha256 in name for name in there)
    assert any(rows_of[0].id in name for name in there)


def test_backup_commands(app, tmp_path, monkeypatch, capsys):
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
    output = capsys.readouterr().err
    assert "keys/custody.key is missing" in output and "name their folder: --keys DIR" in output
    assert "Use another backup" not in output
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


@pytest.mark.parametrize("folder", ["a-keys", "z-keys"])  # before and after "data"
def test_backup_contains_the_right_key(app, tmp_path, monkeypatch, capsys, folder):
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
    listed = backup.read_manifest(tmp_path / "kept")
    size, sha256 = hash_file(kept / "custody.key")
    wrong = tuple(
        backup.ListedFile(path=entry.path, bytes=size, sha256=sha256)
        if entry.path == backup.CUSTODY_KEY
        else entry
        for entry in listed.files
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
def test_full_disk_is_explained(app, tmp_path, monkeypatch, capsys, of_postgresql):
    full = sqlite3.OperationalError("database or disk is full")

    def write(*_):
        raise OperationalError("INSERT", {}, full) if of_postgresql else full

    monkeypatch.setattr(storage_database, "_copy_to_file", write)
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    assert cli.run(["backup", str(tmp_path / "kept")]) == 2
    words = f"cannot be copied to {tmp_path / 'kept' / 'database.sqlite3'}: database or disk is full. See"
    assert words in capsys.readouterr().err


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("there", [False, True])
def test_backup_that_fills_the_disk_is_removed(app, tmp_path, monkeypatch, capsys, there):
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    monkeypatch.setattr(backup, "_copy_file", full)
    kept = tmp_path / "kept"
    if there:
        kept.mkdir()
    assert cli.run(["backup", str(kept)]) == 2
    words = f"The disk of {kept} is full. Make room on it, then make the backup again."
    assert words in capsys.readouterr().err
    assert kept.exists() == there and not list(kept.glob("*"))


def test_restore_to_a_full_disk_is_explained(app, tmp_path, monkeypatch, capsys):
    make(app, tmp_path / "kept")
    again = tmp_path / "again"
    monkeypatch.setenv("REELPROOF_DATA", str(again))
    monkeypatch.setattr(restore.shutil, "copyfile", full)
    assert cli.run(["restore", str(tmp_path / "kept")]) == 2
    words = (
        f"The disk of {again} is full. Make room on it, remove {again}, which is not whole, and begin again"
    )
    assert words in capsys.readouterr().err


def test_missing_or_altered_exhibit_is_reported(app, tmp_path, monkeypatch, capsys):
    gone, changed = finished(app, file="a.mp4"), finished(app, file="b.mp4")
    data = app.extensions["settings"].data
    (data / gone.exhibit.path).unlink()
    (data / changed.exhibit.path).chmod(0o600)
    (data / changed.exhibit.path).write_bytes(b"other")
    monkeypatch.setenv("REELPROOF_DATA", str(data))
    assert cli.run(["backup", str(tmp_path / "kept")]) == 1
    output = capsys.readouterr().err
    assert f"{gone.exhibit.path} is missing" in output and "differs from the upload" in output
    assert len(backup.read_manifest(tmp_path / "kept").missing) == 2


def test_files_of_an_earlier_backup_are_linked(app, tmp_path):
    first, _ = finished(app, file="a.mp4"), make(app, tmp_path / "one")
    second, manifest = finished(app, file="b.mp4"), make(app, tmp_path / "two", tmp_path / "one")
    links = {row.id: (tmp_path / "two/data" / row.exhibit.path).stat().st_nlink for row in (first, second)}
    assert links == {first.id: 2, second.id: 1}
    assert list(backup.iter_problems(tmp_path / "two", manifest, None)) == []


@pytest.mark.parametrize("damage", ["other bytes", "cut", "missing"])
def test_decayed_file_of_an_earlier_backup_is_copied(app, tmp_path, damage):
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
    assert list(backup.iter_problems(tmp_path / "two", manifest, None)) == []
    result = next((tmp_path / "two/data/analyses" / row.id).rglob("analysis.json"))
    assert result.stat().st_nlink == 2  # the others are linked
