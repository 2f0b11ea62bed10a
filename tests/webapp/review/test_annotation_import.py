"""Annotations imported from files and bundles over HTTP."""

from __future__ import annotations

import io
import json
import time
import zipfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from annotated_analyses import AGREE, finished_earlier, stored
from flask import Flask
from flask.testing import FlaskClient
from made_results import finished
from people import account, signed_in, with_login
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from detector.schema.analysis import Analysis
from reports.bundle import review_bundle
from reports.bundle.manifest import new_manifest
from reports.review.annotation_file import LARGEST_ANNOTATION_FILE, checksum, file_text, to_json
from reports.review.annotation_section import reviewer_view
from reports.review.annotations import ANNOTATION, References, current
from webapp.accounts.permissions import Role
from webapp.exhibits.results import load_result
from webapp.review import annotation_import
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, CaseRow, CustodyRow, now

LATER = datetime.now(UTC) + timedelta(seconds=1)


def said(number: int, **more: Any) -> dict[str, Any]:
    made = (LATER - timedelta(hours=2) + timedelta(seconds=number)).isoformat(timespec="milliseconds")
    return {**AGREE, "id": f"{number:032x}", "made": made.replace("+00:00", "Z"), **more}


def saved(app: Flask, row: AnalysisRow, *values: dict[str, Any], **about: str) -> bytes:
    """An annotation file on an analysis."""
    result = load_result(Folders.local(app.extensions["settings"].data).result(row.id))
    facts = {
        "analysis": row.id,
        "analysis_sha256": result.sha256,
        "exhibit_sha256": row.exhibit.sha256,
    } | about
    annotations = [ANNOTATION.validate_python(value) for value in values]
    return file_text(annotations, **facts, saved=now()).encode()


def import_text(client: FlaskClient, address: str, data: bytes, **headers: str) -> Any:
    # Encoded here: the client itself keeps a large form in a file that it leaves open.
    boundary, form = encode_multipart({"file": FileStorage(io.BytesIO(data), "x.json")})
    kind = f"multipart/form-data; boundary={boundary}"
    return client.post(f"{address}/import", data=form, content_type=kind, headers=headers)


def test_repeated_imports_change_nothing(app, client, row, address):
    here = client.post(address, json=AGREE).json["annotation"]
    data = saved(
        app, row, here, said(1, author="Ben"), saying(2, kind="withdrawal", about=f"{1:032x}", author="Ben")
    )
    answer = import_text(client, address, data)
    assert answer.status_code == 200 and (answer.json["new"], answer.json["known"]) == (2, 1)
    assert [annotation["id"] for annotation in answer.json["annotations"]] == [
        f"{1:032x}",
        f"{2:032x}",
        here["id"],
    ]
    assert answer.json["annotations"] == client.get(address).json["annotations"]
    again = import_text(client, address, data)
    assert (again.json["new"], again.json["known"], len(stored(app))) == (0, 3, 3)


def saying(number: int, **more: Any) -> dict[str, Any]:
    """:func:`said` without the fields of segment annotations."""
    values = {
        name: value for name, value in said(number).items() if name not in ("segment", "verdict", "note")
    }
    return values | more


def test_annotations_are_also_matched_by_author_and_moment(app, client, row, address):
    """Another machine may have given the annotation another id; a withdrawal still finds it."""
    import_text(client, address, saved(app, row, said(1)))
    same = said(1, id="f" * 32, note="worded anew")
    back = saying(2, kind="withdrawal", about="f" * 32)
    answer = import_text(client, address, saved(app, row, same, back))
    assert (answer.json["new"], answer.json["known"]) == (1, 1)
    assert [annotation["id"] for annotation in answer.json["annotations"]] == [f"{1:032x}", f"{2:032x}"]
    assert answer.json["annotations"][1]["about"] == f"{1:032x}"
    other = said(1, id="e" * 32, segment="B1")
    assert import_text(client, address, saved(app, row, other)).json["new"] == 1


def test_form_imports_get_a_page(client, app, row, address):
    address = f"/analyses/{row.id}/annotations"
    answer = import_text(client, address, saved(app, row, said(1)))
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/analyses/{row.id}?imported=1&known=0"
    empty = import_text(client, address, b"")
    assert empty.status_code == 400 and "No file came" in empty.text
    wrong = import_text(client, address, b"{}")
    assert wrong.status_code == 400 and "<h1>" in wrong.text and "not an annotation file" in wrong.text


