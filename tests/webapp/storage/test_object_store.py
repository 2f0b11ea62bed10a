"""Files in an S3-compatible store: two machines that share no folder, on a real server on loopback."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import made_comparisons
import pytest
import scaled
import servers
import stored
from botocore.exceptions import ClientError
from flask import Flask
from flask.testing import FlaskClient
from made import add_model, digest, pair
from made_comparisons import queued
from sqlalchemy import select

from webapp import create_app
from webapp.cli import main as cli
from webapp.custody import integrity
from webapp.custody.integrity import DamagedExhibit
from webapp.errors import DamagedFile, StoreError, UserError
from webapp.jobs import failures
from webapp.media import playback
from webapp.queries import results
from webapp.services import deletion
from webapp.services import models as model_service
from webapp.services.backups import backup, restore
from webapp.settings import SettingError, read_settings
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, ComparisonRow, CustodyRow, Exhibit
from webapp.worker import run_analysis, run_comparison, store_transfer

HERE = Path(__file__).resolve().parents[1]
CONTENT = b"the bytes of a clip"
NAME = f"lab/exhibits/{digest(CONTENT)[:2]}/{digest(CONTENT)}"


@pytest.fixture(scope="module")
def server():
    server = stored.Bucket()
    yield server
    server.close()


@pytest.fixture
def bucket(server):
    yield server
    server.empty()


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name, value in stored.KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def store(bucket):
    """Settings of the app, the machine with the pages."""
    return bucket.settings


@pytest.fixture
def pictures():
    """Thumbnails are made; each takes seconds here, where no process can be forked."""


@pytest.fixture(autouse=True)
def no_engine(request, monkeypatch):
    monkeypatch.setattr(run_analysis, "make_result", stored.engine)
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr(run_analysis, "confined_thumbnail", lambda *_: None)
        monkeypatch.setattr(run_analysis.preview_job, "prepare", lambda *_: None)


@pytest.fixture
def folders(app):
    return Folders.of(app.extensions["settings"])


@pytest.fixture
def worker(app, tmp_path):
    """Settings of a machine that only works."""
    settings = stored.other_machine(app, tmp_path / "worker")
    Folders(settings.data).create()
    return settings


def upload(client: FlaskClient, content: bytes = CONTENT) -> str:
    answer = client.post("/analyses", data={"file": (io.BytesIO(content), "clip.mp4")})
    assert answer.status_code == 303, answer.text
    return answer.location.split("?")[0].rsplit("/", 1)[1]


def row(app: Flask, analysis_id: str) -> AnalysisRow:
    with app.extensions["database"].begin() as session:
        return session.get_one(AnalysisRow, analysis_id)


def kept(folder) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_handed_in_here_analysed_there_read_here(
    app, client, bucket, folders, worker, pictures, quick_reports
):
    analysis_id = upload(client)
    assert bucket.names() == [NAME] and bucket.read(NAME) == CONTENT
    run_analysis.work(worker)
    assert (row(app, analysis_id).state, row(app, analysis_id).error) == ("done", None)
    assert f"lab/analyses/{analysis_id}.tar" in bucket.names()
    there = Folders(worker.data)
    for folder in (there.exhibits, there.analyses, there.previews, there.thumbnails):
        assert kept(folder) == []  # nobody deletes anything there
    for report in ("report.pdf", "analysis.json"):
        assert not folders.result(analysis_id).exists()
        results.remembered.clear()
        assert client.get(f"/analyses/{analysis_id}").status_code == 200
        answer = client.get(f"/analyses/{analysis_id}/{report}")
        assert answer.status_code == 200 and len(answer.data) > 5_000
        assert client.get(f"/analyses/{analysis_id}/thumbnail").mimetype == "image/jpeg"
        assert f"/analyses/{analysis_id}/thumbnail" in client.get("/analyses").text
        results.refuse_damaged(folders.result(analysis_id))
        for path in (folders.result(analysis_id), *folders.reviews.iterdir(), *folders.exhibits.iterdir()):
            shutil.rmtree(path)
        folders.thumbnail(analysis_id).unlink()
    assert not list(folders.analyses.glob(".*"))


def test_compared_there_and_read_here(app, client, bucket, folders, worker, monkeypatch):
    rows = []
    for content in (CONTENT, b"the bytes of its original"):
        rows.append(upload(client, content))
        run_analysis.work(worker)
    comparison = queued(app, *(row(app, each) for each in rows))

    def compare(exhibit, reference, folder, *rest):
        assert (exhibit.read_bytes(), reference.read_bytes()) == (CONTENT, b"the bytes of its original")
        return made_comparisons.engine(exhibit, reference, folder, *rest)

    monkeypatch.setattr(run_comparison, "compare", compare)
    run_analysis.work(worker)
    with app.extensions["database"].begin() as session:
        done = session.get_one(ComparisonRow, comparison.id)
    assert (done.state, done.error) == ("done", None)
    name = f"lab/comparisons/{comparison.id}.tar"
    there = Folders(worker.data)
    assert name in bucket.names() and kept(there.comparisons) == kept(there.analyses) == []
    assert not folders.comparison(comparison.id).exists()
    assert "One face differs" in client.get(f"/comparisons/{comparison.id}").text
    assert folders.comparison(comparison.id).exists()
    assert client.post(f"/analyses/{rows[1]}/delete").status_code == 303
    assert name not in bucket.names() and not folders.comparison(comparison.id).exists()


def test_deleting_empties_the_store(app, client, bucket, folders, worker):
    analysis_id, other = upload(client), upload(client)
    for _ in (analysis_id, other):
        run_analysis.work(worker)
    assert client.post(f"/analyses/{analysis_id}/delete").status_code == 303
    assert NAME in bucket.names() and not [name for name in bucket.names() if analysis_id in name]
    assert client.post(f"/analyses/{other}/delete").status_code == 303
    assert bucket.names() == []


def test_a_result_of_an_attempt_that_was_cancelled_goes(app, client, bucket, worker, monkeypatch):
    analysis_id = upload(client)

    def cancelled(*arguments):
        made = stored.engine(*arguments)
        assert client.post(f"/analyses/{analysis_id}/cancel").status_code == 303
        return made

    monkeypatch.setattr(run_analysis, "make_result", cancelled)
    run_analysis.work(worker)
    assert row(app, analysis_id).state == "cancelled" and bucket.names() == [NAME]


def test_a_flipped_byte_in_the_store_is_found_and_put_right(app, client, bucket, folders, worker):
    analysis_id, database = upload(client), app.extensions["database"]
    flipped = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    bucket.write(NAME, flipped)
    run_analysis.work(worker)
    failed = row(app, analysis_id)
    assert (failed.state, failed.error) == ("failed", failures.explain(DamagedExhibit()).error)
    with database.begin() as session:
        exhibit = session.scalars(select(Exhibit)).one()
    assert integrity.check(database, folders, exhibit).sha256 == digest(flipped)
    with database.begin() as session:
        assert session.get_one(Exhibit, exhibit.id).condition == "changed"
        acts = session.scalars(select(CustodyRow).order_by(CustodyRow.number)).all()
        assert json.loads(acts[-1].details)["sha256 found"] == digest(flipped)
    shutil.rmtree(folders.exhibits / digest(CONTENT)[:2])
    with pytest.raises(DamagedFile, match=digest(CONTENT)):
        folders.store.fetch(folders.exhibit(digest(CONTENT)), digest(CONTENT))
    assert not folders.exhibit(digest(CONTENT)).exists()
    upload(client)
    assert bucket.read(NAME) == CONTENT
    (aside,) = [name for name in bucket.names() if name.startswith(f"{NAME}.damaged.")]
    assert bucket.read(aside) == flipped
    with database.begin() as session:
        assert session.get_one(Exhibit, exhibit.id).condition == "fits"


def test_a_damaged_copy_in_the_data_folder_is_replaced(app, client, folders):
    analysis_id, place = upload(client), folders.exhibit(digest(CONTENT))
    place.chmod(0o600)
    place.write_bytes(b"other bytes")
    run_analysis.work(app.extensions["settings"])
    assert row(app, analysis_id).state == "done"


def test_a_bundle_has_the_exhibit_that_was_handed_in(app, client, folders, quick_reports):
    analysis_id, place = upload(client), folders.exhibit(digest(CONTENT))
    run_analysis.work(app.extensions["settings"])
    playback.save_playback(folders, digest(CONTENT), playback.Playback("exhibit", "video/mp4", 0.0, 4, 4, ""))
    place.chmod(0o600)
    place.write_bytes(b"other bytes")
    bundle = client.get(f"/analyses/{analysis_id}/bundle.zip")
    with zipfile.ZipFile(io.BytesIO(bundle.data)) as files:
        assert files.read("media/exhibit.mp4") == CONTENT


def test_a_damaged_result_is_named(app, client, bucket, worker):
    analysis_id = upload(client)
    run_analysis.work(worker)
    name = f"lab/analyses/{analysis_id}.tar"
    changed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(bucket.read(name))) as old,
        tarfile.open(fileobj=changed, mode="w") as new,
    ):
        for member in old.getmembers():
            content = old.extractfile(member).read().replace(b"manipulated", b"manipulater")
            new.addfile(member, io.BytesIO(content))
    other = upload(client, b"another clip")
    run_analysis.work(worker)  # whole, and of another exhibit
    for bytes_ in (
        bucket.read(f"lab/analyses/{other}.tar"),
        changed.getvalue(),
        b"no tar",
        bucket.read(name)[:5000],
    ):
        bucket.write(name, bytes_)
        answer = client.get(f"/analyses/{analysis_id}")
        assert answer.status_code == 500 and name in answer.text


def test_an_analysis_waits_for_what_it_needs(app, client, bucket, worker):
    analysis_id = upload(client)
    bucket.empty()
    run_analysis.work(worker)
    assert row(app, analysis_id).error == "The exhibit is not in the store."


@pytest.fixture
def closed(monkeypatch, folders):
    """The store's server is gone."""
    monkeypatch.setattr(folders.store, "_endpoint", f"http://127.0.0.1:{servers.free_port()}")
    folders.store.__dict__.pop("_files", None)
    yield folders.store._endpoint
    folders.store.__dict__.pop("_files", None)


