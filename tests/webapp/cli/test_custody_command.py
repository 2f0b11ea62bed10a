"""``verify-log`` and ``export-log``, on logs that somebody with the database's file has touched."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import timedelta

import pytest
from made_results import hand_in
from time_authority import TimeAuthority

from cli.reports.main import main as reports_cli
from cli.web import main as cli
from reports.custody.chain import check_export
from reports.custody.format import entry_body, read_export, sign_entry, to_json
from verification.trusted_time import read_trust
from verification.verify import verify as verify_files
from webapp.custody import custody_log
from webapp.storage.tables import now


@pytest.fixture
def folder(app, monkeypatch):
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    for number in range(3):
        hand_in(app, bytes([number]), f"{number}.mp4")
    return app.extensions["settings"].data


def touch(folder, *statements):
    """As somebody does who has the file: the triggers go first."""
    with closing(sqlite3.connect(folder / "reelproof.sqlite3")) as connection, connection:
        for name in ("no_update", "no_delete", "in_order"):
            connection.execute(f"DROP TRIGGER IF EXISTS custody_{name}")
        for statement in statements:
            connection.execute(statement)


def verify(capsys, *arguments) -> tuple[int, list[str]]:
    status = cli.run(["verify-log", *map(str, arguments)])
    return status, capsys.readouterr().out.splitlines()


def test_an_intact_log_is_confirmed(folder, capsys, tmp_path):
    status, lines = verify(capsys)
    assert status == 0 and lines[-1].startswith("The chain is whole")
    assert cli.run(["export-log", "--out", str(tmp_path / "all.json")]) == 0
    assert check_export((tmp_path / "all.json").read_bytes()) == []
    capsys.readouterr()
    status, lines = verify(capsys, "--against", tmp_path / "all.json")
    assert status == 0 and "fits 1 earlier export." in lines[-1]


def test_an_export_gets_a_timestamp(folder, capsys, tmp_path, monkeypatch):
    authority = TimeAuthority(tmp_path)
    monkeypatch.setenv("REELPROOF_TIMESTAMP_URL", authority.url)
    try:
        assert cli.run(["export-log", "--out", str(tmp_path / "all.json")]) == 0
        authority.broken = True
        assert cli.run(["export-log", "--out", str(tmp_path / "again.json")]) == 2
        assert "gave no timestamp" in capsys.readouterr().err
    finally:
        authority.close()
    results = verify_files(tmp_path / "all.json", read_trust([authority.issuer])).results
    assert (results.problems, results.signed) == ([], ["all.json.tsr"])


def test_a_failed_timestamp_keeps_the_earlier_export(folder, capsys, tmp_path, monkeypatch):
    authority = TimeAuthority(tmp_path)
    out, stamp = tmp_path / "all.json", tmp_path / "all.json.tsr"
    export = ["export-log", "--out", str(out)]
    monkeypatch.setenv("REELPROOF_TIMESTAMP_URL", authority.url)
    try:
        assert cli.run(export) == 0
        earlier = out.read_bytes(), stamp.read_bytes()
        authority.broken = True
        assert cli.run(export) == 2 and "Nothing was written" in capsys.readouterr().err
        assert (out.read_bytes(), stamp.read_bytes()) == earlier
        monkeypatch.delenv("REELPROOF_TIMESTAMP_URL")
        assert cli.run(export) == 2 and "Name another file" in capsys.readouterr().err
        assert (out.read_bytes(), stamp.read_bytes()) == earlier
        authority.broken = False
        monkeypatch.setenv("REELPROOF_TIMESTAMP_URL", authority.url)
        assert cli.run(export) == 0 and out.read_bytes() != earlier[0] and stamp.read_bytes() != earlier[1]
    finally:
        authority.close()
    results = verify_files(out, read_trust([authority.issuer])).results
    assert (results.problems, results.signed) == ([], [stamp.name])
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE custody SET actor = 'nobody' WHERE number = 4", "Entry 4 was changed"),
        ("UPDATE custody SET details = '{}' WHERE number = 5", "Entry 5 was changed"),
        ("UPDATE custody SET details = 'x' WHERE number = 5", "Entry 5 cannot be read: its details"),
        ("UPDATE custody SET sha256 = 'x' WHERE number = 5", "Entry 5 cannot be read: its sha256"),
        ("UPDATE custody SET mac = previous WHERE number = 3", "Entry 3 was not written with this log's key"),
        ("DELETE FROM custody WHERE number = 4", "Entry 4 is missing before entry 5: removed."),
        ("DELETE FROM custody WHERE number = 1", "Entry 1 is missing before entry 2: removed."),
        ("UPDATE custody SET number = 99 WHERE number = 4", "Entry 4 is missing before entry 5: removed."),
    ],
)
def test_altered_records_are_named(folder, capsys, statement, words):
    touch(folder, statement)
    status, lines = verify(capsys)
    assert status == 1 and any(line.startswith(words) for line in lines), lines
    assert "The custody log was changed after it was written." in lines


def test_swapped_entries_are_named(folder, capsys):
    steps = ((4, -4), (5, 4), (-4, 5))
    touch(folder, *(f"UPDATE custody SET number = {new} WHERE number = {old}" for old, new in steps))
    status, lines = verify(capsys)
    assert status == 1 and lines[0].startswith("Entry 4 was entry 5 when it was written")


def test_an_inserted_entry_is_named(folder, capsys):
    touch(
        folder,
        "UPDATE custody SET number = -number - 1 WHERE number >= 5",
        "UPDATE custody SET number = -number WHERE number < 0",
        "INSERT INTO custody SELECT 5, made, actor, action, exhibit, analysis, details, previous, "
        "previous_of_exhibit, sha256, mac FROM custody WHERE number = 3",
    )
    status, lines = verify(capsys)
    assert status == 1 and lines[0].startswith("Entry 5 was entry 3 when it was written")


def test_an_earlier_export_reveals_a_truncated_log(folder, capsys, tmp_path):
    early = tmp_path / "early.json"
    for _ in range(2):  # the second one holds the entry that the first one was exported
        cli.run(["export-log", "--out", str(early)])
    count = read_export(early.read_bytes()).count
    touch(folder, f"DELETE FROM custody WHERE number >= {count}")
    capsys.readouterr()
    assert verify(capsys)[0] == 0  # nothing shows it from within
    status, lines = verify(capsys, "--against", early)
    assert status == 1
    assert f"The log ends at entry {count - 1}, but had {count} when" in lines[0]
    touch(folder, f"DELETE FROM custody WHERE number >= {count - 1}")
    status, lines = verify(capsys)  # but where what it spoke of is there
    assert status == 1 and "The custody log has no entry about this analysis" in lines[1]


def test_an_export_with_other_macs_does_not_fit(folder, capsys, tmp_path):
    assert cli.run(["export-log", "--out", str(tmp_path / "all.json")]) == 0
    document = json.loads((tmp_path / "all.json").read_bytes())
    for entry in document["entries"]:
        entry["mac"] = "0" * 64
    (tmp_path / "all.json").write_text(json.dumps(document | {"head_mac": "0" * 64}))
    capsys.readouterr()
    status, lines = verify(capsys, "--against", tmp_path / "all.json")
    assert status == 1 and lines[0].startswith("Entry 1 has another MAC than in ")
    assert any("has another MAC than the head of" in line for line in lines)


def test_a_clock_that_was_set_back_is_noted(app, folder, capsys, tmp_path, monkeypatch):
    early = now() - timedelta(days=3000)
    with monkeypatch.context() as patch, app.extensions["database"].begin() as session:
        patch.setattr(custody_log, "now", lambda: early)
        made = custody_log.append(session, "configuration", {"what": "another"})
    status, lines = verify(capsys)
    (note,) = [line for line in lines if line.startswith("Note: ")]
    assert status == 0 and f"Entry {made.number} says that it was made at {made.made}, before" in note
    assert cli.run(["export-log", "--out", str(tmp_path / "all.json")]) == 0
    done = verify_files(tmp_path / "all.json").results
    assert done.problems == [] and done.notes == [note.removeprefix("Note: ")]


def test_one_entry_is_counted_as_one(folder, capsys, tmp_path):
    touch(folder, "DELETE FROM custody WHERE number > 1")
    cli.run(["verify-log"])
    assert "1 entry; SHA-256 of the last one: " in capsys.readouterr().out
    cli.run(["export-log", "--out", str(tmp_path / "one.json")])
    assert "one.json: 1 entry\n" in capsys.readouterr().out
    reports_cli(["verify", str(tmp_path / "one.json")])
    output = capsys.readouterr().out
    assert "1 file compared" in output and "1 entry then" in output


def test_a_wrong_or_missing_key_is_reported(folder, capsys):
    key = folder / "custody.key"
    kept = key.read_bytes()
    key.write_bytes(bytes(32))
    status, lines = verify(capsys)
    assert status == 1 and lines[0].startswith("No entry was written with this key")
    key.unlink()
    assert cli.run(["verify-log"]) == 2
    output = capsys.readouterr()
    assert "Only the chain of hashes was checked" in output.err and "backup" in output.err
    assert not key.exists() and "8 entries" in output.out
    touch(folder, "UPDATE custody SET actor = 'nobody' WHERE number = 4")
    assert cli.run(["verify-log"]) == 1
    key.write_bytes(kept)


def test_an_emptied_log_is_detected(folder, capsys):
    touch(folder, "DELETE FROM custody")
    assert cli.run(["verify-log"]) == 2
    output = capsys.readouterr()
    assert "whole" not in output.out and "its entries were removed" in output.err
    assert "3 exhibits, 3 analyses" in output.err
    touch(folder, "DELETE FROM analyses", "DELETE FROM exhibits")
    assert cli.run(["verify-log"]) == 2, "their files are still there"
    shutil.rmtree(folder / "exhibits")
    assert cli.run(["verify-log"]) == 0, "nothing was ever done here"


def test_the_log_of_one_exhibit_is_exported(app, folder, capsys, tmp_path):
    sha256 = hand_in(app, b"one more").exhibit.sha256
    out = tmp_path / "one.json"
    assert cli.run(["export-log", "--exhibit", sha256.upper(), "--out", str(out)]) == 0
    export = read_export(out.read_bytes())
    assert export.exhibit == sha256 and len(export.entries) == 2
    with app.extensions["database"].begin() as session:
        *_, last = custody_log.iter_entries(session)
    assert last.action == "export" and last.details["log count"] == export.count == last.number - 1
    assert cli.run(["export-log", "--exhibit", "0" * 64, "--out", str(out)]) == 2
    assert "no entry about this exhibit" in capsys.readouterr().err


def test_an_unwritable_target_is_refused_before_the_export_is_recorded(app, folder, capsys, tmp_path):
    for out in (tmp_path / "missing" / "all.json", tmp_path):
        assert cli.run(["export-log", "--out", str(out)]) == 2
        assert capsys.readouterr().err == (
            f"reelproof: {out} cannot be written. Name a file in a folder that is there and yours.\n"
        )
    with app.extensions["database"].begin() as session:
        assert "export" not in {entry.action for entry in custody_log.iter_entries(session)}


@pytest.mark.parametrize("content", [None, b"", b"{}"])
def test_invalid_arguments_are_explained(folder, capsys, tmp_path, content):
    file = tmp_path / "x.json"
    if content is not None:
        file.write_bytes(content)
    assert cli.run(["verify-log", "--against", str(file)]) == 2
    assert capsys.readouterr().err.startswith("reelproof: ")


@pytest.mark.parametrize(
    ("revision", "words"),
    [("0014", "Start python -m webapp of this version once"), ("0099", "made by a newer Reelproof")],
)
def test_tables_of_another_version_are_refused(folder, capsys, revision, words):
    touch(folder, f"UPDATE alembic_version SET version_num = '{revision}'")
    assert cli.run(["verify-log"]) == 2
    assert words in capsys.readouterr().err


def test_without_a_database_nothing_is_created(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REELPROOF_DATA", str(tmp_path / "none"))
    assert cli.run(["verify-log"]) == 2
    assert "There is no database" in capsys.readouterr().err and not (tmp_path / "none").exists()


@pytest.mark.slow
def test_a_hundred_thousand_entries_take_seconds(folder, app, capsys):
    key = app.extensions["settings"].custody_key.read_bytes()
    with app.extensions["database"].begin() as session:
        last = custody_log.head(session)
    number, head, of_exhibit, rows = last.count, last.sha256, {}, []
    for step in range(100_000):
        number, exhibit = number + 1, f"{step % 500:064x}"
        happened = entry_body(now(), "somebody", "view", exhibit=exhibit, details={"bytes": step})
        entry = sign_entry(happened, number, head, of_exhibit.get(exhibit, "0" * 64), key)
        head = of_exhibit[exhibit] = entry.sha256
        rows.append(tuple({**to_json(entry), "details": json.dumps(entry.details)}.values()))
    with closing(sqlite3.connect(folder / "reelproof.sqlite3")) as connection, connection:
        columns = "number, made, actor, action, exhibit, analysis, details, previous, previous_of_exhibit"
        marks = ", ".join("?" * 11)
        connection.executemany(f"INSERT INTO custody ({columns}, sha256, mac) VALUES ({marks})", rows)
    begun = time.process_time()
    assert verify(capsys)[0] == 0
    assert time.process_time() - begun < 15
    print(f"{time.process_time() - begun:.1f} s of processor time")
