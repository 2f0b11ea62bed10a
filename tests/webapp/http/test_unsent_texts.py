"""What somebody wrote into a form that is refused comes with the page that says so."""

from __future__ import annotations

import html
import re

import pytest
from made_cases import put
from made_results import finished

pytestmark = pytest.mark.usefixtures("quick_reports")


def given_back(page: str) -> list[str]:
    shown = re.findall(r"<textarea[^>]* readonly[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    return [html.unescape(text) for text in shown]


def test_unsent_texts_are_shown_when_a_case_was_closed_meanwhile(app, client):
    place = client.post("/cases", data={"name": "K 1", "description": "first"}).location
    row = finished(app)
    put(app, row.id, int(place.rpartition("/")[2]))
    assert client.post(f"{place}/close").status_code == 303
    forms = (
        (place, {"name": "K 2", "description": "line <b>\nline"}, ["line <b>\nline"]),
        (f"/analyses/{row.id}/case", {"examiner": "Ann", "case_number": " ", "paper": "A4"}, ["Ann"]),
    )
    for address, form, texts in forms:
        answer = client.post(address, data=form)
        assert answer.status_code == 409 and "The case is closed" in answer.text
        assert "Copy what you wrote first." in answer.text and given_back(answer.text) == texts
        program = client.post(address, data=form, headers={"Accept": "application/json"})
        assert program.status_code == 409
        assert program.json == {
            "error": "The case is closed, so nothing in it can be changed.",
            "remedy": "An administrator can open it again.",
        }


def test_an_unreadable_form_returns_no_texts(client):
    assert given_back(client.post("/cases/7", data={"description": "a text"}).text) == ["a text"]
    broken = client.post("/cases/7", data=b"description=a\x00b", content_type="text/plain")
    assert broken.status_code == 404 and given_back(broken.text) == []
    form = {"content_type": "application/x-www-form-urlencoded"}
    assert client.post("/cases/7", data=b"description=\xff%00", **form).status_code in (400, 404)
