"""Records altered outside the app, with recomputed hashes, are rejected and reported by verify-log."""

from __future__ import annotations

import json
import shutil

import people
import pytest
from altered_data import SAID, verify
from made_results import finished, hand_in
from sqlalchemy import update

from reports.bundle import manifest
from reports.file_names import MANIFEST
from webapp.accounts.permissions import Role
from webapp.custody import custody_log, people_records
from webapp.custody.audit import Audit
from webapp.exhibits import results
from webapp.review import desk_api
from webapp.storage.tables import AnalysisRow, AnnotationRow, CaseDetailsRow, User

pytestmark = pytest.mark.usefixtures("quick_reports")


def forget() -> None:
    """What is remembered is right, and may be shown; here it is read again."""
    desk_api._document_text.cache_clear()
    results.result_cache.clear()
    results.picture_sums.cache_clear()


def test_altered_result_is_neither_shown_nor_sent(app, client, folders, capsys):
    row = finished(app, segments=1, peaks=1)
    folder, address, api = folders.result(row.id), f"/analyses/{row.id}", f"/api/v1/analyses/{row.id}"
    shown = [address, f"{api}/desk", f"{api}/segments", f"{api}/analysis.json"]
    out = [f"{address}/{name}" for name in ("report.html", "analysis.json", "bundle.zip?video=no")]
    out += [f"{address}/exports/csv", f"{address}/manifest.json", f"{api}/bundle.zip?video=no"]
    assert {client.get(url).status_code for url in shown + out} == {200}
    assert verify(folders.data, capsys)[0] == 0
    picture = sorted((folder / "overlays").iterdir())[0]
    shutil.copytree(folder, aside := folder.with_name("aside"))

    def altered(addresses) -> None:
        forget()
        answers = {path: client.get(path) for path in addresses}
        assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(addresses, 500)
        assert all("shown nor delivered" in answer.text for answer in answers.values())
        status, words = verify(folders.data, capsys)
        assert status == 1 and row.id in words
        shutil.rmtree(folder)
        shutil.copytree(aside, folder)

    text = (folder / "analysis.json").read_text()
    figure = f'"probability":{json.loads(text)["probability"]}'
    assert figure in text.replace(": ", ":")
    (folder / "analysis.json").write_text(text.replace(": ", ":").replace(figure, '"probability":0.01'))
    altered([url for url in shown + out if "manifest" not in url])
    picture.write_bytes(picture.read_bytes() + b"\0")
    altered([f"{address}/overlays/{picture.name}", *out])
    (folder / "analysis.json").write_text(text.replace(": ", ":").replace(figure, '"probability":0.01'))
    made = manifest.read_manifest((folder / MANIFEST).read_bytes())
    entries = manifest.file_entries(folder, [entry.path for entry in made.files])
    made = made.model_copy(update={"files": entries})
    (folder / MANIFEST).write_bytes(manifest.manifest_files(made)[MANIFEST])
    altered(shown + out)
    assert {client.get(url).status_code for url in shown + out} == {200}


def test_altered_rows_are_rejected(app, client, folders, capsys):
    row, database = finished(app), app.extensions["database"]
    address = f"/analyses/{row.id}"
    annotation = client.post(f"/api/v1{address}/annotations", json=SAID).json["annotations"][0]
    client.post(f"{address}/case", data={"case_number": "ST/1", "paper": "A4"})
    named = (row.id, annotation["id"])

    def change(alter, *addresses) -> None:
        """Altered, refused, named, and put back."""
        with database.begin() as session:
            back = alter(session)
        assert {url: client.get(url).status_code for url in addresses} == dict.fromkeys(addresses, 500)
        status, words = verify(folders.data, capsys)
        assert status == 1 and row.id in words
        with database.begin() as session:
            back(session)
        assert {url: client.get(url).status_code for url in addresses} == dict.fromkeys(addresses, 200)

    def setting(table, key, **values):
        def alter(session):
            record = session.get_one(table, key)
            before = {name: getattr(record, name) for name in values}
            put(session, values)
            return lambda session: put(session, before)

        def put(session, those):
            for name, value in those.items():
                setattr(session.get_one(table, key), name, value)

        return alter

    def added(session):
        new = {"analysis_id": row.id, "id": "f" * 32, "kind": "exhibit", "author": "Bob", "verdict": "agree"}
        body = json.dumps(annotation | {"id": "f" * 32, "author": "Bob"})
        session.add(AnnotationRow(**new, made=row.created, body=body))
        return lambda session: session.delete(session.get_one(AnnotationRow, (row.id, "f" * 32)))

    def removed(session):
        gone = session.get_one(AnnotationRow, named)
        values = {column.name: getattr(gone, column.name) for column in AnnotationRow.__table__.columns}
        session.delete(gone)
        return lambda session: session.add(AnnotationRow(**values))

    handed_out = (f"{address}/report.html", f"{address}/bundle.zip?video=no")
    listed = (f"/api/v1{address}/annotations", *handed_out)
    other = json.dumps(annotation | {"verdict": "disagree"})
    change(setting(AnnotationRow, named, body=other, verdict="disagree"), *listed)
    change(setting(AnnotationRow, named, author="Bob"), *listed)
    change(added, *listed)
    change(removed, *listed)
    change(setting(AnalysisRow, row.id, verdict="inconclusive"), address, *handed_out)
    change(setting(AnalysisRow, row.id, probability=0.01), address, *handed_out)
    change(setting(AnalysisRow, row.id, summary=None), address, *handed_out)
    case = json.dumps({"case_number": "ST/2", "paper": "A4"})
    change(setting(CaseDetailsRow, row.id, body=case), address, *handed_out)