def test_wrong_files_are_explained(client, row, address):
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("holiday.txt", "no bundle")
    for wrong in (b"{}", b"no annotations", zipped.getvalue(), b"x" * (LARGEST_ANNOTATION_FILE + 1)):
        remedy = import_text(client, address, wrong).json["remedy"]
        assert remedy.startswith("Nothing was imported. Choose a file that was saved with"), wrong[:9]
    page = f"/analyses/{row.id}"
    answer = import_text(client, f"{page}/annotations", b"{}", Referer=f"http://localhost{page}")
    assert f'href="{page}">Back</a>' in answer.text
    german = {"Reelproof-Language": "de"}
    answer = import_text(client, address, zipped.getvalue(), **german).json
    assert answer["detail"] == "Die ZIP-Datei enthält kein manifest.json eines Prüfpakets von Reelproof."


def test_independent_annotations_of_one_person_are_both_imported(app, client, row, address):
    """Here A and B were merged; offline, without that knowledge, B was renamed."""
    client.post(address, json={"kind": "merge", "person": "B", "into": "A", "author": "Ann"})
    offline = saved(app, row, saying(5, kind="rename", person="B", name="Eve"))
    assert import_text(client, address, offline).json["new"] == 1


def test_invalid_files_are_refused_with_a_reason(app, client, row, address):
    other = finished(app, segments=1, kept=False)
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    early = (datetime.now(UTC) - timedelta(hours=3, minutes=6)).isoformat()
    known = client.post(address, json=AGREE).json["annotation"]
    for data, words in (
        (saved(app, row, said(1), exhibit_sha256="0" * 64), "about another exhibit"),
        (saved(app, other, said(1)), "about another exhibit"),
        (saved(app, row, said(1), analysis=other.id), "another analysis of this exhibit"),
        (saved(app, row, said(1), analysis_sha256="0" * 64), "one of them was changed"),
        (saved(app, row, said(1)).replace(b"agree", b"unsure"), "changed after it was saved"),
        (saved(app, row, said(1), said(2, made=ahead)), "lies in the future"),
        (saved(app, row, said(1), said(2, made=early)), "before this analysis ended"),
        (saved(app, row, said(1), said(2, segment="Z9")), "There is no segment Z9"),
        (saved(app, row, saying(2, kind="withdrawal", about="f" * 32)), "does not exist"),
        (saved(app, row, known | {"verdict": "disagree"}), "differs from the one kept here"),
        (b"no annotations", "not an annotation file"),
        (b"", "not an annotation file"),
    ):
        answer = import_text(client, address, data)
        assert answer.status_code == 400 and words in answer.json["detail"], (words, answer.json)
        assert answer.json["remedy"]
    assert len(stored(app)) == 1  # all of a file or nothing
    assert client.post(f"{address}/import", data={}).status_code == 415
    two = {"file": [(io.BytesIO(b"1"), "1"), (io.BytesIO(b"2"), "2")]}
    assert client.post(f"{address}/import", data=two).status_code == 400
    assert list(Folders.local(app.extensions["settings"].data).incoming.iterdir()) == []


def test_refusals_are_translated(app, client, row, address):
    wanted = {"Reelproof-Language": "de"}
    answer = import_text(client, address, saved(app, row, said(1, segment="Z9")), **wanted)
    assert "Z9" in answer.json["detail"] and "There is" not in answer.json["detail"]
    assert answer.json["remedy"].startswith(
        "Nichts wurde importiert. Die Datei gehört nicht zu dieser Analyse"
    )


def test_small_clock_differences_are_tolerated(app, client, row, address):
    ahead = (datetime.now(UTC) + timedelta(minutes=2)).isoformat(timespec="milliseconds")
    assert import_text(client, address, saved(app, row, said(1, made=ahead))).json["new"] == 1
    # What is said next is still the newest.
    client.post(address, json=AGREE | {"verdict": "unsure"})
    assert client.get(address).json["annotations"][-1]["verdict"] == "unsure"


def test_large_files_are_imported_fast(app, client, row, address):
    names = [saying(n, kind="rename", person="AB"[n % 2], name=f"Name {n}") for n in range(40)]
    data = saved(app, row, *(said(n) for n in range(100, 4000)), *names)
    began = time.process_time()
    assert import_text(client, address, data).json["new"] == 3940
    assert time.process_time() - began < 10


