"""Commands use the database that is there: few make one, and none brings tables up to date."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from cli.web import main as cli
from webapp.settings import DATABASE

MAKING = (
    ["add-user", "ada", "--role", "administrator", "--password-file"],
    ["add-token", "--name", "ci", "--scope", "read"],
)
OTHERS = (
    ["list-users"],
    ["list-tokens"],
    ["set-role", "ada", "reader"],
    ["disable-user", "ada"],
    ["enable-user", "ada"],
    ["reset-second-factor", "ada"],
    ["link-account", "ada", "1"],
    ["revoke-token", "1"],
    ["fill-store"],
    ["clear-cache"],
)


def command(words, tmp_path):
    password = tmp_path / "password"
    password.write_text("long enough, and no word\n")
    return [*words, str(password)] if words[-1] == "--password-file" else words


@pytest.mark.parametrize("words", OTHERS, ids=lambda words: words[0])
def test_without_a_database_nothing_is_created(tmp_path, monkeypatch, capsys, words):
    monkeypatch.setenv("REELPROOF_DATA", str(tmp_path / "none"))
    assert cli.run(words) == 2
    assert "There is no database" in capsys.readouterr().err and not (tmp_path / "none").exists()


@pytest.mark.parametrize("words", MAKING, ids=lambda words: words[0])
def test_commands_before_the_first_start_create_the_database(tmp_path, monkeypatch, capsys, words):
    monkeypatch.setenv("REELPROOF_DATA", str(tmp_path / "new"))
    assert cli.run(command(words, tmp_path)) == 0, capsys.readouterr()
    assert cli.run(["list-users"]) == 0 and cli.run(["verify-log"]) == 0


@pytest.mark.parametrize("words", [*MAKING, *OTHERS], ids=lambda words: words[0])
def test_tables_of_another_version_are_not_migrated(app, tmp_path, monkeypatch, capsys, words):
    data = app.extensions["settings"].data
    monkeypatch.setenv("REELPROOF_DATA", str(data))
    with closing(sqlite3.connect(data / DATABASE)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0014'")
    assert cli.run(command(words, tmp_path)) == 2
    assert "Start python -m webapp of this version once" in capsys.readouterr().err
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0014",)]
