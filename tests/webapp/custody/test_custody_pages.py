"""The custody log's page and file, recorded downloads, repeated uploads."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sqlite3
import zipfile
from contextlib import closing
from typing import get_args

import pytest
from made_results import finished, hand_in

from detector.files import ROOT
from language import translation
from language.stored_words import CUSTODY_ACTIONS
from reports.custody.chain import check_export
from reports.custody.format import Action, read_export
from webapp.custody import custody_log
from webapp.storage.tables import AnalysisRow, Exhibit, State

pytestmark = pytest.mark.usefixtures("quick_reports")


def log(database, exhibit=None):
    with database.begin() as session:
        return list(custody_log.iter_entries(session, exhibit))


def upload(client, content=b"bytes", file="clip.mp4", **fields):
    return client.post("/analyses", data={"file": (io.BytesIO(content), file), **fields})


@pytest.mark.parametrize("code", [code for code in translation.LANGUAGES if code != translation.DEFAULT])
def test_every_action_is_translated(code):
    named, actions = set(CUSTODY_ACTIONS), set(get_args(Action))
    assert named == actions, "see CUSTODY_ACTIONS in language/stored_words.py"
    with translation.speaking(code):
        translations = {action: translation.translated(action) for action in get_args(Action)}
    assert not [action for action, words in translations.items() if words == action]


def test_every_action_is_documented():
    text = (ROOT / "docs" / "custody.md").read_text(encoding="utf-8")
    _, _, table = text.partition("| `action` | recorded when |\n|---|---|\n")
    rows = [line.strip("| ").split(" | ")[0] for line in table.partition("\n\n")[0].splitlines()]
    named = [action for row in rows for action in re.findall(r"`([a-z ]+)`", row)]
    assert sorted(named) == sorted(get_args(Action)), "the table of actions in docs/custody.md"


def test_page_shows_actions_in_its_language(app, client):
    row = finished(app)
    page = client.get(f"/analyses/{row.id}/custody", headers={"Accept-Language": "de"}).text
    assert "<strong>Annahme</strong>" in page and "<strong>Analyse abgeschlossen</strong>" in page
    assert "Analysis finished" not in page
    assert "<td>Benutzer vor Ort</td>" in page and "local user" not in page
    assert '<span class="muted">Priorität</span> <span>normal</span>' in page
    assert '<span class="muted">Ergebnis</span> <span>manipuliert</span>' in page
    assert re.search(r'<time datetime="(\d{4})-(\d\d)-(\d\d)T[^"]*">\3\.\2\.\1 <span>\d\d:\d\d:\d\d<', page)
    with translation.speaking("de"):
        names = {
            name for entry in log(app.extensions["database"], row.exhibit.sha256) for name in entry.details
        }
        assert [name for name in names if translation.translated(name) == name] == []


def test_page_shows_entries_and_the_intact_chain(app, client):
    row = finished(app)
    page = client.get(f"/analyses/{row.id}/custody").text
    for words in (
        "Intake",
        "Analysis queued",
        "View",
        "local user",
        "the chain is intact",
        row.exhibit.sha256,
    ):
        assert words in page, words
    assert f"/analyses/{row.id}/custody" in client.get(f"/analyses/{row.id}").text
    assert client.get(f"/analyses/{'0' * 32}/custody").status_code == 404


def test_page_reports_altered_entries(app, client):
    row = finished(app)
    with closing(sqlite3.connect(app.extensions["settings"].data / "reelproof.sqlite3")) as rows, rows:
        rows.execute("DROP TRIGGER custody_no_update")
        rows.execute("UPDATE custody SET actor = 'nobody' WHERE action = 'intake'")
    page = client.get(f"/analyses/{row.id}/custody").text
    assert "changed after they were written" in page and "was changed: its content" in page


def test_export_verifies_and_is_recorded(app, client, database):
    row = hand_in(app)
    answer = client.get(f"/analyses/{row.id}/custody.json")
    assert check_export(answer.data) == [] and "attachment" in answer.headers["Content-Disposition"]
    last = log(database)[-1]
    assert (last.action, last.actor, last.analysis) == ("export", "local user", row.id)
    assert last.details["sha256"] == hashlib.sha256(answer.data).hexdigest()
    assert last.details["log count"] == read_export(answer.data).count == last.number - 1


@pytest.mark.parametrize(
    "file", ["report.pdf", "report.html", "analysis.json", "manifest.json", "bundle.zip", "exports/csv"]
)
def test_downloads_are_recorded_with_checksum(app, client, database, file):
    row = finished(app)
    answer = client.get(f"/analyses/{row.id}/{file}")
    assert answer.status_code == 200
    last = log(database)[-1]
    assert (last.action, last.exhibit, last.analysis) == ("export", row.exhibit.sha256, row.id)
    assert last.details["sha256"] == hashlib.sha256(answer.data).hexdigest()
    assert last.details["bytes"] == len(answer.data)
    before = len(log(database))
    client.head(f"/analyses/{row.id}/{file}")
    assert len(log(database)) == before


@pytest.mark.parametrize("file", ["bundle.zip", "exports/csv", "custody.json"])
def test_generated_downloads_are_sent_whole_and_recorded(app, client, database, file):
    row = finished(app)
    for _ in range(2):
        answer = client.get(f"/analyses/{row.id}/{file}", headers={"Range": "bytes=2-"})
        assert answer.status_code == 200
        last = log(database)[-1]
        assert last.action == "export"
        assert last.details["sha256"] == hashlib.sha256(answer.data).hexdigest()


@pytest.mark.parametrize("file", ["report.pdf", "report.html", "analysis.json", "manifest.json"])
def test_partial_download_is_recorded_unless_continued(app, client, database, file):
    row = finished(app)
    address = f"/analyses/{row.id}/{file}"

    def recorded(**headers):
        """Status of the answer, and how many entries it makes."""
        before = len(log(database))
        answer = client.get(address, headers=headers)
        return answer.status_code, len(log(database)) - before

    assert recorded(Range="bytes=99999999-") == (416, 0)
    assert recorded(Range="bytes=1-") == (206, 1)  # all but one byte, and nothing before it
    assert log(database)[-1].action == "export"
    assert recorded(Range="bytes=2-") == recorded(Range="bytes=-3") == (206, 0)
    assert recorded(Range="bytes=0-1") == (206, 1)
    assert recorded(Range="bytes=2-", **{"If-Range": '"of another file"'}) == (200, 1)
    with closing(sqlite3.connect(app.extensions["settings"].data / "reelproof.sqlite3")) as rows, rows:
        rows.execute("DROP TRIGGER custody_no_update")
        rows.execute("UPDATE custody SET actor = 'Ann' WHERE action = 'export'")
    assert recorded(Range="bytes=2-") == (206, 1)


def test_not_modified_response_is_not_recorded(app, client, database):
    row = finished(app)
    address = f"/analyses/{row.id}/analysis.json"
    tag = client.get(address).headers["ETag"]
    before = len(log(database))
    answer = client.get(address, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data, len(log(database))) == (304, b"", before)


def test_embedded_files_of_pages_are_not_recorded(app, client, database):
    row = finished(app)
    client.get(f"/analyses/{row.id}")
    before = len(log(database))
    page = f"/analyses/{row.id}"
    api = [f"/api/v1{page}{path}" for path in ("", "/desk", "/desk/scores?start=0&end=9", "/annotations")]
    for path in (*api, f"{page}/overlays/A1-1.png", f"{page}/thumbnail"):
        assert client.get(path).status_code == 200, path
    assert len(log(database)) == before


def test_bundle_contains_log_and_case_details(app, client):
    row = finished(app)
    client.post(f"/analyses/{row.id}/case", data={"case_number": "ST/1"})
    with zipfile.ZipFile(io.BytesIO(client.get(f"/analyses/{row.id}/bundle.zip").data)) as archive:
        held, case = archive.read("custody.json"), json.loads(archive.read("case.json"))
        manifest = json.loads(archive.read("manifest.json"))
    assert check_export(held) == [] and case["case_number"] == "ST/1"
    assert manifest["custody"]["count"] == read_export(held).count
    assert manifest["case"]["case_number"] == "ST/1"


def test_annotations_are_recorded_under_their_author(app, client, database):
    row = finished(app)
    body = {"kind": "segment", "segment": "A1", "verdict": "agree", "author": "Ann"}
    made = client.post(f"/api/v1/analyses/{row.id}/annotations", json=body).json["annotation"]
    last = log(database)[-1]
    assert (last.action, last.actor, last.details["id"]) == ("annotation", "Ann", made["id"])
    assert last.details["verdict"] == "agree" and last.details["about"] == "A1"


def test_api_upload_records_no_view(app, client, database):
    upload(client)
    sent = {"file": (io.BytesIO(b"bytes"), "again.mp4")}
    answer = client.post("/api/v1/analyses", data=sent)
    assert answer.status_code == 202 and answer.json["earlier"]["count"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", answer.json["earlier"]["first"])
    assert [entry.action for entry in log(database)][-1] == "analysis queued"
    client.get(f"/analyses/{answer.json['id']}")
    assert [entry.action for entry in log(database)][-1] == "view"


def test_repeated_upload_is_announced(app, client, database):
    first = upload(client, file="first.mp4").location
    assert "known" not in first
    second = upload(client, file="second.mp4").location
    assert second.endswith("?known=1")
    page = client.get(second).text
    assert "uploaded before, on" in page and "1 earlier analysis" in page and f'href="{first}"' in page
    assert "uploaded before" not in client.get(first).text
    with database.begin() as session:
        session.get_one(AnalysisRow, first.partition("/analyses/")[2]).verdict = "manipulated"
    german = client.get(second, headers={"Accept-Language": "de"}).text
    assert "· manipuliert</li>" in german and "· manipulated</li>" not in german
    with database.begin() as session:
        assert session.query(Exhibit).count() == 1


@pytest.mark.parametrize("state", ["progress", "cancelled", "done"])
def test_every_page_shows_a_damaged_exhibit(app, client, database, state):
    row = finished(app) if state == "done" else hand_in(app)
    if state == "cancelled":
        client.post(f"/analyses/{row.id}/cancel")
    assert "no longer has the bytes" not in client.get(f"/analyses/{row.id}").text
    with database.begin() as session:
        exhibit = session.get_one(Exhibit, row.exhibit_id)
        exhibit.condition, exhibit.checked = "changed", row.created
    for path in (f"/analyses/{row.id}", f"/analyses/{row.id}/custody", "/analyses"):
        assert "The stored file no longer has the bytes that were uploaded." in client.get(path).text, path


def test_deleted_analysis_answers_410(app, client):
    row = finished(app)
    assert row.state == State.DONE
    client.post(f"/analyses/{row.id}/delete")
    page = f"/analyses/{row.id}"
    for path in (page, f"{page}/custody", f"{page}/report.pdf", f"/api/v1{page}"):
        answer = client.get(path)
        assert answer.status_code == 410, path
        message = answer.json["detail"] if path.startswith("/api") else answer.text
        assert f"was deleted on {row.created:%Y-%m-%d}" in message and row.exhibit.sha256 in message
    assert client.post(f"/analyses/{row.id}/delete").status_code == 410


def test_changes_of_models_are_recorded(app, client, database):
    client.post("/models/efficientnet-lstm/default")
    last = log(database)[-1]
    assert (last.action, last.details["what"]) == ("configuration", "default model")
    assert last.details["model"] == "efficientnet-lstm"
