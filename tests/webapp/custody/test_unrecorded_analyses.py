"""Jobs that the custody log does not know, or recorded as deleted or unfinished, are rejected."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import made_comparisons
import pytest
import sqlalchemy
from altered_data import SAID, addresses, verify
from flask import Flask
from made_results import finished, hand_in
from sqlalchemy import insert, update

from reports.custody.format import ZEROS, Entry
from webapp import create_app
from webapp.custody.audit import Audit
from webapp.exhibits import deletion
from webapp.jobs import claims, recovery, states
from webapp.storage.tables import AnalysisRow, AnnotationRow, ComparisonRow, Exhibit, State

pytestmark = pytest.mark.usefixtures("quick_reports")


@pytest.mark.parametrize("state", [State.CANCELLED, State.FAILED, State.QUEUED])
def test_reset_state_of_a_finished_job_is_reported(app, folders, capsys, state):
    row = finished(app)
    compared = made_comparisons.compared(app, row, finished(app, file="other.mp4"))
    assert verify(folders.data, capsys)[0] == 0
    for table, key, also in ((AnalysisRow, row.id, {"verdict": None}), (ComparisonRow, compared.id, {})):
        with app.extensions["database"].begin() as session:
            session.execute(update(table).where(table.id == key).values(state=state, **also))
        status, words = verify(folders.data, capsys)
        assert status == 1 and key in words and f"the database that it is {state}." in words


def copied(session, row, **changes) -> None:
    """Put the row of a job into the database once more, past the app."""
    values = {column.key: getattr(row, column.key) for column in sqlalchemy.inspect(type(row)).column_attrs}
    session.execute(insert(type(row)).values(values | changes))


def test_unlogged_analysis_is_rejected(app, client, folders, capsys):
    row, database = finished(app), app.extensions["database"]
    with database.begin() as session:
        copied(session, row, id="f" * 32, verdict="no manipulation found")
        body = {"kind": "exhibit", "author": "Bob", "verdict": "agree", "note": "", "id": "e" * 32}
        made = {"made": row.created, "body": json.dumps(body | {"made": "2026-11-20T15:00:00.000Z"})}
        about = {"analysis_id": "f" * 32, "id": "e" * 32, "kind": "exhibit", "author": "Bob"}
        session.add(AnnotationRow(**about, verdict="agree", **made))
    shutil.copytree(folders.result(row.id), folders.result("f" * 32))
    for address in (*addresses("f" * 32), f"/api/v1/analyses/{'f' * 32}/annotations"):
        assert client.get(address).status_code == 500, address
    assert "has no entry about this analysis: it was added" in client.get(f"/analyses/{'f' * 32}").text
    status, words = verify(folders.data, capsys)
    assert status == 1 and f"Analysis {'f' * 32}: The custody log has no entry about this analysis" in words
    assert {client.get(address).status_code for address in addresses(row.id)} == {200}


def test_restored_deleted_row_is_rejected(app, client, folders, capsys, tmp_path):
    row, other = finished(app), finished(app, file="other.mp4")
    compared = made_comparisons.compared(app, row, other)
    client.post(f"/api/v1/analyses/{row.id}/annotations", json=SAID)
    database, exhibit = app.extensions["database"], row.exhibit
    shutil.copytree(folders.result(row.id), tmp_path / "result")
    shutil.copytree(folders.comparison(compared.id), tmp_path / "compared")
    assert client.get(f"/comparisons/{compared.id}").status_code == 200
    assert client.post(f"/analyses/{row.id}/delete").status_code == 303
    assert verify(folders.data, capsys)[0] == 0
    with database.begin() as session:
        for target in (exhibit, row, compared):
            copied(session, target)
    shutil.copytree(tmp_path / "result", folders.result(row.id))
    shutil.copytree(tmp_path / "compared", folders.comparison(compared.id))
    for target in (*addresses(row.id), f"/comparisons/{compared.id}"):
        assert client.get(target).status_code == 500, target
    status, words = verify(folders.data, capsys)
    back = "The custody log says that this %s was deleted, and the database has it again."
    assert status == 1 and f"Analysis {row.id}: {back % 'analysis'}" in words
    assert f"Comparison {compared.id}: {back % 'comparison'}" in words
    assert f"Exhibit {exhibit.sha256}: The custody log says that it was deleted" in words


def test_unlogged_exhibit_is_reported(app, folders, capsys):
    row = finished(app)
    with app.extensions["database"].begin() as session:
        copied(session, row.exhibit, id=77, sha256="d" * 64)
    status, words = verify(folders.data, capsys)
    assert status == 1 and "The custody log says nothing of 1 exhibits, and 0 can be from before" in words


def begun_anew(app) -> Flask:
    """The log emptied and its key moved away: a new one begins at the start, and counts what there is."""
    data = app.extensions["settings"].data
    app.extensions["database"].close()
    with closing(sqlite3.connect(data / "reelproof.sqlite3")) as connection, connection:
        for name in ("no_update", "no_delete", "in_order"):
            connection.execute(f"DROP TRIGGER custody_{name}")
        connection.execute("DELETE FROM custody")
    (data / "custody.key").unlink()
    anew = create_app({"REELPROOF_DATA": data, "SEND": lambda _id: None})
    anew.test_client_class = app.test_client_class
    return anew


def test_analyses_older_than_the_log_are_accepted_and_counted(app, folders, capsys, tmp_path):
    rows = [finished(app, file=f"{n}.mp4") for n in range(1, 4)]
    app = begun_anew(app)
    client = app.test_client()
    assert verify(folders.data, capsys)[0] == 0
    assert {client.get(address).status_code for address in addresses(rows[0].id)} == {200}
    database = app.extensions["database"]
    with database.begin() as session:  # of an exhibit that was there: nobody can tell which one was added
        copied(session, rows[0], id="f" * 32)
    shutil.copytree(folders.result(rows[0].id), folders.result("f" * 32))
    status, words = verify(folders.data, capsys)
    assert status == 1 and "says nothing of 4 analyses, and 3 can be from before it" in words
    assert "f" * 32 in words
    assert client.post(f"/analyses/{'f' * 32}/delete").status_code == 303
    shutil.copytree(folders.result(rows[1].id), tmp_path / "result")
    # One of those from before is gone now, as far as the log knows.
    status, words = verify(folders.data, capsys)
    assert status == 1 and "says nothing of 3 analyses, and 2 can be from before it" in words
    assert client.post(f"/analyses/{rows[1].id}/delete").status_code == 303
    assert client.get(addresses(rows[1].id)[0]).status_code == 410
    with database.begin() as session:
        copied(session, rows[1].exhibit)
        copied(session, rows[1])
    shutil.copytree(tmp_path / "result", folders.result(rows[1].id))
    assert {client.get(address).status_code for address in addresses(rows[1].id)} == {500}
    # One of an exhibit that was taken in since cannot be older than the log.
    new = finished(app, file="new.mp4")
    with database.begin() as session:
        copied(session, new, id="e" * 32)
    shutil.copytree(folders.result(new.id), folders.result("e" * 32))
    assert {client.get(address).status_code for address in addresses("e" * 32)} == {500}
    app.extensions["database"].close()


def test_all_operations_keep_the_log_consistent(app, client, folders, capsys):
    """However one comes about, and is queued again: none of it passes for a forgery."""
    row, database = finished(app), app.extensions["database"]
    again = client.post(f"/api/v1/analyses/{row.id}/again", json={}).json["id"]
    assert states.cancel(database, again) and client.post(f"/analyses/{again}/retry").status_code == 303
    assert claims.claim_analysis(database, again) is not None
    recovery.requeue_running(database, count_attempt=True)
    assert states.pause(database, again) and states.resume(database, again)
    assert verify(folders.data, capsys)[0] == 0
    assert states.cancel(database, again) and client.post(f"/analyses/{again}/delete").status_code == 303
    assert verify(folders.data, capsys)[0] == 0


def test_id_reused_after_deletion_is_accepted(app, client, folders, capsys):
    """A request whose answer was cut off, sent again with its key after what it made was deleted."""
    row, database = finished(app), app.extensions["database"]
    with database.begin() as session:
        exhibit = session.get_one(Exhibit, row.exhibit_id)
        made = states.create_analysis(session, exhibit, "clip.mp4", wanted_id="c" * 32)
    assert states.cancel(database, made.id)
    assert client.post(f"/analyses/{made.id}/delete").status_code == 303
    with database.begin() as session:
        states.create_analysis(
            session, session.get_one(Exhibit, row.exhibit_id), "clip.mp4", wanted_id="c" * 32
        )
    assert verify(folders.data, capsys)[0] == 0


def test_interrupted_deletion_is_no_problem(app, client, folders, capsys, monkeypatch):
    row, other = finished(app), finished(app, file="other.mp4")
    database = app.extensions["database"]
    monkeypatch.setattr(deletion, "forget_fingerprint", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        deletion.delete_analysis(database, folders, row.id)  # the note is there, nothing else
    monkeypatch.undo()
    monkeypatch.setattr(deletion, "_finish", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        deletion.delete_analysis(database, folders, other.id)  # rows are gone, files are not
    monkeypatch.undo()
    assert verify(folders.data, capsys)[0] == 0
    deletion.finish_deletions(database, folders)
    assert verify(folders.data, capsys)[0] == 0
    assert {client.get(address).status_code for address in addresses(row.id)} == {200}
    assert client.get(f"/analyses/{other.id}").status_code == 410


def test_analysis_marked_as_finished_is_rejected(app, client, folders, capsys):
    row, waiting = finished(app), hand_in(app, file="waiting.mp4")
    shutil.copytree(folders.result(row.id), folders.result(waiting.id))
    done = {name: getattr(row, name) for name in ("state", "finished", "verdict", "probability", "summary")}
    with app.extensions["database"].begin() as session:
        session.execute(update(AnalysisRow).where(AnalysisRow.id == waiting.id).values(**done))
    unsaid = "The custody log does not say that this analysis was finished."
    for address in addresses(waiting.id):
        answer = client.get(address)
        assert answer.status_code == 500 and unsaid in answer.text, address
    status, words = verify(folders.data, capsys)
    assert status == 1 and f"Analysis {waiting.id}: {unsaid}" in words


def test_missing_analysis_is_reported(app, folders, capsys):
    row = hand_in(app)
    assert verify(folders.data, capsys)[0] == 0
    with app.extensions["database"].begin() as session:
        session.delete(session.get_one(AnalysisRow, row.id))
    assert verify(folders.data, capsys)[0] == 1


def test_unknown_action_of_a_newer_version_is_ignored():
    chain = dict.fromkeys(("previous", "previous_of_exhibit", "sha256", "mac"), ZEROS)
    about = {"exhibit": "3" * 64, "analysis": "f" * 32, "details": {"case": 1}}
    entry = Entry(number=1, made="2026-11-20T15:00:00.000Z", actor="Bob", action="sealed", **about, **chain)
    assert list(Audit().observe([entry])) == [entry]
