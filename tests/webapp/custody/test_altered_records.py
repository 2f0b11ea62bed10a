"""What was changed behind the app's back, hashes beside it recomputed, is refused and named by verify-log."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import made_comparisons
import people
import pytest
import sqlalchemy
from flask import Flask
from made_results import finished, hand_in
from sqlalchemy import insert, update

from reports.bundle import manifest
from webapp import create_app
from webapp.cli import main as cli
from webapp.custody import log as custody_log
from webapp.custody import review_records
from webapp.custody.audit import Audit
from webapp.jobs import claims, recovery, states
from webapp.pages.review import desk
from webapp.queries import results
from webapp.security.permissions import Role
from webapp.services import deletion
from webapp.storage.data_folder import Folders
from webapp.storage.tables import (
    AnalysisRow,
    AnnotationRow,
    CaseDetailsRow,
    ComparisonRow,
    Exhibit,
    State,
    User,
)

SAID = {"kind": "exhibit", "author": "Ada", "verdict": "agree", "note": ""}


@pytest.fixture
def folders(app, monkeypatch, quick_reports) -> Folders:
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    return Folders.local(app.extensions["settings"].data)


def verify(capsys) -> tuple[int, str]:
    capsys.readouterr()
    return cli.run(["verify-log"]), capsys.readouterr().out


def forget() -> None:
    """What is remembered is right, and may be shown; here it is read again."""
    desk._text.cache_clear()
    results.result_cache.clear()
    results.picture_sums.cache_clear()


def test_a_changed_result_is_neither_shown_nor_handed_out(app, client, folders, capsys):
    row = finished(app, segments=1, peaks=1)
    folder, address, api = folders.result(row.id), f"/analyses/{row.id}", f"/api/v1/analyses/{row.id}"
    shown = [address, f"{address}.json", f"{address}/review.json", f"{api}/segments", f"{api}/analysis.json"]
    out = [f"{address}/{name}" for name in ("report.html", "analysis.json", "bundle.zip?video=no")]
    out += [f"{address}/exports/csv", f"{address}/manifest.json", f"{api}/bundle.zip?video=no"]
    assert {client.get(each).status_code for each in shown + out} == {200}
    assert verify(capsys)[0] == 0
    picture = sorted((folder / "overlays").iterdir())[0]
    shutil.copytree(folder, aside := folder.with_name("aside"))

    def altered(addresses) -> None:
        forget()
        answers = {each: client.get(each) for each in addresses}
        assert {each: answer.status_code for each, answer in answers.items()} == dict.fromkeys(addresses, 500)
        assert all("shown or handed out" in answer.text for answer in answers.values())
        status, words = verify(capsys)
        assert status == 1 and row.id in words
        shutil.rmtree(folder)
        shutil.copytree(aside, folder)

    text = (folder / "analysis.json").read_text()
    figure = f'"probability":{json.loads(text)["probability"]}'
    assert figure in text.replace(": ", ":")
    (folder / "analysis.json").write_text(text.replace(": ", ":").replace(figure, '"probability":0.01'))
    altered([each for each in shown + out if "manifest" not in each])
    picture.write_bytes(picture.read_bytes() + b"\0")
    altered([f"{address}/overlays/{picture.name}", *out])
    (folder / "analysis.json").write_text(text.replace(": ", ":").replace(figure, '"probability":0.01'))
    made = manifest.read_manifest((folder / manifest.NAME).read_bytes())
    entries = manifest.file_entries(folder, [entry.path for entry in made.files])
    made = made.model_copy(update={"files": entries})
    (folder / manifest.NAME).write_bytes(manifest.manifest_files(made)[manifest.NAME])
    altered(shown + out)
    assert {client.get(each).status_code for each in shown + out} == {200}


def test_changed_rows_are_refused(app, client, folders, capsys):
    row, database = finished(app), app.extensions["database"]
    address = f"/analyses/{row.id}"
    said = client.post(f"{address}/annotations", json=SAID).json["annotations"][0]
    client.post(f"{address}/case", data={"case_number": "ST/1", "paper": "A4"})
    named = (row.id, said["id"])

    def change(alter, *addresses) -> None:
        """Altered, refused, named, and put back."""
        with database.begin() as session:
            back = alter(session)
        assert {each: client.get(each).status_code for each in addresses} == dict.fromkeys(addresses, 500)
        status, words = verify(capsys)
        assert status == 1 and row.id in words
        with database.begin() as session:
            back(session)
        assert {each: client.get(each).status_code for each in addresses} == dict.fromkeys(addresses, 200)

    def setting(table, key, **values):
        def alter(session):
            found = session.get_one(table, key)
            before = {name: getattr(found, name) for name in values}
            put(session, values)
            return lambda session: put(session, before)

        def put(session, those):
            for name, value in those.items():
                setattr(session.get_one(table, key), name, value)

        return alter

    def added(session):
        new = {"analysis_id": row.id, "id": "f" * 32, "kind": "exhibit", "author": "Bob", "verdict": "agree"}
        body = json.dumps(said | {"id": "f" * 32, "author": "Bob"})
        session.add(AnnotationRow(**new, made=row.created, body=body))
        return lambda session: session.delete(session.get_one(AnnotationRow, (row.id, "f" * 32)))

    def removed(session):
        gone = session.get_one(AnnotationRow, named)
        values = {column.name: getattr(gone, column.name) for column in AnnotationRow.__table__.columns}
        session.delete(gone)
        return lambda session: session.add(AnnotationRow(**values))

    handed_out = (f"{address}/report.html", f"{address}/bundle.zip?video=no")
    listed = (f"{address}/annotations.json", *handed_out)
    other = json.dumps(said | {"verdict": "disagree"})
    change(setting(AnnotationRow, named, body=other, verdict="disagree"), *listed)
    change(setting(AnnotationRow, named, author="Bob"), *listed)
    change(added, *listed)
    change(removed, *listed)
    change(setting(AnalysisRow, row.id, verdict="inconclusive"), address, *handed_out)
    change(setting(AnalysisRow, row.id, probability=0.01), address, *handed_out)
    change(setting(AnalysisRow, row.id, finding=None), address, *handed_out)
    case = json.dumps({"case_number": "ST/2", "paper": "A4"})
    change(setting(CaseDetailsRow, row.id, body=case), address, *handed_out)


@pytest.mark.parametrize("state", [State.CANCELLED, State.FAILED, State.QUEUED])
def test_what_was_finished_and_is_no_longer_is_named(app, folders, capsys, state):
    row = finished(app)
    compared = made_comparisons.compared(app, row, finished(app, file="other.mp4"))
    assert verify(capsys)[0] == 0
    for table, key, also in ((AnalysisRow, row.id, {"verdict": None}), (ComparisonRow, compared.id, {})):
        with app.extensions["database"].begin() as session:
            session.execute(update(table).where(table.id == key).values(state=state, **also))
        status, words = verify(capsys)
        assert status == 1 and key in words and f"the database that it is {state}." in words


RECORDED = {
    "annotations": ("refuse_altered_annotations", "annotations", {"json": SAID}, "annotations.json"),
    "case": ("refuse_altered_case", "case", {"data": {"case_number": "ST/1", "paper": "A4"}}, ""),
    "deletion": ("refuse_altered_annotations", "delete", {}, "annotations.json"),
}


@pytest.mark.parametrize("what", RECORDED)
def test_what_is_recorded_while_it_is_read_passes_for_no_forgery(app, client, folders, monkeypatch, what):
    row = finished(app)
    client.post(f"/analyses/{row.id}/annotations", json=SAID)
    compare, to, act, read = RECORDED[what]
    before = getattr(review_records, compare)

    def meanwhile(*read) -> None:
        """Rows have been read, entries have not."""
        monkeypatch.setattr(review_records, compare, before)
        assert app.test_client().post(f"/analyses/{row.id}/{to}", **act).status_code in (201, 303)
        before(*read)

    monkeypatch.setattr(review_records, compare, meanwhile)
    answer = client.get(f"/analyses/{row.id}/{read}".rstrip("/"))
    assert answer.status_code == 200
    assert what == "case" or answer.text.count('"Ada"') == {"annotations": 2, "deletion": 0}[what]


def test_what_was_changed_is_refused_though_the_log_never_stands_still(app, client, monkeypatch):
    row, database = finished(app), app.extensions["database"]
    assert client.post(f"/analyses/{row.id}/annotations", json=SAID).status_code == 201
    with database.begin() as session:
        session.execute(update(AnnotationRow).values(verdict="disagree"))
    before, reads = review_records.refuse_altered_annotations, []

    def meanwhile(*read) -> None:
        reads.append(read)
        assert len(reads) < 10, "it reads again and again"
        with database.begin() as session:
            custody_log.append(session, "configuration", {"what": "another"})
        before(*read)

    monkeypatch.setattr(review_records, "refuse_altered_annotations", meanwhile)
    assert client.get(f"/analyses/{row.id}/annotations.json").status_code == 500
    assert len(reads) == 2


@pytest.mark.parametrize("when", ["entries are read", "files are read"])
def test_what_is_recorded_beside_verify_log_passes_for_no_forgery(
    app, client, folders, capsys, monkeypatch, when
):
    row, gone = finished(app), finished(app, file="other.mp4")
    name = "problems" if when == "entries are read" else "file_problems"
    before = getattr(Audit, name)

    def meanwhile(audit, *read):
        assert client.post(f"/analyses/{row.id}/annotations", json=SAID).status_code == 201
        assert client.post(f"/analyses/{gone.id}/delete").status_code == 303
        hand_in(app, b"another", "another.mp4")
        return before(audit, *read)

    monkeypatch.setattr(Audit, name, meanwhile)
    assert verify(capsys)[0] == 0
    monkeypatch.setattr(Audit, name, before)
    assert verify(capsys)[0] == 0


def test_a_role_that_nobody_gave_does_not_sign_in(tmp_path, monkeypatch, capsys):
    app = people.with_login(tmp_path / "data", [])
    monkeypatch.setenv("REELPROOF_DATA", str(tmp_path / "data"))
    people.account(app, "ray", Role.READER)
    assert people.sign_in(app.test_client(), "ray").status_code == 303
    assert verify(capsys)[0] == 0
    with app.extensions["database"].begin() as session:
        session.query(User).one().role = Role.ADMINISTRATOR
    answer = people.sign_in(app.test_client(), "ray")
    assert answer.status_code == 500 and "role of ray" in answer.text
    status, words = verify(capsys)
    assert status == 1 and "role of ray" in words
    app.extensions["database"].close()


def test_a_kept_report_that_was_changed_is_set_anew(app, client, folders):
    row = finished(app)
    address = f"/analyses/{row.id}/report.html"
    right = client.get(address).data
    kept = next(folders.reports_of(row.id).iterdir()) / "report.html"
    kept.write_text("no manipulation found")
    assert client.get(address).data == right and kept.read_bytes() == right


def copied(session, row, **changes) -> None:
    """Put the row of a job into the database once more, past the app."""
    values = {each.key: getattr(row, each.key) for each in sqlalchemy.inspect(type(row)).column_attrs}
    session.execute(insert(type(row)).values(values | changes))


def addresses(analysis_id: str) -> list[str]:
    api, page = f"/api/v1/analyses/{analysis_id}", f"/analyses/{analysis_id}"
    own = [page, f"{page}.json", f"{page}/state.json", f"{page}/bundle.zip?video=no", f"{page}/report.html"]
    return [*own, api, f"{api}/analysis.json", f"{api}/segments"]


def test_an_analysis_that_nobody_queued_is_refused(app, client, folders, capsys):
    row, database = finished(app), app.extensions["database"]
    with database.begin() as session:
        copied(session, row, id="f" * 32, verdict="no manipulation found")
        said = {"kind": "exhibit", "author": "Bob", "verdict": "agree", "note": "", "id": "e" * 32}
        made = {"made": row.created, "body": json.dumps(said | {"made": "2026-11-20T15:00:00.000Z"})}
        about = {"analysis_id": "f" * 32, "id": "e" * 32, "kind": "exhibit", "author": "Bob"}
        session.add(AnnotationRow(**about, verdict="agree", **made))
    shutil.copytree(folders.result(row.id), folders.result("f" * 32))
    for each in (*addresses("f" * 32), f"/analyses/{'f' * 32}/annotations.json"):
        assert client.get(each).status_code == 500, each
    assert "does not know this analysis: it was added" in client.get(f"/analyses/{'f' * 32}").text
    status, words = verify(capsys)
    assert status == 1 and f"Analysis {'f' * 32}: The custody log does not know this analysis" in words
    assert {client.get(each).status_code for each in addresses(row.id)} == {200}


def test_what_was_deleted_and_put_back_is_refused(app, client, folders, capsys, tmp_path):
    row, other = finished(app), finished(app, file="other.mp4")
    compared = made_comparisons.compared(app, row, other)
    client.post(f"/analyses/{row.id}/annotations", json=SAID)
    database, exhibit = app.extensions["database"], row.exhibit
    shutil.copytree(folders.result(row.id), tmp_path / "result")
    shutil.copytree(folders.comparison(compared.id), tmp_path / "compared")
    assert client.get(f"/comparisons/{compared.id}").status_code == 200
    assert client.post(f"/analyses/{row.id}/delete").status_code == 303
    assert verify(capsys)[0] == 0
    with database.begin() as session:
        for each in (exhibit, row, compared):
            copied(session, each)
    shutil.copytree(tmp_path / "result", folders.result(row.id))
    shutil.copytree(tmp_path / "compared", folders.comparison(compared.id))
    for each in (*addresses(row.id), f"/comparisons/{compared.id}"):
        assert client.get(each).status_code == 500, each
    status, words = verify(capsys)
    back = "The custody log says that this %s was deleted, and the database has it again."
    assert status == 1 and f"Analysis {row.id}: {back % 'analysis'}" in words
    assert f"Comparison {compared.id}: {back % 'comparison'}" in words
    assert f"Exhibit {exhibit.sha256}: The custody log says that it was deleted" in words


def test_an_exhibit_that_nobody_handed_in_is_named(app, folders, capsys):
    row = finished(app)
    with app.extensions["database"].begin() as session:
        copied(session, row.exhibit, id=77, sha256="d" * 64)
    status, words = verify(capsys)
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


def test_analyses_from_before_the_log_are_served_and_counted(app, folders, capsys, tmp_path):
    rows = [finished(app, file=f"{n}.mp4") for n in range(1, 4)]
    app = begun_anew(app)
    client = app.test_client()
    assert verify(capsys)[0] == 0
    assert {client.get(each).status_code for each in addresses(rows[0].id)} == {200}
    database = app.extensions["database"]
    with database.begin() as session:  # of an exhibit that was there: nobody can tell which one was added
        copied(session, rows[0], id="f" * 32)
    shutil.copytree(folders.result(rows[0].id), folders.result("f" * 32))
    status, words = verify(capsys)
    assert status == 1 and "says nothing of 4 analyses, and 3 can be from before it" in words
    assert "f" * 32 in words
    assert client.post(f"/analyses/{'f' * 32}/delete").status_code == 303
    shutil.copytree(folders.result(rows[1].id), tmp_path / "result")
    # One of those from before is gone now, as far as the log knows.
    status, words = verify(capsys)
    assert status == 1 and "says nothing of 3 analyses, and 2 can be from before it" in words
    assert client.post(f"/analyses/{rows[1].id}/delete").status_code == 303
    assert client.get(addresses(rows[1].id)[0]).status_code == 410
    with database.begin() as session:
        copied(session, rows[1].exhibit)
        copied(session, rows[1])
    shutil.copytree(tmp_path / "result", folders.result(rows[1].id))
    assert {client.get(each).status_code for each in addresses(rows[1].id)} == {500}
    # One of an exhibit that was taken in since cannot be older than the log.
    new = finished(app, file="new.mp4")
    with database.begin() as session:
        copied(session, new, id="e" * 32)
    shutil.copytree(folders.result(new.id), folders.result("e" * 32))
    assert {client.get(each).status_code for each in addresses("e" * 32)} == {500}
    app.extensions["database"].close()


def test_all_that_is_done_to_analyses_leaves_the_log_fitting(app, client, folders, capsys):
    """However one comes about, and is queued again: none of it passes for a forgery."""
    row, database = finished(app), app.extensions["database"]
    again = client.post(f"/api/v1/analyses/{row.id}/again", json={}).json["id"]
    assert states.cancel(database, again) and client.post(f"/analyses/{again}/retry").status_code == 303
    assert claims.claim(database, again) is not None
    recovery.recover(database, count_attempt=True)
    assert states.pause(database, again) and states.resume(database, again)
    assert verify(capsys)[0] == 0
    assert states.cancel(database, again) and client.post(f"/analyses/{again}/delete").status_code == 303
    assert verify(capsys)[0] == 0


def test_an_id_that_comes_again_after_a_deletion_is_known(app, client, folders, capsys):
    """A request whose answer was cut off, sent again with its key after what it made was deleted."""
    row, database = finished(app), app.extensions["database"]
    with database.begin() as session:
        exhibit = session.get_one(Exhibit, row.exhibit_id)
        made = states.create(session, exhibit, "clip.mp4", identity="c" * 32)
    assert states.cancel(database, made.id)
    assert client.post(f"/analyses/{made.id}/delete").status_code == 303
    with database.begin() as session:
        states.create(session, session.get_one(Exhibit, row.exhibit_id), "clip.mp4", identity="c" * 32)
    assert verify(capsys)[0] == 0


def test_a_deletion_that_a_crash_interrupted_is_no_problem(app, client, folders, capsys, monkeypatch):
    row, other = finished(app), finished(app, file="other.mp4")
    database = app.extensions["database"]
    monkeypatch.setattr(deletion, "_delete_rows", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        deletion.delete(database, folders, row.id)  # the note is there, nothing else
    monkeypatch.undo()
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    monkeypatch.setattr(deletion, "_finish", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        deletion.delete(database, folders, other.id)  # rows are gone, files are not
    monkeypatch.undo()
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    assert verify(capsys)[0] == 0
    deletion.finish_deletions(database, folders)
    assert verify(capsys)[0] == 0
    assert {client.get(each).status_code for each in addresses(row.id)} == {200}
    assert client.get(f"/analyses/{other.id}").status_code == 410


def test_a_queued_analysis_that_was_made_finished_is_refused(app, client, folders, capsys):
    row, waiting = finished(app), hand_in(app, file="waiting.mp4")
    shutil.copytree(folders.result(row.id), folders.result(waiting.id))
    done = {name: getattr(row, name) for name in ("state", "finished", "verdict", "probability", "finding")}
    with app.extensions["database"].begin() as session:
        session.execute(update(AnalysisRow).where(AnalysisRow.id == waiting.id).values(**done))
    unsaid = "The custody log does not say that this analysis was finished."
    for each in addresses(waiting.id):
        answer = client.get(each)
        assert answer.status_code == 500 and unsaid in answer.text, each
    status, words = verify(capsys)
    assert status == 1 and f"Analysis {waiting.id}: {unsaid}" in words


def test_a_lost_analysis_is_named(app, folders, capsys):
    row = hand_in(app)
    assert verify(capsys)[0] == 0
    with app.extensions["database"].begin() as session:
        session.delete(session.get_one(AnalysisRow, row.id))
    assert verify(capsys)[0] == 1


def test_what_is_altered_is_said_in_the_readers_language(app, client, folders):
    row, database = finished(app), app.extensions["database"]
    client.post(f"/analyses/{row.id}/case", data={"case_number": "ST/1", "paper": "A4"})

    def said() -> str:
        forget()
        return client.get(f"/analyses/{row.id}/report.html", headers={"Accept-Language": "de"}).text

    with database.begin() as session:
        session.get_one(AnalysisRow, row.id).verdict = "no manipulation found"
    assert "Das Ergebnis in der Datenbank ist nicht das, das" in said()
    with database.begin() as session:
        session.get_one(AnalysisRow, row.id).verdict = row.verdict
        body = json.dumps({"case_number": "ST/2", "paper": "A4"})
        session.get_one(CaseDetailsRow, row.id).body = body
    assert "Aktenzeichen: In der Datenbank steht etwas anderes als" in said()
    (folders.result(row.id) / manifest.NAME).unlink()
    assert "Das Manifest dieser Analyse fehlt." in said()
