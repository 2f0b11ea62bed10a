"""Case details on the page of an analysis: stored, edited concurrently, rejected, inherited."""

from __future__ import annotations

import html
import io
import re

import pytest
from made_results import finished

from reports.inputs.case_fields import ASKED
from webapp.casework import details as case_details
from webapp.custody import custody_log
from webapp.storage.tables import CaseDetailsRow

pytestmark = pytest.mark.usefixtures("quick_reports")


def log(database):
    with database.begin() as session:
        return list(custody_log.iter_entries(session, None))


def test_stale_form_does_not_overwrite_newer_case_details(app, client, database):
    row = finished(app)
    page = client.get(f"/analyses/{row.id}").text
    shown = dict(re.findall(r'type="hidden" name="(shown_\w+)" value="([^"]*)"', page))
    assert set(shown) == {f"shown_{name}" for name in ASKED} and shown["shown_paper"] == "A4"
    assert set(ASKED) <= set(re.findall(r'<(?:input|select)[^>]* name="(\w+)"', page))

    def save(**said):
        fields = {name.removeprefix("shown_"): text for name, text in shown.items()} | said
        return client.post(f"/analyses/{row.id}/case", data=shown | fields)

    assert save(case_number="ST/1", examiner="Ann").status_code == 303
    assert save(exhibit_number="7").status_code == 303  # from a page that shows neither of the others
    details = log(database)[-1].details
    assert details == {"exhibit number": "7"}
    refused = save(examiner="Ben")
    assert refused.status_code == 409
    assert "Examiner: now “Ann”, yours “Ben”" in refused.text
    with database.begin() as session:
        kept = case_details.read_details(session, row.id)
    assert (kept.case_number, kept.examiner, kept.exhibit_number) == ("ST/1", "Ann", "7")


def form_of(page: str) -> dict[str, str]:
    """What a browser would send of the form with the case details."""
    form = re.search(r'<form method="post" action="[^"]+/case">.*?</form>', page, re.DOTALL)[0]
    fields = re.findall(r'<input type="(?:text|hidden)"[^>]* name="(\w+)" value="([^"]*)"', form)
    paper = re.search(r"<option selected>(\w+)<", form)[1]
    return {name: html.unescape(value) for name, value in fields} | {"paper": paper}


def test_form_keeps_entered_values_after_a_conflict(app, client, database):
    row = finished(app)
    address = f"/analyses/{row.id}/case"
    mine = form_of(client.get(f"/analyses/{row.id}").text)
    newer_form = mine | {"examiner": "Ann", "organisation": "Lab 3", "paper": "Letter"}
    assert client.post(address, data=newer_form).status_code == 303
    typed = {"examiner": "Ben <B>", "case_number": "ST/1", "exhibit_number": "7"}
    refused = client.post(address, data=mine | typed)
    assert refused.status_code == 409 and log(database)[-1].details["examiner"] == "Ann"
    assert "Another person saved: Ann<" in refused.text and refused.text.count("Another person saved") == 1
    again = form_of(refused.text)
    assert {name: again[name] for name in typed} == typed
    assert (again["organisation"], again["paper"]) == ("Lab 3", "Letter")  # left as they were here
    assert client.post(address, data=again).status_code == 303
    with database.begin() as session:
        kept = case_details.read_details(session, row.id)
    assert (kept.examiner, kept.case_number, kept.organisation) == ("Ben <B>", "ST/1", "Lab 3")
    assert (kept.exhibit_number, kept.paper) == ("7", "Letter")


def test_second_conflict_is_detected(app, client):
    row = finished(app)
    address = f"/analyses/{row.id}/case"
    mine = form_of(client.get(f"/analyses/{row.id}").text)
    client.post(address, data=mine | {"examiner": "Ann", "paper": "Letter"})
    removed = form_of(client.get(f"/analyses/{row.id}").text) | {"examiner": ""}
    again = form_of(client.post(address, data=mine | {"examiner": "Ben"}).text)
    client.post(address, data=removed)
    refused = client.post(address, data=again)
    assert refused.status_code == 409 and "Another person saved: not stated" in refused.text
    assert form_of(refused.text)["examiner"] == "Ben"


def test_conflict_is_reported_as_json(app, client):
    row = finished(app)
    form = {"shown_examiner": "", "examiner": "Ann"}
    client.post(f"/analyses/{row.id}/case", data=form)
    form["examiner"] = "Ben"
    answer = client.post(f"/analyses/{row.id}/case", data=form, headers={"Accept": "application/json"})
    assert answer.status_code == 409 and "now “Ann”, yours “Ben”" in answer.json["error"]


def test_case_details_are_stored_and_changes_recorded(app, client, database):
    row = finished(app)
    page = client.get(f"/analyses/{row.id}").text
    assert "Not stated" in page
    answer = client.post(
        f"/analyses/{row.id}/case", data={"case_number": " ST/1 ", "examiner": "Ann", "paper": "Letter"}
    )
    assert answer.status_code == 303
    assert "ST/1" in client.get(answer.location).text and "Saved." in client.get(answer.location).text
    last = log(database)[-1]
    assert last.action == "case details"
    assert last.details == {"case number": "ST/1", "examiner": "Ann", "paper": "Letter"}
    before = len(log(database))
    client.post(
        f"/analyses/{row.id}/case", data={"case_number": "ST/1", "examiner": "Ann", "paper": "Letter"}
    )
    assert len(log(database)) == before  # nothing changed
    client.post(f"/analyses/{row.id}/case", data={"case_number": "", "examiner": "Ann", "paper": "A4"})
    assert log(database)[-1].details == {"case number": "removed", "paper": "A4"}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("case_number", "x" * 201, "longer than 200"),
        ("examiner", "a\nb", "one line"),
        ("paper", "A3", "A4 or"),
    ],
)
def test_invalid_case_details_are_rejected(app, client, database, field, value, words):
    row = finished(app)
    answer = client.post(f"/analyses/{row.id}/case", data={field: value})
    assert answer.status_code == 400 and words in answer.text
    with database.begin() as session:
        assert session.get(CaseDetailsRow, row.id) is None


def test_case_details_of_an_upload_are_inherited(app, client, database):
    fields = {"case_number": "ST/9", "examiner": "Ann"}
    address = client.post("/analyses", data={"file": (io.BytesIO(b"bytes"), "clip.mp4"), **fields}).location
    analysis_id = address.rpartition("/")[2]
    again = client.post(f"/analyses/{analysis_id}/again", data={}).location.rpartition("/")[2]
    for row_id in (analysis_id, again):
        with database.begin() as session:
            assert case_details.read_details(session, row_id).case_number == "ST/9"