def test_a_store_that_cannot_be_reached(app, client, folders, closed, capsys, monkeypatch):
    answer = client.post("/analyses", data={"file": (io.BytesIO(CONTENT), "clip.mp4")})
    assert answer.status_code == 503 and "The store cannot be reached" in answer.text
    assert kept(folders.exhibits) == kept(folders.incoming) == []
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(Exhibit)).all() == []
    assert "The store cannot be reached" in client.get("/readyz").text
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    monkeypatch.setenv("REELPROOF_STORE", "s3://evidence/lab")
    monkeypatch.setenv("REELPROOF_STORE_ENDPOINT", closed)
    arguments = ["bring", "0" * 32, digest(CONTENT), str(folders.data / "to"), "reelproof"]
    assert store_transfer.main(arguments, patience=0) == 3
    assert json.loads(capsys.readouterr().out)[:2] == [503, "The store cannot be reached, or failed."]
    for program in ("webapp", "webapp.worker.standalone"):
        monkeypatch.setenv("REELPROOF_DATABASE", "postgresql://nobody@127.0.0.1:1/none")
        monkeypatch.setenv("REELPROOF_BROKER", "redis://127.0.0.1:1/0")
        ended = subprocess.run([sys.executable, "-m", program], capture_output=True, text=True, timeout=200)
        assert ended.returncode == 2 and "The store cannot be reached" in ended.stderr


