"""What goes wrong is told in the reader's language; the API and stored words stay English."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from people import account, signed_in, with_login

from detector.errors import MediaError
from detector.media import acceptance
from detector.sandbox.kernel import Limits
from detector.sandbox.monitor import too_long, too_much_processor
from language import translation
from webapp.accounts.permissions import Role
from webapp.http.security import CSRF_HEADER

GERMAN = {"Accept-Language": "de"}


def hand_in(client: FlaskClient, content: bytes, address: str = "/analyses") -> str:
    file = {"file": (io.BytesIO(content), "clip.mp4")}
    return client.post(address, data=file, headers=GERMAN).text


def test_a_refused_upload_is_explained_in_the_readers_language(client: FlaskClient) -> None:
    page = hand_in(client, b"%PDF-1.7\n" + bytes(400))
    assert "Die Datei ist ein PDF-Dokument. Entnehmen Sie ihm die Bilder" in page
    assert "Die Datei ist leer" in hand_in(client, b"")


def test_a_wrong_password_is_explained_in_the_readers_language(tmp_path: Path) -> None:
    app = with_login(tmp_path / "data", [])
    account(app, "olga", Role.EXAMINER)
    form = {"name": "olga", "password": "no such password"}
    page = app.test_client().post("/login", data=form, headers=GERMAN).text
    assert "Name und Passwort passen nicht zusammen" in page
    app.extensions["database"].close()


def test_early_refusals_are_explained_in_the_readers_language(tmp_path: Path) -> None:
    app = with_login(tmp_path / "data", [])
    account(app, "olga", Role.EXAMINER)
    page = app.test_client().get("/analyses", headers=GERMAN | {"Accept": "application/json"})
    assert page.status_code == 401 and page.json["error"] == "Sie sind nicht angemeldet."  # type: ignore[index]
    olga = signed_in(app, "olga")
    form = olga.post("/cases", data={"name": "A"}, headers=GERMAN | {CSRF_HEADER: "another one"})
    assert (
        form.status_code == 403
        and "Dieses Formular stammt nicht von einer Seite dieser Sitzung;" in form.text
    )
    app.extensions["database"].close()


def test_programs_read_english(client: FlaskClient) -> None:
    assert "The file is a PDF document" in hand_in(client, b"%PDF-1.7\n" + bytes(400), "/api/v1/analyses")


@pytest.mark.real_kinds
@pytest.mark.parametrize("code", [code for code in translation.LANGUAGES if code != translation.DEFAULT])
def test_every_refused_kind_of_file_has_a_name(code: str) -> None:
    heads = [start + bytes(64) for start, _, _ in (*acceptance._OTHERS, *acceptance._TEXTS)]
    for head in heads:
        with pytest.raises(MediaError) as refused:
            acceptance.refuse_other_types(head)
        english = str(refused.value)
        with translation.speaking(code):
            text = translation.translated(english)
        assert "The file" not in text and "Accepted" not in text, text
        assert len(text.split(". ")) == len(english.split(". ")), text


def test_limits_are_translated_with_their_numbers() -> None:
    messages = (str(too_much_processor(Limits(cpu=1))), str(too_long(Limits(wall=1))))
    assert all("one second allowed" in message for message in messages)
    with translation.speaking("de"):
        assert all("erlaubte eine Sekunde" in translation.translated(message) for message in messages)
        assert translation.translated(str(too_much_processor(Limits(cpu=1200)))).startswith(
            "Die Analyse brauchte mehr Rechenzeit als die erlaubten 1.200 Sekunden."
        )
