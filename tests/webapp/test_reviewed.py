"""Reports with judgements: set when asked for, kept until more is said, never in place of the stored one."""

from __future__ import annotations

import io
import subprocess

import pytest
from made import finished
from pypdf import PdfReader

from webapp import deletion, reviewed
from webapp.folders import Folders

AGREE = {"kind": "segment", "segment": "A1", "verdict": "agree", "author": "Ann", "note": "seams at the jaw"}


@pytest.fixture
def folders(app) -> Folders:
    return Folders(app.extensions["settings"].data)


@pytest.fixture
def row(app):
    return finished(app, segments=1, peaks=1)


@pytest.fixture
def calls(monkeypatch) -> list[list[str]]:
    """The processes that were started."""
    found: list[list[str]] = []
    monkeypatch.setattr(reviewed.subprocess, "run", _keeping(subprocess.run, found))
    return found


def _keeping(run, found):
    def kept(command, **more):
        found.append(command)
        return run(command, **more)

    return kept


def test_judgements_are_in_the_report_that_is_handed_out(app, client, row, folders, calls):
    address = f"/analyses/{row.id}"
    stored = {path.name: path.read_bytes() for path in folders.result(row.id).glob("*.*")}
    assert client.get(f"{address}/report.pdf").data == stored["report.pdf"]
    assert client.get(f"{address}/report.html").data == stored["report.html"]
    assert calls == []  # nobody has said anything

    client.post(f"{address}/annotations", json=AGREE)
    page = client.get(f"{address}/report.html")
    assert page.status_code == 200 and "seams at the jaw" in page.text
    assert "sandbox" in page.headers["Content-Security-Policy"]
    pdf = client.get(f"{address}/report.pdf")
    assert pdf.headers["Content-Disposition"].startswith("attachment")
    text = " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.data)).pages).split())
    assert "seams at the jaw" in text and "Agrees with the machine" in text
    assert len(calls) == 1  # both at once
    assert {path.name: path.read_bytes() for path in folders.result(row.id).glob("*.*")} == stored

    client.post(f"{address}/annotations", json=AGREE | {"verdict": "disagree", "note": "not any more"})
    again = client.get(f"{address}/report.html").text
    assert "not any more" in again and "Replaced" in again and len(calls) == 2
    assert len(list(folders.reviewed(row.id).iterdir())) == 1  # the older one went


def test_a_report_that_cannot_be_set_is_said_in_words(app, client, row, folders, monkeypatch, capfd):
    client.post(f"/analyses/{row.id}/annotations", json=AGREE)
    with monkeypatch.context() as patched:
        patched.setattr(reviewed.sys, "executable", "/bin/false")
        answer = client.get(f"/analyses/{row.id}/report.pdf")
    assert answer.status_code == 500 and "could not be set" in answer.text
    with monkeypatch.context() as patched:
        patched.setattr(reviewed, "_TIME_LIMIT", 0.01)
        assert client.get(f"/analyses/{row.id}/report.pdf").status_code == 500
    assert list(folders.reviewed(row.id).iterdir()) == []


def test_one_at_a_time(app, client, row, folders, monkeypatch):
    client.post(f"/analyses/{row.id}/annotations", json=AGREE)
    monkeypatch.setattr(reviewed, "_PATIENCE", 0.05)
    with reviewed._SETTING:
        answer = client.get(f"/analyses/{row.id}/report.pdf")
    assert answer.status_code == 503 and "Try again" in answer.text


def test_they_go_with_the_analysis(app, client, row, folders):
    client.post(f"/analyses/{row.id}/annotations", json=AGREE)
    client.get(f"/analyses/{row.id}/report.html")
    assert folders.reviewed(row.id).is_dir()
    deletion.delete(app.extensions["database"], folders, row.id)
    assert not folders.reviewed(row.id).exists()