def test_a_result_that_cannot_be_fetched_is_there_later(app, client, bucket, worker, folders, monkeypatch):
    analysis_id = upload(client)
    run_analysis.work(worker)
    with monkeypatch.context() as gone:
        gone.setattr(folders.store, "_endpoint", f"http://127.0.0.1:{servers.free_port()}")
        folders.store.__dict__.pop("_files", None)
        assert client.get(f"/analyses/{analysis_id}").status_code == 503
        deleted = client.post(f"/analyses/{analysis_id}/delete")
        assert deleted.status_code == 503 and "The next start of Reelproof removes them" in deleted.text
    folders.store.__dict__.pop("_files", None)
    assert (folders.deletions / analysis_id).exists() and bucket.names()
    deletion.finish_deletions(app.extensions["database"], folders)
    assert bucket.names() == [] and not list(folders.deletions.iterdir())


def test_no_bucket_no_keys_no_room(app, client, bucket, folders, tmp_path, monkeypatch):
    missing = Folders.of(
        read_settings(
            {"REELPROOF_DATA": folders.data} | bucket.settings | {"REELPROOF_STORE": "s3://another"}
        )
    )
    with pytest.raises(StoreError, match="no such bucket"):
        missing.store.check()

    def full(*_arguments, **_named):
        raise OSError("full") from ClientError({"Error": {"Code": "XMinioStorageFull"}}, "PutObject")

    with monkeypatch.context() as patched:
        patched.setattr(folders.store._files, "put_file", full)
        answer = client.post("/analyses", data={"file": (io.BytesIO(CONTENT), "clip.mp4")})
        assert answer.status_code == 507 and "The store is full" in answer.text
    with bucket.asking_for_keys(), pytest.raises(StoreError, match="does not let Reelproof in"):
        folders.store.check()
    for name in stored.KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    folders.store.__dict__.pop("_files")
    with pytest.raises(StoreError, match="does not let Reelproof in"):
        folders.store.check()
    folders.store.__dict__.pop("_files")


def test_an_upload_that_comes_to_nothing_leaves_nothing(app, client, bucket, monkeypatch):
    monkeypatch.setattr("webapp.services.analyses.states.create", lambda *_, **__: 1 / 0)
    answer = client.post("/analyses", data={"file": (io.BytesIO(CONTENT), "clip.mp4")})
    assert answer.status_code == 500 and bucket.names() == []


