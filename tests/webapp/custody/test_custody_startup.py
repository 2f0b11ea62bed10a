"""The custody log at the start of the app: its key, older data folders, changed settings."""

from __future__ import annotations

import re
import sqlite3
import stat
from contextlib import closing

import pytest
from keys import make_key
from sqlalchemy import URL

from reports.custody.chain import check_log
from reports.signing.keys import read_key
from webapp import create_app
from webapp.custody import custody_log, startup
from webapp.settings import Settings, read_settings
from webapp.storage.database import Database
from webapp.storage.key_files import CustodyKeyError
from webapp.storage.tables import Exhibit, now


def start(tmp_path, **settings):
    app = create_app({"REELPROOF_DATA": tmp_path / "data", "SEND": lambda _id: None} | settings)
    with app.extensions["database"].begin() as session:
        entries = list(custody_log.iter_entries(session))
    app.extensions["database"].close()
    return app, entries


def test_key_is_created_once_and_private(tmp_path):
    start(tmp_path)
    key = tmp_path / "data/custody.key"
    content = key.read_bytes()
    assert len(content) == 32 and stat.S_IMODE(key.stat().st_mode) == 0o600
    start(tmp_path)
    assert key.read_bytes() == content


def test_key_location_is_configurable(tmp_path):
    (tmp_path / "safe").mkdir()
    _, entries = start(tmp_path, REELPROOF_CUSTODY_KEY=tmp_path / "safe/key")
    key = (tmp_path / "safe/key").read_bytes()
    assert not (tmp_path / "data/custody.key").exists()
    assert list(check_log(entries, key)) == []
    with pytest.raises(CustodyKeyError, match="Make its folder"):
        start(tmp_path / "other", REELPROOF_CUSTODY_KEY=tmp_path / "none/key")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "Put the file back from a backup"),
        (b"short", "5 bytes instead of 32"),
        (bytes(32), "not the key"),
    ],
)
def test_log_without_its_key_is_rejected(tmp_path, content, words):
    start(tmp_path)
    key = tmp_path / "data/custody.key"
    key.unlink()
    if content is not None:
        key.write_bytes(content)
        key.chmod(0o600)
    with pytest.raises(CustodyKeyError, match=words):
        start(tmp_path)
    assert key.exists() is (content is not None)


def test_emptied_log_is_rejected(tmp_path):
    start(tmp_path)
    database = tmp_path / "data/reelproof.sqlite3"

    def empty(*more: str) -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            for name in ("no_update", "no_delete", "in_order"):
                connection.execute(f"DROP TRIGGER IF EXISTS custody_{name}")
            for statement in ("DELETE FROM custody", *more):
                connection.execute(statement)

    row = "INSERT INTO exhibits (sha256, name, bytes, path, created) VALUES ('s', 'x', 1, 'p', '2026-11-20')"
    empty(row)
    with pytest.raises(CustodyKeyError, match="1 exhibits and its key .* entries were removed"):
        start(tmp_path)
    (tmp_path / "data/custody.key").rename(tmp_path / "away")
    assert start(tmp_path)[1][0].details["exhibits"] == 1


def test_only_changed_settings_are_recorded(tmp_path):
    _, first = start(tmp_path)
    assert len(start(tmp_path)[1]) == len(first) == 2
    _, entries = start(tmp_path, REELPROOF_WORKERS=3, REELPROOF_INTEGRITY_HOURS=0)
    assert len(entries) == 3
    details = entries[-1].details
    assert details["changed"] == "workers, integrity hours"
    assert (details["workers"], details["integrity hours"]) == (3, "off")


