"""Requests of nobody who is signed in: the form and back, and nowhere else; refusals in the log."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from people import PASSWORD, log_of_accounts, sign_in, signed_in

from webapp.http import error_responses


def test_pages_redirect_to_sign_in_and_back(client):
    answer = client.get("/analyses?q=x&sort=name")
    assert answer.status_code == 303
    assert answer.location == "/login?next=/analyses?q%3Dx%26sort%3Dname"
    page = client.get(answer.location)
    assert page.status_code == 200 and 'name="next" value="/analyses?q=x&amp;sort=name"' in page.text
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD, "next": "/analyses?q=x"})
    assert answer.status_code == 303 and answer.location == "/analyses?q=x"
    assert client.get("/analyses").status_code == 200


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "evil",
        "javascript:alert(1)",
        "/a\nb",
        "",
    ],
)
def test_signing_in_redirects_to_no_other_site(client, elsewhere):
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD, "next": elsewhere})
    assert answer.status_code == 303 and answer.location == "/"


def test_programs_get_401(client):
    answer = client.get("/analyses/x", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.get_json()["error"] == "You are not signed in."


WRITTEN = {
    "csrf_token": "ab" * 64,
    "name": "a short name",
    "description": "\nfirst <script>alert(1)</script>\r\nsecond & last",
    "password": "hunter2 hunter2",
    "code": "123456",
}


def test_unsaved_texts_are_shown_when_the_session_has_ended(app):
    client = signed_in(app, "ada")
    client.delete_cookie("reelproof")
    answer = client.post("/cases", data=WRITTEN, headers={"Referer": "http://localhost/cases?page=2"})
    assert answer.status_code == 401
    assert answer.headers["Cache-Control"] == "no-store"
    assert "nothing was saved" in answer.text
    shown = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", answer.text, re.DOTALL)
    assert [html.unescape(text) for text in shown] == [WRITTEN["description"]]
    assert "<script>alert" not in answer.text
    for secret in ("hunter2", "123456", WRITTEN["csrf_token"], "a short name"):
        assert secret not in answer.text
    assert 'href="/login?next=/cases"' in answer.text
    assert client.get("/analyses").status_code == 303, "nothing but the text"


def test_a_form_without_long_texts_gets_a_plain_message(client):
    answer = client.post("/cases", data={"name": "K"})
    assert answer.status_code == 401 and "nothing was saved" in answer.text
    assert "<textarea" not in answer.text and 'href="/login"' in answer.text
    assert client.post("/logout").status_code == 303
    program = client.post("/cases", data=WRITTEN, headers={"Accept": "application/json"})
    assert program.status_code == 401 and program.get_json().keys() == {"error", "remedy"}


def test_a_script_of_an_expired_page_gets_a_remedy(app):
    """Signed in elsewhere, its script brings the form token of a session that has ended."""
    client = signed_in(app, "ada")
    arguments = {"json": {}, "headers": {"Accept": "application/json"}}
    client.delete_cookie("reelproof")
    first = client.post("/cases", **arguments)
    assert first.status_code == 401 and "reload this page" in first.get_json()["remedy"]
    sign_in(client, "ada")
    second = client.post("/cases", **arguments)
    assert second.status_code == 403 and second.get_json() == {
        "error": "Someone signed in since this page was opened, so nothing was saved.",
        "remedy": "Reload the page, then try again.",
    }
    form = client.post("/cases", data={"name": "K"})
    assert form.status_code == 403 and "Go back to the page" not in form.text
    assert "Reload the page it came from, and send it again." in form.text


def test_unsaved_texts_of_another_session_are_shown(app):
    client = signed_in(app, "ada")
    client.environ_base.pop("HTTP_X_CSRF_TOKEN")
    answer = client.post("/cases", data=WRITTEN)
    assert answer.status_code == 403
    assert "second &amp; last" in answer.text and "hunter2" not in answer.text


def test_every_long_text_field_is_shown_again():
    templates = Path(__file__).parents[4] / "templates"
    names = set()
    for page in templates.rglob("*.html"):
        for tag in re.findall(r"<textarea([^>]*)>", page.read_text()):
            names |= set(re.findall(r'name="(\w+)"', tag))
    assert names and names <= set(error_responses.FIELDS)


def test_repeated_refusals_make_few_log_entries(app):
    client = signed_in(app, "ada")
    for number in range(30):
        assert client.get("/users").status_code == 403
        assert client.post("/logout", headers={"X-CSRF-Token": f"{number}"}).status_code == 403
    refused = [entry for entry in log_of_accounts(app) if entry["what"] in ("access refused", "form refused")]
    assert sorted((entry["what"], entry.get("times")) for entry in refused if "times" in entry) == [
        ("access refused", "10 within an hour"),
        ("form refused", "10 within an hour"),
    ]
    assert len(refused) == 4, "the first and the tenth of each"
