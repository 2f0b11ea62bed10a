"""Two machines that share no folder: both read and delete what the other stored."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import machines
import made_comparisons
import servers
from made_comparisons import queued
from made_models import add_model, pair
from made_results import engine
from made_rows import row_of
from object_store_server import CONTENT, NAME, kept, upload

from webapp import create_app
from webapp.exhibits import results
from webapp.installed_models import service as model_service
from webapp.storage.data_folder import Folders
from webapp.storage.object_store import RemoteStore
from webapp.storage.tables import ComparisonRow
from webapp.worker import run_analysis, run_job
from webapp.worker import run_analysis as worker_run_analysis

HERE = Path(__file__).resolve().parents[2]


def test_upload_analyse_and_read_on_different_machines(
    app, client, bucket, folders, worker, pictures, quick_reports
):
    analysis_id = upload(client)
    assert bucket.names() == [NAME] and bucket.read(NAME) == CONTENT
    run_job.work(worker)
    assert (row_of(app, analysis_id).state, row_of(app, analysis_id).error) == ("done", None)
    assert f"lab/analyses/{analysis_id}.tar" in bucket.names()
    there = Folders.local(worker.data)
    for folder in (there.exhibits, there.analyses, there.previews, there.thumbnails):
        assert kept(folder) == []  # nobody deletes anything there
    for report in ("report.pdf", "analysis.json"):
        assert not folders.result(analysis_id).exists()
        results.result_cache.clear()
        assert client.get(f"/analyses/{analysis_id}").status_code == 200
        answer = client.get(f"/analyses/{analysis_id}/{report}")
        assert answer.status_code == 200 and len(answer.data) > 5_000
        assert client.get(f"/analyses/{analysis_id}/thumbnail").mimetype == "image/jpeg"
        assert f"/analyses/{analysis_id}/thumbnail" in client.get("/analyses").text
        results.refuse_damaged(folders.result(analysis_id))
        for path in (folders.result(analysis_id), *folders.reports.iterdir(), *folders.exhibits.iterdir()):
            shutil.rmtree(path)
        folders.thumbnail(analysis_id).unlink()
    assert not list(folders.analyses.glob(".*"))


def test_compare_on_one_machine_and_read_on_another(app, client, bucket, folders, worker, monkeypatch):
    rows = []
    for content in (CONTENT, b"the bytes of its original"):
        rows.append(upload(client, content))
        run_job.work(worker)
    comparison = queued(app, *(row_of(app, analysis_id) for analysis_id in rows))

    def compare(exhibit, reference, folder, *rest):
        assert (exhibit.read_bytes(), reference.read_bytes()) == (CONTENT, b"the bytes of its original")
        return made_comparisons.engine(exhibit, reference, folder, *rest)

    monkeypatch.setattr(worker_run_analysis, "make_comparison", compare)
    run_job.work(worker)
    with app.extensions["database"].begin() as session:
        done = session.get_one(ComparisonRow, comparison.id)
    assert (done.state, done.error) == ("done", None)
    name = f"lab/comparisons/{comparison.id}.tar"
    there = Folders.local(worker.data)
    assert name in bucket.names() and kept(there.comparisons) == kept(there.analyses) == []
    assert not folders.comparison(comparison.id).exists()
    assert "One face differs" in client.get(f"/comparisons/{comparison.id}").text
    assert folders.comparison(comparison.id).exists()
    assert client.post(f"/analyses/{rows[1]}/delete").status_code == 303
    assert name not in bucket.names() and not folders.comparison(comparison.id).exists()


def test_deleting_empties_the_store(app, client, bucket, folders, worker):
    analysis_id, other = upload(client), upload(client)
    for _ in (analysis_id, other):
        run_job.work(worker)
    assert client.post(f"/analyses/{analysis_id}/delete").status_code == 303
    assert NAME in bucket.names() and not [name for name in bucket.names() if analysis_id in name]
    assert client.post(f"/analyses/{other}/delete").status_code == 303
    assert bucket.names() == []


def test_result_of_a_cancelled_attempt_is_removed(app, client, bucket, worker, monkeypatch):
    analysis_id = upload(client)

    def cancelled(*arguments):
        made = engine(*arguments)
        assert client.post(f"/analyses/{analysis_id}/cancel").status_code == 303
        return made

    monkeypatch.setattr(run_analysis, "make_analysis", cancelled)
    run_job.work(worker)
    assert row_of(app, analysis_id).state == "cancelled" and bucket.names() == [NAME]


def test_added_models_reach_workers(client, bucket, worker, monkeypatch):
    there = Folders.of(worker)
    monkeypatch.setattr(model_service, "check_model", lambda _card: None)
    assert add_model(client, *pair("mine")).status_code == 303
    model_service.fetch_all_models(there)
    assert model_service.card_path(there, "mine").with_suffix(".safetensors").is_file()
    card, _weights = pair("mine", title="Another one")
    bucket.write("lab/models/mine/mine.json", card)
    model_service.fetch_model(there, "mine")
    assert model_service.card_path(there, "mine").read_bytes() == card
    assert client.post("/models/mine/remove").status_code == 303
    assert bucket.names() == []


def test_storing_weights_does_not_lock_the_database(app, client, bucket, monkeypatch):
    put, waited = RemoteStore.put, []

    def slow(self, source, path):
        if path.suffix == ".safetensors":
            file = app.extensions["database"].engine.url.database
            with closing(sqlite3.connect(file, timeout=0)) as other:
                other.execute("BEGIN IMMEDIATE")  # raises where somebody else writes
            waited.append(path.name)
        put(self, source, path)

    monkeypatch.setattr(RemoteStore, "put", slow)
    monkeypatch.setattr(model_service, "check_model", lambda _card: None)
    assert add_model(client, *pair("mine")).status_code == 303
    assert waited == ["mine.safetensors"]


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
    path = os.pathsep.join(map(str, (machines.ROOT, HERE, HERE.parent)))
    environment = shared | {"REELPROOF_DATA": str(there), "PYTHONPATH": path}
    analysis_id = upload(app.test_client())
    end = time.monotonic() + 400
    try:
        with machines.processes() as started:
            keyless = machines.run(
                started, "-m", "webapp.worker.standalone", environment=environment, log=log
            )
            assert keyless.wait(60) == 2 and "custody.key is missing" in log.read_text()
            shutil.copy(settings.custody_key, there)
            machines.run(started, str(HERE / "fake_standalone.py"), environment=environment, log=log)
            while row_of(app, analysis_id).state in ("queued", "running"):
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.2)
        assert (row_of(app, analysis_id).error, row_of(app, analysis_id).state) == (None, "done"), (
            log.read_text()
        )
        assert f"lab/analyses/{analysis_id}.tar" in bucket.names()
        assert kept(there / "exhibits") == kept(there / "analyses") == []
        assert not folders.result(analysis_id).exists()
        assert app.test_client().get(f"/analyses/{analysis_id}").status_code == 200
    finally:
        redis.stop()
        database.close()
