"""Texts too long for what they are to be: cut before anything is done that takes long for them."""

from __future__ import annotations

import io
import unicodedata
from urllib.parse import quote

import pytest
from people import signed_in, with_accounts

from webapp.accounts.permissions import Role
from webapp.exhibits.uploads.exhibits import clean_file_name

LONG = "a" + "\u0315\u0300" * 2000


@pytest.fixture
def app(tmp_path, sent):
    with with_accounts(tmp_path / "data", sent, {"ada": Role.ADMINISTRATOR}) as app:
        yield app


@pytest.fixture
def longest(monkeypatch) -> list[int]:
    """The length of the longest text that was normalised."""
    longest = [0]
    normalize = unicodedata.normalize

    def recorded(form: str, text: str) -> str:
        longest[0] = max(longest[0], len(text))
        return normalize(form, text)  # type: ignore[arg-type]

    monkeypatch.setattr(unicodedata, "normalize", recorded)
    return longest


def test_somebody_without_an_account_has_no_long_text_normalised(app, longest):
    client = app.test_client()
    assert client.post("/login", data={"name": LONG, "password": "x"}).status_code == 401
    assert client.get(f"/analyses?q={quote(LONG)}").status_code == 303
    assert client.get(f"/login?next=//{quote(LONG)}").status_code == 200
    assert 0 < longest[0] <= 1000


def test_signed_in_users_have_no_long_text_normalised(app, longest):
    client = signed_in(app, "ada")
    assert client.get(f"/login?next=//{quote(LONG)}").location == "/"
    assert client.get(f"/analyses?q={quote(LONG)}").status_code == 200
    assert client.post("/cases", data={"name": LONG, "description": ""}).status_code == 400
    sent = client.post("/analyses", data={"file": (io.BytesIO(b"x"), f"{LONG}.mp4")})
    assert sent.status_code in (303, 415)
    member = {"name": "bob", "display": LONG, "role": "reader"}
    assert client.post("/users", data=member).status_code == 400
    assert 0 < longest[0] <= 1000


def test_long_names_of_combining_marks_keep_their_ending():
    name = clean_file_name(f"{LONG}.mp4")
    assert len(name) == 200 and name.endswith("….mp4")
    assert clean_file_name(f"x{'y' * 199}.{LONG}") == f"x{'y' * 198}…"