def test_added_models_reach_workers(client, bucket, worker, monkeypatch):
    there = Folders.of(worker)
    monkeypatch.setattr(model_service, "refuse_unfit", lambda _card: None)
    assert add_model(client, *pair("mine")).status_code == 303
    model_service.fetch_all(there)
    assert model_service.card_path(there, "mine").with_suffix(".safetensors").is_file()
    card, _weights = pair("mine", title="Another one")
    bucket.write("lab/models/mine/mine.json", card)
    model_service.fetch(there, "mine")
    assert model_service.card_path(there, "mine").read_bytes() == card
    assert client.post("/models/mine/remove").status_code == 303
    assert bucket.names() == []


def test_filling_a_store_and_clearing_the_cache(app, client, bucket, folders, monkeypatch, capsys):
    for name, value in {"REELPROOF_DATA": str(folders.data), **bucket.settings}.items():
        monkeypatch.setenv(name, value)
    analysis_id = upload(client)
    run_analysis.work(app.extensions["settings"])
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
    monkeypatch.setenv("REELPROOF_STORE", "")
    assert cli.run(["fill-store"]) == 2
    assert "REELPROOF_STORE names no store" in capsys.readouterr().err


def test_workers_with_a_data_folder_of_their_own(postgresql, bucket, tmp_path):
    """As docs/deployment.md has it: rows and ids on servers, files in the store, the custody key copied."""
    redis = servers.Redis(tmp_path / "redis")
    shared = {
        "REELPROOF_DATABASE": postgresql.url,
        "REELPROOF_BROKER": redis.url,
        "REELPROOF_WORKERS": "1",
    } | bucket.settings
    app = create_app({"TESTING": True, "REELPROOF_DATA": str(tmp_path / "pages")} | shared)
    settings, database = app.extensions["settings"], app.extensions["database"]
    folders, there, log = Folders.of(settings), tmp_path / "there", tmp_path / "log"
    path = os.pathsep.join(map(str, (scaled.ROOT, HERE, HERE.parent)))
    environment = shared | {"REELPROOF_DATA": str(there), "PYTHONPATH": path}
    analysis_id = upload(app.test_client())
    end = time.monotonic() + 400
    try:
        with scaled.processes() as started:
            keyless = scaled.run(started, "-m", "webapp.worker.standalone", environment=environment, log=log)
            assert keyless.wait(60) == 2 and "custody.key is missing" in log.read_text()
            shutil.copy(settings.custody_key, there)
            scaled.run(started, str(HERE / "fake_workers.py"), environment=environment, log=log)
            while row(app, analysis_id).state in ("queued", "running"):
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.2)
        assert (row(app, analysis_id).error, row(app, analysis_id).state) == (None, "done"), log.read_text()
        assert f"lab/analyses/{analysis_id}.tar" in bucket.names()
        assert kept(there / "exhibits") == kept(there / "analyses") == []
        assert not folders.result(analysis_id).exists()
        assert app.test_client().get(f"/analyses/{analysis_id}").status_code == 200
    finally:
        redis.stop()
        database.close()


@pytest.mark.parametrize(
    "url", ["s3://", "evidence", "https://store.example/evidence", "s3://key:secret@evidence"]
)
def test_what_is_no_store(url):
    with pytest.raises(SettingError, match="s3://bucket/prefix"):
        read_settings({"REELPROOF_STORE": url})


def test_without_a_store_nothing_of_it_is_loaded(tmp_path):
    script = (
        "import sys; from webapp import create_app; "
        f"create_app({{'REELPROOF_DATA': {str(tmp_path)!r}, 'SEND': print}}); "
        "assert not {'fsspec', 's3fs', 'botocore'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_backup_holds_what_the_store_has(
    app, client, bucket, folders, worker, tmp_path, monkeypatch, capsys
):
    first, second = upload(client), upload(client, b"the bytes of another clip")
    for _ in (first, second):
        run_analysis.work(worker)
    result, name = bucket.read(f"lab/analyses/{first}.tar"), row(app, first).exhibit.path
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
        assert {each.name: new.extractfile(each).read() for each in new} == {
            each.name: old.extractfile(each).read() for each in old
        }

    bucket.write(f"lab/{row(app, second).exhibit.path}", b"something else")
    bucket.remove(f"lab/analyses/{first}.tar")
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    assert cli.run(["backup", str(tmp_path / "damaged")]) == 1
    said = capsys.readouterr().err
    assert f"Analysis {first}: analyses/{first} is missing" in said and "is not what was handed in" in said


def test_a_backup_without_files_needs_its_bucket(app, tmp_path, bucket):
    """As older versions made them of a machine with a store."""
    settings = app.extensions["settings"]
    manifest = backup.make(app.extensions["database"], settings, tmp_path / "kept")
    manifest.model_copy(update={"store": "s3://gone/lab"}).write(tmp_path / "kept")
    there = read_settings({"REELPROOF_DATA": tmp_path / "again"})
    with pytest.raises(UserError, match="s3://gone/lab"):
        restore.restore(there, tmp_path / "kept")
