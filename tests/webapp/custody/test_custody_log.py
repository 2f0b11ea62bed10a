"""The rows of the custody log: what is recorded, in which order, and protection against changes."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from made_results import digest, finished, hand_in
from made_rows import retry
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from warm import Script

from detector.schema.causes.failures import FailureCode
from reports.custody.chain import check_export, check_log
from reports.custody.format import read_export
from webapp.custody import custody_log
from webapp.exhibits import deletion
from webapp.jobs import claims, recovery, states
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, Exhibit, now


def key(app) -> bytes:
    return app.extensions["settings"].custody_key.read_bytes()


def log(database):
    with database.begin() as session:
        return list(custody_log.iter_entries(session))


def actions(database, exhibit=None) -> list[str]:
    with database.begin() as session:
        return [entry.action for entry in custody_log.iter_entries(session, exhibit)]


def test_new_log_records_its_start_and_settings(app, database):
    began, configured = log(database)
    assert (began.number, began.action, began.actor) == (1, "log begun", "reelproof")
    assert {name: began.details[name] for name in ("exhibits", "analyses", "judgements")} == {
        "exhibits": 0,
        "analyses": 0,
        "judgements": 0,
    }
    assert configured.action == "configuration" and configured.details["workers"] == 1


def test_the_whole_life_of_an_analysis_is_recorded(app, database):
    row = hand_in(app, b"bytes", "a clip.mp4", "reelproof")
    held = claims.claim_analysis(database, row.id)
    claims.finish_analysis(
        database, held, claims.RecordedResult("inconclusive", None, 1.0, made_of={"model sha256": "a" * 64})
    )
    sha256 = digest(b"bytes")
    entries = [entry for entry in log(database) if entry.exhibit == sha256]
    assert [entry.action for entry in entries] == [
        "intake",
        "analysis queued",
        "analysis started",
        "analysis finished",
    ]
    intake, queued, started, ended = entries
    assert intake.details["name"] == "a clip.mp4" and intake.details["bytes"] == 5
    assert {entry.analysis for entry in entries[1:]} == {row.id}
    assert (started.details["attempt"], started.details["model"]) == (1, "reelproof")
    assert (ended.details["verdict"], ended.details["model sha256"]) == ("inconclusive", "a" * 64)
    assert all(entry.actor == "reelproof" and ":" in entry.details["process"] for entry in entries)
    assert list(check_log(log(database), key(app))) == []


def test_failure_retry_and_cancellation_are_recorded(app, database):
    row = hand_in(app)
    claims.fail_job(database, claims.claim_analysis(database, row.id), FailureCode.CRASHED.cause())
    assert retry(database, row.id) and states.cancel(database, row.id)
    assert not states.cancel(database, row.id)  # ended already: nothing happens, nothing is recorded
    assert actions(database, row.exhibit.sha256)[2:] == [
        "analysis started",
        "analysis failed",
        "analysis retried",
        "analysis cancelled",
    ]
    (failed,) = [entry for entry in log(database) if entry.action == "analysis failed"]
    assert failed.details["error"] == FailureCode.CRASHED.cause().text


def test_lost_workers_are_recorded(app, database):
    row = hand_in(app)
    for _ in range(recovery.MAX_ATTEMPTS):
        claims.claim_analysis(database, row.id)
        recovery.requeue_running(database, count_attempt=True)
    assert actions(database, row.exhibit.sha256)[2:] == [
        *("analysis started", "analysis queued"),
        *("analysis started", "analysis queued"),
        *("analysis started", "analysis failed"),
    ]


def test_rolled_back_act_leaves_no_entry(app, database):
    before = log(database)
    with pytest.raises(RuntimeError), database.alone() as session:
        custody_log.append(session, "configuration", {"what": "nothing"})
        raise RuntimeError
    assert log(database) == before


def test_repeated_upload_is_recorded_for_its_exhibit(app, database):
    first = hand_in(app, b"same", "first.mp4")
    second = hand_in(app, b"same", "second.mp4")
    assert first.exhibit.id == second.exhibit.id
    (again,) = [entry for entry in log(database) if entry.action == "intake again"]
    assert (again.details["name"], again.details["first name"]) == ("second.mp4", "first.mp4")
    assert again.exhibit == digest(b"same") and "kept file" not in again.details


def test_restored_file_is_recorded(app, database):
    folders = Folders.local(app.extensions["settings"].data)
    row = hand_in(app, b"same", "first.mp4")
    place = folders.data / row.exhibit.path
    place.unlink()
    hand_in(app, b"same", "second.mp4")
    assert place.read_bytes() == b"same"
    place.chmod(0o640)
    place.write_bytes(b"emas")  # as long, so only the check knows
    with database.begin() as session:
        session.get_one(Exhibit, row.exhibit_id).condition = "changed"
    hand_in(app, b"same", "third.mp4")
    assert place.read_bytes() == b"same" and place.stat().st_mode & 0o777 == 0o440
    (aside,) = place.parent.glob("*.damaged.*")
    assert aside.read_bytes() == b"emas"
    again = [entry for entry in log(database) if entry.action == "intake again"]
    assert all("put back" in entry.details["kept file"] for entry in again) and len(again) == 2
    with database.begin() as session:
        assert session.get_one(Exhibit, row.exhibit_id).condition == "fits"


def test_deletion_leaves_an_entry(app, database):
    row = finished(app)
    sha256 = row.exhibit.sha256
    deletion.delete_analysis(database, Folders.local(app.extensions["settings"].data), row.id)
    with database.begin() as session:
        assert session.get(AnalysisRow, row.id) is None and session.query(Exhibit).count() == 0
        tombstone = custody_log.deletion_entry(session, row.id)
    assert (tombstone.exhibit, tombstone.analysis) == (sha256, row.id)
    assert tombstone.details["name"] == row.file and tombstone.details["exhibit"] == "deleted with it"
    assert tombstone.details["bytes"] == row.exhibit.bytes
    # The same bytes again: their chain goes on behind the tombstone.
    hand_in(app, b"x")
    assert list(check_log(log(database), key(app))) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE custody SET actor = 'x' WHERE number = 1",
        "DELETE FROM custody WHERE number = 2",
        "DELETE FROM custody",
        "INSERT INTO custody SELECT 9, made, actor, action, exhibit, analysis, details, previous, "
        "previous_of_exhibit, sha256, mac FROM custody WHERE number = 1",
        "INSERT OR REPLACE INTO custody SELECT number, made, 'x', action, exhibit, analysis, details, "
        "previous, previous_of_exhibit, sha256, mac FROM custody WHERE number = 1",
    ],
)
def test_triggers_protect_the_log(app, database, statement):
    before = log(database)
    with pytest.raises(DatabaseError, match="custody log"), database.engine.begin() as connection:
        connection.execute(text(statement))
    assert log(database) == before


def test_export_contains_the_exhibits_chain(app, database):
    first, other = hand_in(app, b"one"), hand_in(app, b"other")
    states.cancel(database, first.id)
    with database.begin() as session:
        mine, everything = (
            custody_log.export_log(session, first.exhibit.sha256),
            custody_log.export_log(session, None),
        )
        head = custody_log.head(session)
    assert check_export(mine) == [] == check_export(everything)
    export = read_export(mine)
    assert (export.count, export.head, export.head_mac) == (head.count, head.sha256, head.mac)
    assert [entry.action for entry in export.entries] == ["intake", "analysis queued", "analysis cancelled"]
    assert other.exhibit.sha256.encode() not in mine and len(read_export(everything).entries) == head.count


def test_names_of_any_kind_are_recorded(app, database):
    with database.alone() as session:
        custody_log.append(session, "export", {"file": "a\ud800\0b" + "x" * 5000}, actor="名" * 200)
    entry = log(database)[-1]
    assert entry.details["file"].startswith("a?bxxx") and len(entry.details["file"]) == 4000
    assert len(entry.actor) == 120
    assert list(check_log(log(database), key(app))) == []


_WRITER = Script("""
import sys
from datetime import timedelta
from pathlib import Path
from webapp.custody import custody_log
from webapp.storage.database import connect
from webapp.settings import read_settings
settings = read_settings({"REELPROOF_DATA": sys.argv[1]})
database = connect(settings)
for number in range(int(sys.argv[3])):
    with database.begin() as session:
        custody_log.append(session, "view", {"n": number}, exhibit=sys.argv[2] * 64)
""")


def test_concurrent_writers_produce_one_chain(app, database):
    data, count = str(app.extensions["settings"].data), 25
    before = len(log(database))
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, data, e, str(count)]) for e in "aabc"]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    entries = log(database)
    assert len(entries) == before + 4 * count
    assert list(check_log(entries, key(app))) == []
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))


def test_repeated_views_are_recorded_once(app, database, client):
    row = hand_in(app)
    for _ in range(3):
        assert client.get(f"/analyses/{row.id}").status_code == 200
        client.get(f"/api/v1/analyses/{row.id}")
    views = [entry for entry in log(database) if entry.action == "view"]
    assert [(entry.analysis, entry.actor) for entry in views] == [(row.id, "local user")]
    assert views[0].made[:10] == f"{now():%Y-%m-%d}"


def test_view_from_a_fast_clock_hides_no_other(app, database, client, monkeypatch):
    row = hand_in(app)
    with monkeypatch.context() as clock:
        clock.setattr(custody_log, "now", lambda: now() + timedelta(days=400))
        client.get(f"/analyses/{row.id}")
    for _ in range(2):
        client.get(f"/analyses/{row.id}")
    views = [entry.made for entry in log(database) if entry.action == "view"]
    assert len(views) == 2 and views[1] < views[0]
