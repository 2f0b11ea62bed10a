"""A disk that takes nothing more: what is there is read by all who are signed in, and why is said."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from made_results import finished
from people import account, age, rows, signed_in, with_login
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from webapp.accounts import tokens
from webapp.accounts.permissions import Role
from webapp.accounts.users import principal_of
from webapp.downloads import report_process
from webapp.storage.database import is_disk_full
from webapp.storage.tables import ApiToken, Milestone, SessionRow, now


@pytest.fixture
def app(tmp_path):
    app = with_login(tmp_path / "data", [])
    yield app
    app.extensions["database"].close()


def fill(app, words: str = "database or disk is full", code: int = sqlite3.SQLITE_FULL) -> None:
    """From now on nothing can be written."""

    def write(_cursor, statement: str, *_more: object) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            problem = sqlite3.OperationalError(words)
            problem.sqlite_errorcode = code
            raise problem

    event.listen(app.extensions["database"].engine, "do_execute", write)


def test_signed_in_users_can_read_on_a_full_disk(app):
    ada = account(app, "ada", Role.EXAMINER)
    client = signed_in(app, "ada")
    with app.extensions["database"].alone() as session:
        token = tokens.create(session, principal_of(ada), "script", ["read"]).token
    age(app, seen=timedelta(minutes=2))
    fill(app)
    assert client.get("/analyses").status_code == 200
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    (seen,) = (row.seen for row in rows(app, SessionRow))
    (used,) = (row.used for row in rows(app, ApiToken))
    assert now() - seen > timedelta(minutes=1) and used is None
    answer = client.post("/cases", data={"name": "A"})
    assert answer.status_code == 507 and "The disk of the database is full" in answer.text


@pytest.mark.parametrize("code", [sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR_WRITE])
def test_a_read_only_disk_is_explained(app, code):
    account(app, "ada", Role.EXAMINER)
    client = signed_in(app, "ada")
    fill(app, "disk I/O error", code)
    assert client.get("/analyses").status_code == 200
    answer = client.post("/cases", data={"name": "A"})
    assert answer.status_code == 503 and "The disk cannot be written" in answer.text
    assert "must check that disk" in answer.text


def test_an_unwritable_file_is_explained(app, monkeypatch):
    def refused(*_args: object, **_more: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "somewhere")

    account(app, "ada", Role.EXAMINER)
    client = signed_in(app, "ada")
    monkeypatch.setattr("webapp.analyses.library.render_template", refused)
    answer = client.get("/analyses")
    assert answer.status_code == 503 and "cannot be written: it is read-only" in answer.text


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
@pytest.mark.parametrize("asked", ["exports/csv", "report.pdf", "bundle.zip"])
def test_downloads_that_need_disk_space_are_refused(app, monkeypatch, prefix, asked):
    def full(*_args: object, **_more: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    def rendering(*_args: object, **_more: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], report_process.status(Path("a"), Path("b")))

    ada = account(app, "ada", Role.ADMINISTRATOR)
    client, row = signed_in(app, "ada"), finished(app)
    monkeypatch.setattr("webapp.downloads.exports._run", full)
    monkeypatch.setattr(report_process, "main", full)
    monkeypatch.setattr("webapp.downloads.reports.subprocess.run", rendering)
    with app.extensions["database"].alone() as session:
        token = tokens.create(session, principal_of(ada), "script", ["export"]).token
    named = {"Authorization": f"Bearer {token}"} if prefix else {}
    answer = client.get(f"{prefix}/analyses/{row.id}/{asked}", headers=named)
    assert answer.status_code == 507 and "your request could not be saved" in answer.text


def test_a_full_disk_of_sqlite_is_recognised(app):
    with pytest.raises(OperationalError) as full, app.extensions["database"].begin() as session:
        session.connection().exec_driver_sql("PRAGMA max_page_count = 1")
        session.add(Milestone(name="x" * 100_000, reached=now()))
    assert is_disk_full(full.value)
    assert not is_disk_full(OperationalError("", {}, sqlite3.OperationalError("database is locked")))
