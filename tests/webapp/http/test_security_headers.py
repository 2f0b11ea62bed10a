"""Hosts, origins and headers."""

from __future__ import annotations

import io

import pytest
from made_results import finished

from webapp import create_app


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost:8000", "LocalHost", "[::1]:8000", "[::1]"]
)
def test_loopback_names_are_allowed(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "10.0.0.1", "[::2]", "a b", ""],
)
def test_other_names_are_refused_on_every_route(client, host):
    for path in ("/", "/analyses", "/healthz", "/api/v1/analyses/x", "/static/css/base.css"):
        assert client.get(path, headers={"Host": host}).status_code == 400


def test_further_names_can_be_allowed(tmp_path):
    app = create_app({"REELPROOF_DATA": tmp_path, "REELPROOF_ALLOWED_HOSTS": "lab.example, Other.example"})
    client = app.test_client()
    assert client.get("/", headers={"Host": "other.example:8000"}).status_code == 200
    assert client.get("/", headers={"Host": "third.example"}).status_code == 400
    app.extensions["database"].close()


def post(client, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/analyses", data={"file": (io.BytesIO(b"x"), "x.mp4")}, headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},  # curl
        {"Sec_Fetch_Site": "same-origin", "Origin": "http://localhost"},
        {"Sec_Fetch_Site": "none"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "null"},  # a form under a strict referrer policy
        {"Origin": "http://localhost"},
    ],
)
def test_own_pages_and_shells_may_upload(client, headers):
    assert post(client, **headers).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},  # another port of this machine
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "https://localhost"},
        {"Origin": "null"},
    ],
)
def test_other_sites_may_not_upload(client, sent, headers):
    answer = post(client, **headers)
    assert answer.status_code == 403
    assert "another web site" in answer.text
    assert sent == []


def test_every_kind_of_response_has_the_headers(app, client):
    row = finished(app)
    for path in (
        "/",
        "/analyses",
        f"/analyses/{row.id}",
        f"/api/v1/analyses/{row.id}",
        "/models",
        "/none",
        "/static/js/analyses/upload.js",
    ):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Frame-Options"] == "DENY"
        assert "Set-Cookie" not in headers


def test_nothing_of_an_exhibit_is_cached(app, client, quick_reports):
    row = finished(app)
    page = f"/analyses/{row.id}"
    for path in ("/", "/none", page, f"/api/v1{page}", f"{page}/report.html", f"{page}/report.pdf"):
        assert client.get(path).headers["Cache-Control"] == "no-store", path
    for path in (f"{page}/overlays/A1-1.png", f"{page}/thumbnail", f"{page}/analysis.json"):
        assert client.get(path).headers["Cache-Control"] == "no-store", path
    assert client.get("/static/js/analyses/upload.js").headers["Cache-Control"] != "no-store"


def test_the_html_report_is_shown_with_its_style_and_without_scripts(app, client, quick_reports):
    answer = client.get(f"/analyses/{finished(app).id}/report.html")
    policy = answer.headers["Content-Security-Policy"]
    assert "style-src 'unsafe-inline'" in policy and "sandbox" in policy
    assert "script" not in policy and "default-src 'none'" in policy


def test_pages_hold_no_inline_script_or_style(app, client):
    row = finished(app)
    for path in ("/", "/analyses", "/models", "/help", f"/analyses/{row.id}", "/none"):
        text = client.get(path).text
        assert "<style" not in text and " style=" not in text
        assert "javascript:" not in text and " on" + "click" not in text
        for script in text.split("<script")[1:]:
            assert script.startswith(' type="module" src="/static/') and script.split(">", 1)[1].startswith(
                "</script>"
            )
