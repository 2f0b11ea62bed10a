"""An S3-compatible store on loopback, a machine with pages, and one that only runs workers."""

from __future__ import annotations

import object_store_server
import pytest
from made_results import engine

from webapp.storage.data_folder import Folders
from webapp.worker import run_analysis


@pytest.fixture(scope="session")
def server():
    server = object_store_server.Bucket()
    yield server
    server.close()


@pytest.fixture
def bucket(server):
    yield server
    server.empty()


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name, value in object_store_server.KEYS.items():
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
    monkeypatch.setattr(run_analysis, "make_analysis", engine)
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr(run_analysis, "make_confined_thumbnail", lambda *_: None)
        monkeypatch.setattr(run_analysis.previews, "prepare_playback", lambda *_: None)


@pytest.fixture
def folders(app):
    return Folders.of(app.extensions["settings"])


@pytest.fixture
def worker(app, tmp_path):
    """Settings of a machine that only works."""
    settings = object_store_server.other_machine(app, tmp_path / "worker")
    Folders.local(settings.data).create()
    return settings
