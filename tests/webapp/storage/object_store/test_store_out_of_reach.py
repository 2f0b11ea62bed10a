"""A store that is unreachable, denies access or is full; and invalid settings."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import subprocess
import sys
import threading
import time

import object_store_server
import pytest
import servers
from botocore.exceptions import ClientError
from made_results import digest
from object_store_server import CONTENT, kept, upload
from s3fs import S3FileSystem
from sqlalchemy import select

from webapp.errors import StoreError
from webapp.exhibits import deletion
from webapp.operations import health
from webapp.settings import SettingError, read_settings
from webapp.storage import object_store
from webapp.storage.data_folder import Folders
from webapp.storage.tables import Exhibit
from webapp.worker import run_job, store_transfer


@pytest.fixture
def asked_once(monkeypatch):
    """What does not answer is not asked fifteen times, which takes seconds."""
    monkeypatch.setattr(S3FileSystem, "retries", 1)
    monkeypatch.setattr(object_store, "_CONFIG", object_store._CONFIG | {"retries": {"max_attempts": 0}})


@pytest.fixture
def closed(monkeypatch, folders, asked_once):
    """The store's server is gone."""
    monkeypatch.setattr(folders.store, "_endpoint", f"http://127.0.0.1:{servers.free_port()}")
    folders.store.__dict__.pop("_files", None)
    yield folders.store._endpoint
    folders.store.__dict__.pop("_files", None)


def test_unreachable_store(app, client, folders, closed, capsys, monkeypatch):
    answer = client.post("/analyses", data={"file": (io.BytesIO(CONTENT), "clip.mp4")})
    assert answer.status_code == 503 and "The store cannot be reached" in answer.text
    assert kept(folders.exhibits) == kept(folders.incoming) == []
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(Exhibit)).all() == []
    assert "The store cannot be reached" in client.get("/readyz").text
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    monkeypatch.setenv("REELPROOF_STORE", "s3://evidence/lab")
    monkeypatch.setenv("REELPROOF_STORE_ENDPOINT", closed)
    arguments = ["fetch_inputs", "0" * 32, digest(CONTENT), str(folders.data / "to"), "reelproof"]
    assert store_transfer.main(arguments, patience=0) == 3
    assert json.loads(capsys.readouterr().out)[:2] == [503, "The store cannot be reached, or failed."]
    monkeypatch.setenv("REELPROOF_DATABASE", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("REELPROOF_BROKER", "redis://127.0.0.1:1/0")
    both = [
        subprocess.Popen([sys.executable, "-m", program], stderr=subprocess.PIPE, text=True)
        for program in ("webapp", "webapp.worker.standalone")
    ]
    for process in both:
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 2 and "The store cannot be reached" in errors


@pytest.fixture
def hangs(monkeypatch, folders):
    """A store that takes connections and never answers, and how many there were."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        monkeypatch.setattr(folders.store, "_endpoint", f"http://127.0.0.1:{server.getsockname()[1]}")
        folders.store.__dict__.pop("_files", None)
        yield taken
        server.shutdown(socket.SHUT_RDWR)
    folders.store.__dict__.pop("_files", None)
    for link in taken:
        link.close()


def test_hanging_store_does_not_block_requests(client, folders, hangs, monkeypatch):
    monkeypatch.setattr(health, "_STORE_TIMEOUT", 0.5)
    monkeypatch.setattr(object_store, "_TIMEOUT", 0.3)
    health.probe_of.cache_clear()
    monkeypatch.setattr(health, "_STORE_CACHED_FOR", 600.0)
    waits: list[float | None] = []
    wait = threading.Event.wait

    def counted(event: threading.Event, timeout: float | None = None) -> bool:
        waits.append(timeout)
        return wait(event, timeout)

    monkeypatch.setattr(threading.Event, "wait", counted)
    answers = [client.get("/readyz") for _ in range(10)]
    assert waits.count(0.5) == 1, "one of them waits, and half a second"
    assert all("The store cannot be reached" in answer.text for answer in answers)
    assert len(hangs) <= 1
    for ask in (folders.store.size, folders.store.fetch, folders.store.remove):
        began = time.monotonic()
        with pytest.raises(StoreError, match="cannot be reached"):
            ask(folders.data / "analyses" / "none")
        assert time.monotonic() - began < 60
    with pytest.raises(StoreError, match="cannot be reached"), folders.store.opened(folders.data / "none"):
        pass


def test_one_store_probe_serves_many_requests(folders, monkeypatch):
    asked = []
    monkeypatch.setattr(folders.store, "size", asked.append)
    probe = health.StoreProbe(folders)
    assert {probe.problem() for _ in range(5)} == {""} and len(asked) == 1
    monkeypatch.setattr(health, "_STORE_CACHED_FOR", 0)
    later = health.StoreProbe(folders)
    assert {later.problem() for _ in range(5)} == {""} and len(asked) == 6


def test_result_is_available_after_an_outage(app, client, bucket, worker, folders, monkeypatch, asked_once):
    analysis_id = upload(client)
    run_job.work(worker)
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


def test_missing_bucket_wrong_keys_and_full_store(app, client, bucket, folders, tmp_path, monkeypatch):
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
    with bucket.asking_for_keys(), pytest.raises(StoreError, match="denies access to Reelproof"):
        folders.store.check()
    for name in object_store_server.KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    folders.store.__dict__.pop("_files")
    with pytest.raises(StoreError, match="denies access to Reelproof"):
        folders.store.check()
    folders.store.__dict__.pop("_files")


def test_failed_upload_leaves_nothing(app, client, bucket, monkeypatch):
    monkeypatch.setattr("webapp.exhibits.service.states.create_analysis", lambda *_, **__: 1 / 0)
    answer = client.post("/analyses", data={"file": (io.BytesIO(CONTENT), "clip.mp4")})
    assert answer.status_code == 500 and bucket.names() == []


@pytest.mark.parametrize(
    "url", ["s3://", "evidence", "https://store.example/evidence", "s3://key:secret@evidence"]
)
def test_invalid_store_urls_are_rejected(url):
    with pytest.raises(SettingError, match="s3://bucket/prefix"):
        read_settings({"REELPROOF_STORE": url})
