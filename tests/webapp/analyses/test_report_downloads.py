"""Reports: rendered on demand, kept until an input changes."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import threading
from contextlib import ExitStack

import pikepdf
import pytest
from made_results import finished
from people import account, signed_in, with_login
from pypdf import PdfReader
from waiting import until

from reports.custody.chain import check_export
from reports.custody.format import read_export
from webapp.accounts.permissions import Role
from webapp.custody import custody_log
from webapp.downloads import reports as report_downloads
from webapp.errors import UserError
from webapp.exhibits import deletion
from webapp.http import in_turn

AGREE = {"kind": "segment", "segment": "A1", "verdict": "agree", "author": "Ann", "note": "seams at the jaw"}


@pytest.fixture
def row(app):
    return finished(app, segments=1, peaks=1)


@pytest.fixture
def calls(monkeypatch) -> list[list[str]]:
    """The started processes."""
    commands: list[list[str]] = []
    monkeypatch.setattr(report_downloads.subprocess, "run", _keeping(subprocess.run, commands))
    return commands


def _keeping(run, found):
    def kept(command, **more):
        found.append(command)
        return run(command, **more)

    return kept


def check_log(app, row, report: bytes) -> None:
    """The report contains the custody log until then; the download itself is logged afterwards."""
    with pikepdf.open(io.BytesIO(report)) as pdf:
        log = pdf.attachments["custody.json"].get_file().read_bytes()
    assert check_export(log) == []
    held = read_export(log)
    assert held.exhibit == row.exhibit.sha256
    assert {"intake", "analysis queued"} <= {entry.action for entry in held.entries}
    with app.extensions["database"].begin() as session:
        *_, last = custody_log.iter_entries(session, row.exhibit.sha256)
    assert (last.action, last.details["file"]) == ("export", "report.pdf")
    assert (last.details["log count"], last.details["log head"]) == (held.count, held.head)


def test_reports_contain_current_annotations(app, client, row, folders, calls):
    address = f"/analyses/{row.id}"
    stored = {path.name: path.read_bytes() for path in folders.result(row.id).glob("*.*")}
    client.post(f"/api/v1{address}/annotations", json=AGREE)
    page = client.get(f"{address}/report.html")
    assert page.status_code == 200 and "seams at the jaw" in page.text
    assert "sandbox" in page.headers["Content-Security-Policy"]
    pdf = client.get(f"{address}/report.pdf")
    assert pdf.headers["Content-Disposition"].startswith("attachment")
    text = " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.data)).pages).split())
    assert "seams at the jaw" in text and "Agrees with the machine" in text
    check_log(app, row, pdf.data)
    assert len(calls) == 1  # both at once
    assert {path.name: path.read_bytes() for path in folders.result(row.id).glob("*.*")} == stored

    assert "Unchanged: the stored file is identical to the" in page.text
    client.post(f"{address}/case", data={"case_number": "ST/2026/0815", "paper": "Letter"})
    client.post(f"/api/v1{address}/annotations", json=AGREE | {"verdict": "disagree", "note": "not any more"})
    again = client.get(f"{address}/report.html").text
    assert "not any more" in again and "Replaced" in again and len(calls) == 2
    assert "ST/2026/0815" in again


def test_reports_state_that_the_exhibit_is_damaged(app, client, row, folders):
    place = folders.data / row.exhibit.path
    place.chmod(0o640)
    place.write_bytes(b"something else")
    page = client.get(f"/analyses/{row.id}/report.html").text
    assert "CHANGED: the stored file differs from the submitted file" in page
    assert hashlib.sha256(b"something else").hexdigest() in "".join(page.split())
    assert "no longer has the bytes" in client.get(f"/analyses/{row.id}").text


def test_unrelated_acts_do_not_render_again(app, client, row, folders, quick_reports):
    address = f"/analyses/{row.id}"
    client.get(f"{address}/report.html")
    (first,) = folders.reports_of(row.id).iterdir()
    for path in ("", "/report.pdf", "/custody.json", "/analysis.json"):
        client.get(address + path)
    assert list(folders.reports_of(row.id).iterdir()) == [first]
    client.post(f"{address}/case", data={"examiner": "Ann"})
    client.get(f"{address}/report.html")
    assert list(folders.reports_of(row.id).iterdir()) != [first]


def test_old_reports_are_removed(client, row, folders, quick_reports):
    address = f"/analyses/{row.id}"
    kept = folders.reports_of(row.id)
    client.get(f"{address}/report.html")
    (first,) = kept.iterdir()
    client.post(f"{address}/case", data={"examiner": "Ann"})
    client.get(f"{address}/report.html")
    (second,) = set(kept.iterdir()) - {first}  # the first may still be on its way into a bundle
    for place in (first, second):
        os.utime(place, (0, 0))
    client.get(f"{address}/report.pdf")  # asked for again
    client.post(f"{address}/case", data={"examiner": "Ben"})
    (kept / ".killed").mkdir()
    client.get(f"{address}/report.html")
    (third,) = set(kept.iterdir()) - {second}
    assert third not in {first, kept / ".killed"}


def test_rendering_failures_are_explained(app, client, row, folders, monkeypatch, capfd):
    client.post(f"/api/v1/analyses/{row.id}/annotations", json=AGREE)
    with monkeypatch.context() as patched:
        patched.setattr(report_downloads.sys, "executable", "/bin/false")
        answer = client.get(f"/analyses/{row.id}/report.pdf")
    assert answer.status_code == 500 and "could not be rendered" in answer.text
    with monkeypatch.context() as patched:
        patched.setattr(report_downloads, "_TIME_LIMIT", 0.01)
        answer = client.get(f"/analyses/{row.id}/report.pdf")
    assert answer.status_code == 503 and "too busy to render the report" in answer.text
    assert list(folders.reports_of(row.id).iterdir()) == []


def test_slow_rendering_goes_on_behind_a_page_that_waits(
    client, row, folders, quick_reports, monkeypatch, caplog
):
    render, ready = report_downloads._render, threading.Event()

    def render_slowly(*given):
        assert ready.wait(60)
        render(*given)

    monkeypatch.setattr(report_downloads, "_render", render_slowly)
    monkeypatch.setattr(in_turn, "ANSWER_WITHIN", 0.05)
    monkeypatch.setattr(in_turn, "PATIENCE", 0.05)
    for _ in range(2):  # the second finds the first one's rendering
        answer = client.get(f"/analyses/{row.id}/report.html")
        assert answer.status_code == 503 and answer.headers["Retry-After"] == "5"
        assert '<meta http-equiv="refresh" content="5">' in answer.text
        assert "This page waits and tries again after 5 s." in answer.text
        assert "begins by itself" in answer.text and "Try again in a minute" not in answer.text
    assert "is not ready after 0 s and is made on: load average" in caplog.text
    asked = client.get(f"/api/v1/analyses/{row.id}/report.html")
    assert asked.status_code == 503 and asked.headers["Retry-After"] == "5"
    ready.set()
    until(lambda: client.get(f"/api/v1/analyses/{row.id}").json["report"] == "available", "not rendered")
    answer = client.get(f"/analyses/{row.id}/report.html")
    assert answer.status_code == 200 and "report" in answer.text
    assert len(list(folders.reports_of(row.id).iterdir())) == 1


def test_reports_are_rendered_one_at_a_time(app, client, row, folders, monkeypatch):
    client.post(f"/api/v1/analyses/{row.id}/annotations", json=AGREE)
    monkeypatch.setattr(in_turn, "PATIENCE", 0.05)
    with in_turn.WORKING:
        answer = client.get(f"/analyses/{row.id}/report.pdf")
    assert answer.status_code == 503 and "This page waits" in answer.text


@pytest.fixture
def lab(tmp_path, sent):
    """An app with login, an analysis, and the accounts Ada and Ben."""
    app = with_login(tmp_path / "lab", sent)
    ada, ben = (account(app, name, Role.ADMINISTRATOR) for name in ("ada", "ben"))
    yield app, finished(app, segments=1, peaks=1), ada, ben
    app.extensions["database"].close()


def test_two_requests_of_one_account_wait_for_reports(lab, quick_reports):
    app, row, ada, _ben = lab
    hers, his = signed_in(app, "ada"), signed_in(app, "ben")
    with ExitStack() as waiting:
        for _ in range(2):
            waiting.enter_context(in_turn.LINE.slot(ada.id))
        for name in ("report.pdf", "report.html", "bundle.zip"):
            answer = hers.get(f"/analyses/{row.id}/{name}")
            assert answer.status_code == 503 and answer.headers["Retry-After"] == "5", name
        assert his.get(f"/analyses/{row.id}/report.pdf").status_code == 200
        assert hers.get(f"/analyses/{row.id}/report.pdf").status_code == 200  # that one is kept by now
    his.post(f"/api/v1/analyses/{row.id}/annotations", json={"kind": "exhibit", "verdict": "agree"})
    assert hers.get(f"/analyses/{row.id}/report.pdf").status_code == 200


def test_eight_requests_wait_for_reports(lab, quick_reports):
    app, row, _ada, _ben = lab
    his = signed_in(app, "ben")
    with ExitStack() as waiting:
        for number in range(8):
            waiting.enter_context(in_turn.LINE.slot(1000 + number))
        assert his.get(f"/analyses/{row.id}/report.pdf").status_code == 503
    assert his.get(f"/analyses/{row.id}/report.pdf").status_code == 200
    assert in_turn.LINE.taken() == 0


def test_requests_that_stop_waiting_are_not_counted(app, client, row, quick_reports, monkeypatch):
    """Neither during rendering nor after a failure."""
    seen: list[int] = []

    def fail(*_: object) -> None:
        seen.append(in_turn.LINE.taken())
        raise UserError(500, "The report could not be rendered.", "Try again.")

    client.post(f"/api/v1/analyses/{row.id}/annotations", json=AGREE)
    monkeypatch.setattr(report_downloads, "_render", fail)
    assert client.get(f"/analyses/{row.id}/report.pdf").status_code == 500
    assert seen == [0] and in_turn.LINE.taken() == 0


def test_reports_are_deleted_with_the_analysis(app, client, row, folders, quick_reports):
    client.post(f"/api/v1/analyses/{row.id}/annotations", json=AGREE)
    client.get(f"/analyses/{row.id}/report.html")
    assert folders.reports_of(row.id).is_dir()
    deletion.delete_analysis(app.extensions["database"], folders, row.id)
    assert not folders.reports_of(row.id).exists()
