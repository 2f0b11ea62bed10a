"""Requests of nobody who is signed in: the form and back, and nowhere else; refusals in the log."""

from __future__ import annotations

import pytest
from people import PASSWORD, log_of_accounts, signed_in


def test_pages_send_to_the_form_and_back(client):
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
def test_signing_in_leads_to_no_other_site(client, elsewhere):
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD, "next": elsewhere})
    assert answer.status_code == 303 and answer.location == "/"


def test_programs_get_401(client):
    answer = client.get("/analyses/x.json")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.get_json()["error"] == "You are not signed in."


def test_many_refusals_are_few_entries(app):
    client = signed_in(app, "ada")
    for number in range(30):
        assert client.get("/users").status_code == 403
        assert client.post("/logout", headers={"X-CSRF-Token": f"{number}"}).status_code == 403
    refused = [each for each in log_of_accounts(app) if each["what"] in ("access refused", "form refused")]
    assert sorted((each["what"], each.get("times")) for each in refused if "times" in each) == [
        ("access refused", "10 within an hour"),
        ("form refused", "10 within an hour"),
    ]
    assert len(refused) == 4, "the first and the tenth of each"