def test_files_are_checked_before_locking_the_database(app, client, row, address, monkeypatch):
    alone: list[bool] = []
    checked: list[bool] = []
    kept_alone, reason = Database.alone, References.rejection_reason

    @contextmanager
    def noted(database):
        with kept_alone(database) as session:
            alone.append(True)
            yield session
        alone.pop()

    def counted(known, annotation):
        checked.append(bool(alone))
        return reason(known, annotation)

    monkeypatch.setattr(Database, "alone", noted)
    monkeypatch.setattr(References, "rejection_reason", counted)
    names = [saying(n, kind="rename", person="A", name=f"Eve {n}") for n in range(50)]
    assert import_text(client, address, saved(app, row, *names)).json["new"] == 50
    assert checked == [False] * 50


def test_oversized_annotation_files_are_refused(app, client, address, monkeypatch):
    monkeypatch.setattr(annotation_import, "LARGEST_ANNOTATION_FILE", 100)
    assert import_text(client, address, b"{" + b" " * 200 + b"}").status_code == 413


def test_oversized_annotation_files_in_bundles_are_refused(app, client, row, address, tmp_path, monkeypatch):
    path = bundled(app, row, tmp_path, said(1))
    monkeypatch.setattr(review_bundle, "LARGEST_ANNOTATION_FILE", 100)
    answer = import_text(client, address, path.read_bytes())
    assert answer.status_code == 400 and "annotations.json is too large" in answer.json["detail"]


def test_one_file_is_imported_at_a_time(app, client, row, address, monkeypatch):
    monkeypatch.setattr(annotation_import, "_PATIENCE", 0)
    data = saved(app, row, said(1))
    with annotation_import._IMPORTING:
        answer = import_text(client, address, data)
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "5"
    assert import_text(client, address, b"{}").status_code == 400
    assert import_text(client, address, data).json["new"] == 1


def bundled(app: Flask, row: AnalysisRow, place: Path, *values: dict[str, Any]) -> Path:
    path = place / "bundle.zip"
    text = (Folders.local(app.extensions["settings"].data).result(row.id) / "analysis.json").read_bytes()
    files: dict[str, bytes | Path] = {"annotations.json": saved(app, row, *values), "analysis.json": text}
    review_bundle.write_bundle(path, files, new_manifest(Analysis.from_json(text), "bundle"))
    return path


def test_bundles_can_be_imported(app, client, row, address, tmp_path):
    path = bundled(app, row, tmp_path, said(1))
    answer = import_text(client, address, path.read_bytes())
    assert (answer.json["new"], answer.json["known"]) == (1, 0)
    assert to_json(ANNOTATION.validate_python(said(1))) in answer.json["annotations"]


def test_modified_bundles_are_refused(app, client, row, address, tmp_path):
    path = bundled(app, row, tmp_path, said(1))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("overlays/extra.png", b"x")
    answer = import_text(client, address, path.read_bytes())
    assert answer.status_code == 400 and "overlays/extra.png is not in the manifest" in answer.json["detail"]
    half = import_text(client, address, path.read_bytes()[:-30])
    assert half.status_code == 400 and "damaged" in half.json["detail"]
    assert stored(app) == []


@pytest.fixture
def lab(tmp_path, sent):
    """Ada, who sees everything, and Ben, a reviewer who owns the analysis."""
    app = with_login(tmp_path / "lab", sent)
    account(app, "ada", Role.ADMINISTRATOR)
    ben = account(app, "ben", Role.REVIEWER)
    row = finished_earlier(app)
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, row.id).owner_id = ben.id
    yield app, row, f"/api/v1/analyses/{row.id}/annotations", signed_in(app, "ada"), signed_in(app, "ben")
    app.extensions["database"].close()


