"""The language of pages: the account's, or else the best that the browser asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from people import account, signed_in, token, with_login

from language import translation
from webapp.accounts.permissions import Role


@pytest.mark.parametrize(
    ("asked", "code", "words", "model"),
    [
        ("", "en", "Library", "fourth generation"),
        ("xx, yy;q=0.5", "en", "Library", "fourth generation"),  # codes of no language
        ("de-AT, en;q=0.5", "de", "Bibliothek", "vierte Generation"),
        ("es;q=0.9, de;q=0.8, en;q=0.1", "es", "Biblioteca", "cuarta generación"),
        ("en, de;q=0.9", "en", "Library", "fourth generation"),
    ],
)
def test_the_browsers_language_is_used(
    client: FlaskClient, asked: str, code: str, words: str, model: str
) -> None:
    page = client.get("/", headers={"Accept-Language": asked}).text
    assert f'<html lang="{code}" dir="ltr">' in page
    assert f">{words}</a>" in page and f">Reelproof, {model} (" in page
    with translation.speaking(code):
        assert ('id="messages"' in page) == bool(translation.of_scripts())


def test_each_request_has_its_own_language(client: FlaskClient) -> None:
    client.get("/", headers={"Accept-Language": "de"})
    assert '<html lang="en"' in client.get("/").text


def test_programs_are_answered_in_english(client: FlaskClient) -> None:
    english = client.get("/api/v1/analyses/none").json
    assert client.get("/api/v1/analyses/none", headers={"Accept-Language": "de"}).json == english
    assert client.get("/api/v1/analyses/none", headers={"Reelproof-Language": "tlh"}).json == english


def test_scripts_ask_for_the_language_of_their_page(client: FlaskClient) -> None:
    answer = client.get("/api/v1/analyses/none", headers={"Reelproof-Language": "de"}).json
    assert answer is not None and answer["detail"] == "Unter dieser Adresse gibt es keine Analyse."


def test_the_accounts_language_comes_first(tmp_path: Path) -> None:
    app = with_login(tmp_path / "data", [])
    account(app, "olga", Role.EXAMINER)
    olga = signed_in(app, "olga")

    def choose(code: str) -> int:
        data = {"language": code, "csrf-token": token(olga)}
        return olga.post("/account/language", data=data).status_code

    asked = {"Accept-Language": "es"}
    assert "Biblioteca" in olga.get("/account", headers=asked).text
    assert choose("de") == 303
    assert "Bibliothek" in olga.get("/account", headers=asked).text
    assert choose("tlh") == 400
    assert choose("") == 303
    assert "Biblioteca" in olga.get("/account", headers=asked).text
    app.extensions["database"].close()
