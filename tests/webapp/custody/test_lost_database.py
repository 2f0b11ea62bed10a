"""A data folder whose database was lost: neither app nor commands create a new one over its files."""

from __future__ import annotations

import shutil

import pytest
from made_results import finished, hand_in

from cli.web import main as cli
from webapp import create_app
from webapp.custody.startup import LostDatabaseError
from webapp.exhibits import deletion
from webapp.settings import DATABASE


@pytest.fixture
def data(app, monkeypatch):
    """That of a library with one exhibit."""
    data = app.extensions["settings"].data
    monkeypatch.setenv("REELPROOF_DATA", str(data))
    hand_in(app, b"one")
    return data


def lose(data) -> dict[str, bytes]:
    kept = {path.name: path.read_bytes() for path in data.glob(f"{DATABASE}*")}
    for name in kept:
        (data / name).unlink()
    return kept


def start(data):
    create_app({"REELPROOF_DATA": data, "SEND": lambda _id: None}).extensions["database"].close()


@pytest.mark.parametrize("with_key", [True, False])
def test_lost_database_is_not_replaced(app, data, tmp_path, capsys, with_key):
    app.extensions["database"].close()
    key = data / "custody.key"
    if not with_key:
        key.rename(tmp_path / "key")
    kept = lose(data)
    words = rf"There are files in exhibits of {data}.*{DATABASE}\) never knew of any.* Put it back"
    for _ in range(2):
        with pytest.raises(LostDatabaseError, match=words):
            start(data)
    assert key.exists() is with_key, "a new key would be in the way of the old one"
    earlier = tmp_path / "earlier"
    for command in (
        ["verify-log"],
        ["backup", str(earlier)],
        ["add-user", "ada", "--role", "administrator", "--password-file", "/dev/null"],
        ["add-token", "--name", "ci", "--scope", "read"],
        ["list-users"],
    ):
        assert cli.run(command) == 2, command
        assert "never knew of any" in capsys.readouterr().err
    assert not earlier.exists()
    for name, content in kept.items():
        (data / name).write_bytes(content)
    if not with_key:
        (tmp_path / "key").rename(key)
    start(data)
    assert cli.run(["verify-log"]) == 0, capsys.readouterr()


@pytest.mark.parametrize("place", ["exhibits/ab/abcd", "analyses/1/analysis.json", "comparisons/2/a.json"])
def test_any_stored_file_reveals_a_lost_database(tmp_path, place):
    path = tmp_path / "data" / place
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(LostDatabaseError, match=place.partition("/")[0]):
        start(tmp_path / "data")
    path.unlink()
    start(tmp_path / "data")


def test_unfinished_and_derived_files_are_ignored(tmp_path):
    for place in ("analyses/.1.2/x", "thumbnails/1.jpg", "previews/a.json", "models/own/own.json"):
        path = tmp_path / "data" / place
        path.parent.mkdir(parents=True)
        path.touch()
    start(tmp_path / "data")


def test_replaced_database_of_an_earlier_version_is_reported(app, data, tmp_path, capsys):
    """It began a log of nothing, which is whole by itself; its backup would take the place of a real one."""
    app.extensions["database"].close()
    lose(data)
    (data / "exhibits").rename(tmp_path / "exhibits")
    start(data)
    assert cli.run(["verify-log"]) == 0
    shutil.rmtree(data / "exhibits")
    (tmp_path / "exhibits").rename(data / "exhibits")
    capsys.readouterr()
    assert cli.run(["verify-log"]) == 2 and "never knew of any" in capsys.readouterr().err
    assert cli.run(["backup", str(tmp_path / "kept")]) == 2 and not (tmp_path / "kept").exists()


def test_file_left_by_a_deletion_is_ignored(app, database, folders, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    row = finished(app)
    deletion.delete_analysis(database, folders, row.id)
    path = folders.exhibit(row.exhibit.sha256)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"left")
    assert cli.run(["verify-log"]) == 0, capsys.readouterr()
    assert cli.run(["backup", str(tmp_path / "kept")]) == 0