def test_imported_annotations_of_others_are_marked(lab):
    app, row, address, ada, ben = lab
    hers = [
        ada.post(address, json=entry).json["annotation"]
        for entry in (
            {"kind": "exhibit", "verdict": "agree"},
            {"kind": "rename", "person": "A", "name": "Eve"},
        )
    ]
    later = datetime.now(UTC).isoformat(timespec="milliseconds")
    forged = [
        saying(1, kind="withdrawal", about=hers[0]["id"], author="Ada", made=later),
        saying(2, kind="exhibit", verdict="disagree", author="Ada", made=later),
        saying(3, kind="rename", person="A", name="Adam", author="Ada", made=later),
        saying(4, kind="exhibit", verdict="agree", author="Ben", imported_by="Ada"),
        saying(5, kind="split", person="B", tracks=[2], author="Carl", imported_by="Ada"),
    ]
    data = saved(app, row, *hers, *forged)
    answer = import_text(ben, address, data)
    assert (answer.json["new"], answer.json["known"], answer.json["unverified"]) == (5, 2, 4)
    everything = [ANNOTATION.validate_python(entry) for entry in answer.json["annotations"]]
    marks = {entry.id: (entry.author, entry.imported_by) for entry in everything}
    assert [marks[f"{n:032x}"] for n in range(1, 6)] == [
        ("Ada", "Ben"),
        ("Ada", "Ben"),
        ("Ada", "Ben"),
        ("Ben", None),
        ("Carl", "Ben"),
    ]
    stands = {entry.id for entry in current(everything)}
    assert {entry["id"] for entry in hers} <= stands, "nothing an account said is withdrawn or superseded"
    result = load_result(Folders.local(app.extensions["settings"].data).result(row.id))
    view = reviewer_view(result.analysis, everything)
    assert [(entry.author, entry.mark) for entry in view.annotations] == [("Ben", "agree"), ("Ada", "agree")]
    assert [entry.verdict for entry in view.persons] == ["Named “Eve”"]
    assert {(entry.author, entry.imported_by) for entry in view.unverified} == {
        ("Ada", "Ben"),
        ("Carl", "Ben"),
    }
    assert len(view.unverified) == 4, "withdrawals without effect are shown too"
    with app.extensions["database"].begin() as session:
        entries = session.execute(
            select(CustodyRow.action, CustodyRow.actor, CustodyRow.details).order_by(CustodyRow.number)
        ).all()
    imports = [(who, json.loads(text)) for action, who, text in entries if action == "import"]
    assert [(who, details["unverified"]) for who, details in imports] == [("ben", 4)]
    logged = {json.loads(text)["sha256"] for action, who, text in entries if action == "annotation"}
    assert logged == {checksum([entry]) for entry in answer.json["annotations"]}


def test_authors_can_import_after_others_did(lab):
    app, row, address, ada, ben = lab
    data = saved(app, row, said(1, author="Ada"), saying(2, kind="exhibit", verdict="agree", author="Carl"))
    assert import_text(ben, address, data).json["unverified"] == 2
    answer = import_text(ada, address, data)
    assert (answer.json["new"], answer.json["known"], answer.json["unverified"]) == (1, 1, 0)
    assert {
        (annotation["author"], annotation.get("imported_by")) for annotation in answer.json["annotations"]
    } == {
        ("Ada", "Ben"),
        ("Ada", None),
        ("Carl", "Ben"),
    }
    assert (import_text(ada, address, data).json["new"], len(stored(app))) == (0, 3)
    # What is said in one's name, or what one brought in oneself, one may disown.
    foreign = f"{1:032x}"
    assert ada.post(address, json={"kind": "withdrawal", "about": foreign}).status_code == 201
    assert ben.post(address, json={"kind": "withdrawal", "about": f"{2:032x}"}).status_code == 201
    listed = [ANNOTATION.validate_python(annotation) for annotation in ada.get(address).json["annotations"]]
    assert [(annotation.author, annotation.imported_by) for annotation in current(listed)] == [("Ada", None)]


def test_imports_into_cases_of_others_are_refused(tmp_path, sent):
    app = with_login(tmp_path / "data", sent)
    row, eve = finished(app), account(app, "eve", Role.EXAMINER)
    with app.extensions["database"].begin() as session:
        case = CaseRow(name="K", created=now(), created_by="x")
        session.add(case)
        session.flush()
        kept = session.get_one(AnalysisRow, row.id)
        kept.owner_id, kept.case_id = eve.id, case.id
    refused = import_text(
        signed_in(app, "eve"), f"/api/v1/analyses/{row.id}/annotations", saved(app, row, said(1))
    )
    assert refused.status_code == 403 and "not a member of" in refused.text
    assert stored(app) == []
    app.extensions["database"].close()
