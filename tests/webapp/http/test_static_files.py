"""What is compressed and what is not, how long static files are kept, and tokens that never look the same."""

from __future__ import annotations

import gzip
import json
import re

import brotli
import pytest
from flask import Flask
from flask.testing import FlaskClient
from made_results import finished
from people import account, signed_in, token, with_login

from webapp.accounts.permissions import Role

ANY = {"Accept-Encoding": "gzip, deflate, br, zstd"}


def plain(answer) -> bytes:
    encoding = answer.headers.get("Content-Encoding")
    return {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[encoding](answer.data)


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_text_is_compressed_as_accepted(app: Flask, client: FlaskClient, encoding: str) -> None:
    page = f"/analyses/{finished(app).id}"
    for path in (
        page,
        f"/api/v1{page}/desk",
        f"/api/v1{page}",
        "/static/css/base.css",
        "/static/js/live/live.js",
    ):
        whole, small = client.get(path), client.get(path, headers={"Accept-Encoding": encoding})
        assert "Content-Encoding" not in whole.headers
        assert plain(small) == whole.data, path
        if len(whole.data) > 500:
            assert small.headers["Content-Encoding"] == encoding
            assert int(small.headers["Content-Length"]) == len(small.data) < len(whole.data) / 1.5
            assert "Accept-Encoding" in small.headers["Vary"]


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip;q=0, br;q=0", None),
        ("gzip;q=0", None),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0, *", "gzip"),
        ("*", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("identity, gzip;q=0.5", None),
    ],
)
def test_a_refused_coding_is_not_used(client: FlaskClient, accepted: str, encoding: str | None) -> None:
    answer = client.get("/static/css/base.css", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == encoding
    assert answer.data and "Accept-Encoding" in answer.headers["Vary"]


def test_compressed_formats_are_not_compressed_again(
    app: Flask, client: FlaskClient, quick_reports: None
) -> None:
    page = f"/analyses/{finished(app).id}"
    for path in ("overlays/A1-1.png", "thumbnail", "report.pdf"):
        assert "Content-Encoding" not in client.get(f"{page}/{path}", headers=ANY).headers


def test_a_page_with_a_query_is_not_compressed(app: Flask, client: FlaskClient) -> None:
    """Its length would tell how far they agree with what else is on it."""
    finished(app)
    assert client.get("/analyses", headers=ANY).headers["Content-Encoding"] == "br"
    assert "Content-Encoding" not in client.get("/analyses?q=interview", headers=ANY).headers


def test_static_files_have_permanent_addresses(client: FlaskClient) -> None:
    page = client.get("/help").text
    address = re.search(r'href="(/static/[0-9a-f]{16}/css/base\.css)"', page)
    assert address
    answer = client.get(address[1], headers=ANY)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert plain(answer) == client.get("/static/css/base.css").data
    # What a module imports by a relative path is below the same hash.
    script = re.search(r"/static/[0-9a-f]{16}/", page)
    assert script and client.get(f"{script[0]}js/review/main.js").status_code == 200


def test_other_addresses_of_static_files_are_revalidated(client: FlaskClient) -> None:
    for path in ("/static/css/base.css", f"/static/{'0' * 16}/css/base.css"):
        answer = client.get(path, headers=ANY)
        assert answer.headers["Cache-Control"] == "no-cache"
        again = client.get(path, headers=ANY | {"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
    assert client.get(f"/static/{'0' * 16}/no.css").status_code == 404
    assert client.get(f"/static/{'0' * 16}/../../pyproject.toml").status_code == 404


def test_a_change_of_any_static_file_changes_all_addresses(tmp_path) -> None:
    from webapp.http.responses import _version

    versions = set()
    for number, (name, text) in enumerate((("a.js", "1"), ("a.js", "2"), ("b.js", "1"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_text(text)
        versions.add(_version(folder))
    assert len(versions) == 3


def test_form_tokens_differ_and_all_are_valid(tmp_path) -> None:
    app = with_login(tmp_path, [])
    try:
        account(app, "ada", Role.EXAMINER)
        client = signed_in(app, "ada")
        del client.environ_base["HTTP_X_CSRF_TOKEN"]
        texts = [token(client) for _ in range(3)]
        assert len(set(texts)) == 3
        # Nothing but masked: the two halves together are the same.
        assert len({int(text[:64], 16) ^ int(text[64:], 16) for text in texts}) == 1
        for text in texts:
            page = client.get("/analyses", headers=ANY)
            assert page.headers["Content-Encoding"] == "br" and text.encode() not in plain(page)
        for bad in ("", "0" * 128, texts[0][:64], texts[0][:-1], "z" * 128, texts[0][64:] + texts[1][:64]):
            assert client.post("/logout", data={"csrf_token": bad}).status_code == 403
        assert client.post("/logout", data={"csrf_token": texts[1]}).status_code == 303
    finally:
        app.extensions["database"].close()


def test_json_of_a_page_holds_no_token(app: Flask, client: FlaskClient) -> None:
    assert "token" not in json.dumps(client.get(f"/api/v1/analyses/{finished(app).id}/desk").json)
