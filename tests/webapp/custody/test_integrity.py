"""Scheduled checks of exhibits: what is due, what is found, what is recorded."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from made_results import hand_in, made_result
from made_rows import retry
from sqlalchemy import update

from webapp.custody import custody_log, integrity
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, Exhibit, now
from webapp.worker import run_analysis, run_job


def checks(database):
    with database.begin() as session:
        return [entry for entry in custody_log.iter_entries(session) if entry.action == "integrity check"]


def place(app, row):
    return Folders.local(app.extensions["settings"].data).data / row.exhibit.path


def exhibit(database, row):
    with database.begin() as session:
        return session.get_one(Exhibit, row.exhibit_id)


def test_run_without_problems_is_one_entry(app, database, settings):
    rows = [hand_in(app, bytes([n]) * 1000) for n in range(3)]
    assert integrity.check_due_exhibits(database, settings) == 3
    (entry,) = checks(database)
    assert entry.exhibit is None and entry.details["exhibits"] == entry.details["fits"] == 3
    assert all(exhibit(database, row).condition == "fits" for row in rows)


def test_each_failure_has_its_own_entry(app, database, settings):
    changed, missing, good = (hand_in(app, bytes([n]) * 1000) for n in range(3))
    place(app, changed).chmod(0o640)
    place(app, changed).write_bytes(b"\1" + place(app, changed).read_bytes()[1:])  # one byte
    place(app, missing).unlink()
    integrity.check_due_exhibits(database, settings)
    first, second, summary = checks(database)
    assert (first.exhibit, first.details["result"]) == (changed.exhibit.sha256, "changed")
    assert first.details["bytes found"] == 1000 and first.details["sha256 found"] != changed.exhibit.sha256
    assert (second.exhibit, second.details["result"]) == (missing.exhibit.sha256, "missing")
    assert [summary.details[name] for name in ("exhibits", "fits", "changed", "missing")] == [3, 1, 1, 1]
    assert exhibit(database, good).condition == "fits"
    # Put back: that is worth an entry too.
    place(app, missing).write_bytes(b"\1" * 1000)
    integrity.check_exhibit(database, Folders.local(settings.data), exhibit(database, missing))
    assert checks(database)[-1].details["result"] == "fits"


def test_recently_checked_exhibits_are_not_due(app, database, settings):
    with database.begin() as session:
        assert not integrity.is_exhibit_check_due(session, settings)  # nothing there
    row = hand_in(app)
    with database.begin() as session:
        assert integrity.is_exhibit_check_due(session, settings)
    integrity.check_due_exhibits(database, settings)
    assert integrity.check_due_exhibits(database, settings) == 0
    with database.begin() as session:
        assert not integrity.is_exhibit_check_due(session, settings)
        session.execute(update(Exhibit).values(checked=now() - timedelta(hours=13)))
    assert integrity.check_due_exhibits(database, settings) == 1
    assert exhibit(database, row).checked > now() - timedelta(minutes=1)


def test_check_from_a_fast_clock_is_ignored(app, database, settings, monkeypatch):
    row, ahead = hand_in(app), now() + timedelta(days=400)
    with monkeypatch.context() as clock:
        clock.setattr(custody_log, "now", lambda: ahead)
        integrity.check_due_exhibits(database, settings)
    with database.begin() as session:
        assert integrity.is_exhibit_check_due(session, settings)
        session.execute(update(Exhibit).values(checked=ahead))
    assert integrity.check_due_exhibits(database, settings) == 1
    assert exhibit(database, row).checked < ahead
    with database.begin() as session:
        assert not integrity.is_exhibit_check_due(session, settings)
    assert integrity.check_due_exhibits(database, settings) == 0


def test_interrupted_run_continues(app, database, settings):
    for number in range(3):
        hand_in(app, bytes([number]) * 1000)
    asked = iter((False, False, True))
    with pytest.raises(InterruptedError):
        integrity.check_due_exhibits(database, settings, lambda: next(asked))
    assert checks(database) == []
    assert integrity.check_due_exhibits(database, settings) == 1


def test_reading_is_throttled(tmp_path):
    file = tmp_path / "large"
    file.write_bytes(bytes(4 << 20))
    begun = time.monotonic()
    assert integrity.hash_stored_file(file, rate=8e6).bytes == 4 << 20
    assert time.monotonic() - begun > 0.4


def test_damaged_exhibit_is_not_analysed(app, database, settings, monkeypatch):
    def engine(job, folder, *_rest):
        return made_result(job.path, job.file, folder, sha256="0" * 64)

    monkeypatch.setattr(run_analysis, "make_analysis", engine)
    row = hand_in(app)
    run_job.work(settings)
    with database.begin() as session:
        failed = session.get_one(AnalysisRow, row.id)
        *_, last = custody_log.iter_entries(session)
    assert failed.state == "failed" and "no longer has the bytes" in failed.error
    assert last.action == "analysis failed" and not Folders.local(settings.data).result(row.id).exists()
    assert retry(database, row.id)
