"""Backups and the validations that reports quote."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_backups import contents, make, put_back
from made_results import finished
from made_validation import validation

from cli.web import main as cli
from detector.validation.rates import quoted_extract as extract_of
from webapp.custody import custody_log
from webapp.downloads import quoted_extract
from webapp.operations import backup
from webapp.storage import database as storage_database
from webapp.storage.data_folder import Folders
from webapp.storage.database import open_database
from webapp.validations import store as stored_validations


@pytest.fixture
def quoted(app) -> tuple[str, Path]:
    """The id of a validation that reports quote, and the extract they quote."""
    made, sixteen = validation(), "ab" * 16
    text, folder = made.to_json().encode(), Folders.of(app.extensions["settings"]).validation(sixteen)
    folder.mkdir()
    (folder / "validation.json").write_bytes(text)
    (folder / "laboratory.json").write_text(extract_of(made, text).to_json())
    with app.extensions["database"].begin() as session:
        custody_log.append(session, "configuration", {"what": "validation made", "validation": sixteen})
    with app.app_context():
        stored_validations.quote(sixteen)
    return sixteen, folder / "laboratory.json"


def test_backup_has_the_thresholds_of_its_rows(app, quoted, tmp_path, monkeypatch):
    id_, _ = quoted
    finished(app)
    make(app, tmp_path / "before")
    changed = iter([0.0, None])

    def change(of, place, snapshot=storage_database.copy_rows):
        snapshot(of, place)
        for rate in changed:
            with app.test_request_context():
                stored_validations.set_thresholds(id_, rate, None, 0.5)
            break

    monkeypatch.setattr(backup, "copy_rows", change)
    manifest = make(app, tmp_path / "kept", tmp_path / "before")
    assert manifest.missing == () and next(changed, "none left") == "none left"
    assert (
        list(backup.iter_problems(tmp_path / "before", backup.read_manifest(tmp_path / "before"), None)) == []
    )
    settings = put_back(tmp_path / "kept", tmp_path / "again")
    with open_database(settings) as database, database.begin() as session:
        assert quoted_extract.read_quoted_extract(session, Folders.of(settings)) is not None


@pytest.mark.parametrize("problem", [FileNotFoundError, backup._Unreadable])
def test_validation_deleted_between_tries_is_left_out(app, quoted, tmp_path, monkeypatch, problem):
    id_, extract = quoted
    other = extract.parent.with_name("cd" * 16)
    other.mkdir()
    for name in ("a.json", "b.json"):
        (other / name).write_text(name)
    tries = []

    def change(of, place, snapshot=storage_database.copy_rows):
        snapshot(of, place)
        tries.append(place)
        if len(tries) == 1:
            with app.test_request_context():
                stored_validations.set_thresholds(id_, 0.0, None, 0.5)

    def gone(source, name, target, copy=backup._copy_file):
        if len(tries) == 2 and source.name == "b.json":
            if problem is FileNotFoundError:
                shutil.rmtree(other)
            raise problem(source)
        return copy(source, name, target)

    monkeypatch.setattr(backup, "copy_rows", change)
    monkeypatch.setattr(backup, "_copy_file", gone)
    manifest = make(app, tmp_path / "kept")
    assert len(tries) == 2 and bool(manifest.missing) == (problem is backup._Unreadable)
    there = contents(tmp_path / "kept")
    assert {entry.path for entry in manifest.files} == there.keys() - {"backup.json", "sha256sums.txt"}
    assert not any(other.name in name for name in there)


def test_altered_quoted_extract_is_reported(app, quoted, tmp_path, monkeypatch, capsys):
    _, extract = quoted
    extract.write_bytes(extract.read_bytes() + b" ")
    assert make(app, tmp_path / "kept").missing == (
        f"validations/{extract.parent.name}/laboratory.json, which reports quote, is missing or not the one "
        "that was chosen.",
    )
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    assert cli.run(["verify-log"]) == 1
    assert "The validation that reports quote is not the one that was chosen." in capsys.readouterr().out
