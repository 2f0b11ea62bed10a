"""The sample of a new data folder, created by a worker at the first start."""

from __future__ import annotations

import json
from typing import Any

from webapp.exhibits.uploads.sample import SAMPLE_FILE
from webapp.jobs import broker
from webapp.serve import resend
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow
from webapp.worker import celery_worker
from webapp.worker.ready_engine import EngineSlot


def test_a_worker_creates_the_sample_once(app, settings, database, monkeypatch):
    monkeypatch.setattr("detector.demo_clip.make_sample", lambda path: path.write_bytes(b"sample"))
    worker = celery_worker.make_worker(settings, EngineSlot(settings))
    resend(settings, app)
    assert _sent_tasks(settings) == [broker.SAMPLE, broker.FINGERPRINTS]
    worker.tasks[broker.SAMPLE]()
    assert _sent_tasks(settings) == [broker.SAMPLE, broker.FINGERPRINTS, broker.ANALYSE]
    with database.begin() as session:
        (row,) = session.query(AnalysisRow).all()
        assert (row.file, row.state) == (SAMPLE_FILE, "queued")
    resend(settings, app)
    assert _sent_tasks(settings) == [broker.ANALYSE, broker.FINGERPRINTS]


def _sent_tasks(settings: Any) -> list[str]:
    """The waiting tasks in order."""
    messages = sorted(Folders.local(settings.data).broker.glob("messages/*.msg"))
    return [json.loads(path.read_text())["headers"]["task"] for path in messages]