def test_settings_affecting_permissions_or_results_are_recorded(tmp_path):
    start(tmp_path)
    _, entries = start(
        tmp_path,
        REELPROOF_LOGIN="on",
        REELPROOF_PROXY="127.0.0.1",
        REELPROOF_IDLE_MINUTES=90,
        REELPROOF_SESSION_HOURS=1.5,
        REELPROOF_QUOTA_MB=5,
        REELPROOF_UPLOADS_AT_ONCE=9,
        REELPROOF_SECOND_FACTOR="administrator,examiner",
        REELPROOF_OIDC_ISSUER="https://login.example/lab",
        REELPROOF_OIDC_CLIENT="client",
        REELPROOF_OIDC_CLAIM="nickname",
        REELPROOF_OIDC_ROLES="lab=examiner",
        REELPROOF_SIGNING_KEY=tmp_path / "none.p12",
        REELPROOF_TIMESTAMP_URL="https://time.example/",
        REELPROOF_WEBHOOKS="https://lab.example/hooks/SECRET/",
        REELPROOF_MEMORY_LIMIT_MB=2000,
        REELPROOF_CPU_LIMIT=60,
        REELPROOF_TEMP_LIMIT_MB=10,
        REELPROOF_BACKEND="torch",
    )
    details = entries[-1].details
    expected = {
        "login": "on",
        "proxy": "127.0.0.1",
        "idle minutes": "90",
        "session hours": "1.5",
        "quota": 5_000_000,
        "uploads at once": 9,
        "second factor": "administrator examiner",
        "single sign on issuer": "https://login.example/lab",
        "single sign on client": "client",
        "single sign on claim": "nickname",
        "single sign on roles": "lab=examiner",
        "signing key": "cannot be used",
        "timestamps": "on",
        "webhooks": "on",
        "memory limit": 2_000_000_000,
        "processor limit": 60,
        "temporary files limit": 10_000_000,
        "back end": "torch",
    }
    assert details["changed"] == ", ".join(expected)
    assert {name: details[name] for name in expected} == expected
    assert "SECRET" not in str(details)


def test_every_setting_is_recorded_or_excluded_with_a_reason():
    """A new one belongs into the log if it changes who may do what, or what results rest on."""
    recorded, others = set(startup._RECORDED), set(startup._NOT_RECORDED)
    fields = set(Settings.model_fields)
    assert recorded | others == fields, "see _RECORDED and _NOT_RECORDED in webapp/custody/startup.py"
    assert not recorded & others
    assert all(startup._NOT_RECORDED.values())
    names = [name for name, _ in startup._RECORDED.values()]
    assert len(set(names)) == len(names) and all(re.fullmatch("[a-z0-9 _]+", name) for name in names)


@pytest.mark.parametrize(
    ("setting", "given", "name", "value"),
    [
        ("DATABASE", "", "database", "SQLite in the data folder"),
        ("DATABASE", "postgresql://lab:SECRET@db:5433/x", "database", "postgresql://lab@db:5433/x"),
        (
            "DATABASE",
            "postgresql://lab@/x?host=/run/pg&password=SECRET",
            "database",
            "postgresql://lab@/x?host=%2Frun%2Fpg",
        ),
        ("STORE_ENDPOINT", "", "store endpoint", "none"),
        ("STORE_ENDPOINT", "https://store:9000/", "store endpoint", "https://store:9000"),
        ("STORE_ENDPOINT", "https://lab:SECRET@store/x?key=SECRET", "store endpoint", "https://store"),
    ],
)
def test_recorded_urls_contain_no_secrets(setting, given, name, value):
    settings = read_settings({"REELPROOF_STORE": "s3://lab", f"REELPROOF_{setting}": given})
    assert startup.recorded_settings(settings)[name] == value


def test_signing_key_is_recorded_by_its_certificate(tmp_path):
    key, password, _ = make_key(tmp_path)
    _, entries = start(tmp_path, REELPROOF_SIGNING_KEY=key, REELPROOF_SIGNING_PASSWORD_FILE=password)
    assert entries[-1].details["signing key"] == read_key(key, password).certificate_sha256


def test_newly_recorded_setting_is_not_a_change(tmp_path, monkeypatch):
    known = startup.recorded_settings

    def older(settings):
        return {name: value for name, value in known(settings).items() if name not in ("login", "proxy")}

    with monkeypatch.context() as before:
        before.setattr(startup, "recorded_settings", older)
        start(tmp_path)
    _, entries = start(tmp_path, REELPROOF_LOGIN="on")
    assert len(entries) == 3
    details = entries[-1].details
    assert (details["changed"], details["recorded from now on"]) == ("", "login, proxy")
    assert details["login"] == "on"
    assert len(start(tmp_path, REELPROOF_LOGIN="on")[1]) == 3


def test_a_log_begun_after_rows_records_their_numbers(tmp_path):
    (tmp_path / "data").mkdir()
    database = Database(URL.create("sqlite", database=str(tmp_path / "data/reelproof.sqlite3")), {})
    database.migrate()
    with database.begin() as session:
        for number in "12":
            session.add(Exhibit(sha256=number, name="x.mp4", bytes=1, path=number, created=now()))
    database.close()
    _, (began, _settings) = start(tmp_path)
    assert began.action == "log begun"
    assert (began.details["exhibits"], began.details["analyses"]) == (2, 0)