RECORDED = {
    "annotations": (
        "refuse_altered_annotations",
        "/api/v1{}/annotations",
        {"json": SAID},
        "/api/v1{}/annotations",
    ),
    "case": (
        "refuse_altered_case_details",
        "{}/case",
        {"data": {"case_number": "ST/1", "paper": "A4"}},
        "{}",
    ),
    "deletion": ("refuse_altered_annotations", "{}/delete", {}, "/api/v1{}/annotations"),
}


@pytest.mark.parametrize("what", RECORDED)
def test_act_recorded_during_a_read_is_not_a_forgery(app, client, folders, monkeypatch, what):
    row = finished(app)
    page = f"/analyses/{row.id}"
    client.post(f"/api/v1{page}/annotations", json=SAID)
    compare, to, act, read = RECORDED[what]
    before = getattr(people_records, compare)

    def meanwhile(*read) -> None:
        """Rows have been read, entries have not."""
        monkeypatch.setattr(people_records, compare, before)
        assert app.test_client().post(to.format(page), **act).status_code in (201, 303)
        before(*read)

    monkeypatch.setattr(people_records, compare, meanwhile)
    answer = client.get(read.format(page))
    assert answer.status_code == 200
    assert what == "case" or answer.text.count('"Ada"') == {"annotations": 2, "deletion": 0}[what]


def test_altered_record_is_rejected_while_the_log_grows(app, client, monkeypatch):
    row, database = finished(app), app.extensions["database"]
    assert client.post(f"/api/v1/analyses/{row.id}/annotations", json=SAID).status_code == 201
    with database.begin() as session:
        session.execute(update(AnnotationRow).values(verdict="disagree"))
    before, reads = people_records.refuse_altered_annotations, []

    def meanwhile(*read) -> None:
        reads.append(read)
        assert len(reads) < 10, "it reads again and again"
        with database.begin() as session:
            custody_log.append(session, "configuration", {"what": "another"})
        before(*read)

    monkeypatch.setattr(people_records, "refuse_altered_annotations", meanwhile)
    assert client.get(f"/api/v1/analyses/{row.id}/annotations").status_code == 500
    assert len(reads) == 2


@pytest.mark.parametrize("when", ["entries are read", "files are read"])
def test_act_recorded_during_verify_log_is_not_a_forgery(app, client, folders, capsys, monkeypatch, when):
    row, gone = finished(app), finished(app, file="other.mp4")
    name = "problems" if when == "entries are read" else "file_problems"
    before = getattr(Audit, name)

    def meanwhile(audit, *read):
        assert client.post(f"/api/v1/analyses/{row.id}/annotations", json=SAID).status_code == 201
        assert client.post(f"/analyses/{gone.id}/delete").status_code == 303
        hand_in(app, b"another", "another.mp4")
        return before(audit, *read)

    monkeypatch.setattr(Audit, name, meanwhile)
    assert verify(folders.data, capsys)[0] == 0
    monkeypatch.setattr(Audit, name, before)
    assert verify(folders.data, capsys)[0] == 0


def test_user_with_altered_role_cannot_sign_in(tmp_path, capsys):
    app = people.with_login(tmp_path / "data", [])
    people.account(app, "ray", Role.READER)
    assert people.sign_in(app.test_client(), "ray").status_code == 303
    assert verify(tmp_path / "data", capsys)[0] == 0
    with app.extensions["database"].begin() as session:
        session.query(User).one().role = Role.ADMINISTRATOR
    answer = people.sign_in(app.test_client(), "ray")
    assert answer.status_code == 500 and "role of ray" in answer.text
    status, words = verify(tmp_path / "data", capsys)
    assert status == 1 and "role of ray" in words
    app.extensions["database"].close()


def test_altered_report_is_rendered_again(app, client, folders):
    row = finished(app)
    address = f"/analyses/{row.id}/report.html"
    right = client.get(address).data
    kept = next(folders.reports_of(row.id).iterdir()) / "report.html"
    kept.write_text("no manipulation found")
    assert client.get(address).data == right and kept.read_bytes() == right


def test_alteration_is_reported_in_the_users_language(app, client, folders):
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
    (folders.result(row.id) / MANIFEST).unlink()
    assert "Das Manifest dieser Analyse fehlt." in said()
