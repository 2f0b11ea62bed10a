"""Commands for a store: fill it, clear the cache, back it up and restore it."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest
from made_results import digest
from made_rows import row_of
from object_store_server import CONTENT, NAME, kept, upload

from cli.web import data
from cli.web import main as cli
from webapp.errors import UserError
from webapp.operations import backup, restore
from webapp.settings import read_settings
from webapp.worker import run_job


def test_filling_a_store_and_clearing_the_cache(app, client, bucket, folders, monkeypatch, capsys):
    for name, value in {"REELPROOF_DATA": str(folders.data), **bucket.settings}.items():
        monkeypatch.setenv(name, value)
    analysis_id = upload(client)
    run_job.work(app.extensions["settings"])
    before = bucket.names()
    assert NAME in before and f"lab/analyses/{analysis_id}.tar" in before
    bucket.empty()
    assert cli.run(["clear-cache", "--days", "0"]) == 0
    assert folders.exhibit(digest(CONTENT)).exists() and folders.result(analysis_id).exists()
    assert cli.run(["fill-store"]) == 0
    assert bucket.names() == before
    assert cli.run(["clear-cache"]) == 0
    assert folders.exhibit(digest(CONTENT)).exists() and folders.result(analysis_id).exists()
    assert cli.run(["clear-cache", "--days", "0"]) == 0
    assert kept(folders.exhibits) == [] and not folders.result(analysis_id).exists()
    assert client.get(f"/analyses/{analysis_id}").status_code == 200
    for name in ("REELPROOF_STORE", "REELPROOF_STORE_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    assert cli.run(["fill-store"]) == 2
    assert "REELPROOF_STORE names no store" in capsys.readouterr().err


def test_clear_cache_during_a_deletion(app, client, bucket, folders, monkeypatch):
    for name, value in {"REELPROOF_DATA": str(folders.data), **bucket.settings}.items():
        monkeypatch.setenv(name, value)
    for content in (CONTENT, b"the bytes of another clip"):
        upload(client, content)
        run_job.work(app.extensions["settings"])
    last_used, gone = data._last_used, []

    def deleted(path: Path) -> float:
        if path.parents[1] not in gone:  # the first exhibit, then the first result
            gone.append(path.parents[1])
            path.unlink()
        return last_used(path)

    monkeypatch.setattr(data, "_last_used", deleted)
    assert cli.run(["clear-cache", "--days", "0"]) == 0
    assert folders.exhibits in gone and folders.analyses in gone and kept(folders.exhibits) == []


def test_backup_contains_files_of_the_store(
    app, client, bucket, folders, worker, tmp_path, monkeypatch, capsys
):
    first, second = upload(client), upload(client, b"the bytes of another clip")
    for _ in (first, second):
        run_job.work(worker)
    result, name = bucket.read(f"lab/analyses/{first}.tar"), row_of(app, first).exhibit.path
    shutil.rmtree(folders.exhibits)  # a cache, emptied
    folders.exhibits.mkdir()
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    for setting, value in bucket.settings.items():
        monkeypatch.setenv(setting, value)
    kept, again = tmp_path / "kept", tmp_path / "again"
    assert cli.run(["backup", str(kept)]) == 0, capsys.readouterr()
    assert (kept / "data" / name).read_bytes() == CONTENT
    assert not list(folders.analyses.glob(".*"))
    assert cli.run(["backup", str(tmp_path / "next"), "--earlier", str(kept)]) == 0
    assert (tmp_path / "next/data" / name).stat().st_nlink == 2

    bucket.empty()  # the store is lost, and the machine with the pages
    monkeypatch.setenv("REELPROOF_DATA", str(again))
    assert cli.run(["restore", str(kept)]) == 0, capsys.readouterr()
    assert "fill-store" in capsys.readouterr().out
    assert cli.run(["fill-store"]) == 0 and cli.run(["verify-log"]) == 0, capsys.readouterr()
    assert bucket.read(NAME) == CONTENT
    with (
        tarfile.open(fileobj=io.BytesIO(bucket.read(f"lab/analyses/{first}.tar"))) as new,
        tarfile.open(fileobj=io.BytesIO(result)) as old,
    ):
        assert {member.name: new.extractfile(member).read() for member in new} == {
            member.name: old.extractfile(member).read() for member in old
        }

    bucket.write(f"lab/{row_of(app, second).exhibit.path}", b"something else")
    bucket.remove(f"lab/analyses/{first}.tar")
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    assert cli.run(["backup", str(tmp_path / "damaged")]) == 1
    output = capsys.readouterr().err
    assert f"Analysis {first}: analyses/{first} is missing" in output and "differs from the upload" in output


def test_a_backup_without_files_needs_its_bucket(app, tmp_path, bucket):
    """As older versions made them of a machine with a store."""
    settings = app.extensions["settings"]
    manifest = backup.make_backup(app.extensions["database"], settings, tmp_path / "kept")
    manifest.model_copy(update={"store": "s3://gone/lab"}).write(tmp_path / "kept")
    there = read_settings({"REELPROOF_DATA": tmp_path / "again"})
    with pytest.raises(UserError, match="s3://gone/lab"):
        restore.restore(there, tmp_path / "kept")
