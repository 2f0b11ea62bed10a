"""The engine that waits for an exhibit: the same result, for its own model alone, and ended in any case."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import skimage
from made_comparisons import queued
from made_results import hand_in
from PIL import Image

from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER
from detector.sandbox import Limits
from detector.sandbox.confined_process import folder_of_this_process
from detector.sandboxed_engine import EngineJob
from detector.schema.analysis import Analysis, Parameters
from webapp.jobs import states
from webapp.settings import read_settings
from webapp.worker import ready_engine, run_analysis, run_job
from webapp.worker.ready_engine import EngineSlot, ReadyEngine

CARD = MODELS_FOLDER / f"{DEFAULT_MODEL}.json"
LIMITS = Limits()


@pytest.fixture
def without_networks(monkeypatch):
    """Getting ready takes seconds, which only the test of the result needs."""
    monkeypatch.setattr(ready_engine, "_preload", Path)
    monkeypatch.setattr(ready_engine, "_preload_heatmaps", Path)


@pytest.fixture
def engine(settings, folders):
    engine = ReadyEngine(settings)
    yield engine
    engine.close()
    assert list(folders.ready.iterdir()) == []


def result(path: Path, folder: Path, ready: ReadyEngine | None, model: Path = CARD) -> Analysis:
    folder.mkdir()
    job = EngineJob(path, "photo.png", model, Parameters())
    return run_analysis.make_analysis(job, folder, lambda *_: None, LIMITS, ready)


def test_the_ready_engine_gives_the_same_result_as_a_new_process(engine, folders):
    photo = folders.exhibits / "photo"
    Image.fromarray(skimage.data.astronaut()[:300, 80:380]).save(photo, "PNG")
    made = [result(photo, folders.analyses / name, ready) for name, ready in (("a", engine), ("b", None))]
    ready, own = (analysis.model_dump(exclude={"software": {"created"}}) for analysis in made)
    assert ready == own and ready["probability"] is not None
    names = [{path.name for path in (folders.analyses / name).rglob("*")} for name in "ab"]
    assert names[0] == names[1] >= {"analysis.json", "photo.png", "fingerprint.bin"}


def test_the_ready_engine_refuses_another_model(engine, folders, without_networks, tmp_path):
    other = MODELS_FOLDER / "efficientnet-lstm.json"
    job = EngineJob(folders.exhibits / "x", "x.png", other, Parameters())
    assert not engine.make(job, folders.analyses / "x", lambda *_: None)


@pytest.fixture
def added(folders, settings) -> Path:
    place = folders.models / "mine"
    place.mkdir()
    return Path(shutil.copy(CARD, place / "mine.json"))


def test_the_ready_engine_refuses_a_replaced_model(added, settings, folders, without_networks, monkeypatch):
    monkeypatch.setattr(ready_engine.model_service, "default_model", lambda *_: "mine")
    engine = ReadyEngine(settings)
    added.write_text(added.read_text() + "\n")
    job = EngineJob(folders.exhibits / "x", "x.png", added, Parameters())
    assert not engine.make(job, folders.analyses / "x", lambda *_: None)
    engine.close()


def test_the_ready_engine_ends_for_a_comparison(app, settings, folders, monkeypatch, without_networks):
    exhibit, original = hand_in(app, b"a", "a.mp4"), hand_in(app, b"b", "b.mp4")
    for row in (exhibit, original):
        states.cancel(app.extensions["database"], row.id)
    queued(app, exhibit, original)
    monkeypatch.setattr(run_job, "_compare", lambda *_: None)
    run_job.work(settings, ready=ReadyEngine(settings))
    assert list(folders.ready.iterdir()) == []


def test_no_engine_waits_unless_enabled(settings, folders, without_networks):
    mine = folder_of_this_process(folders.ready)
    left = Path(str(mine).replace(f"-{os.getpid()}-", f"-{10**9}-"))  # no process has such a number
    elsewhere = folders.ready / f".reelproof-0123456789ab-{10**9}-1-x"  # in another container, at work
    for folder in (left, elsewhere):
        (folder / "given").mkdir(parents=True)
        (folder / "given" / "exhibit").touch()
    waiting = EngineSlot(settings)  # of tests: none
    waiting.start()
    assert waiting.take() is None and set(folders.ready.iterdir()) == {mine, elsewhere}
    for folder in (mine, elsewhere):
        shutil.rmtree(folder)

    waiting = EngineSlot(read_settings({"REELPROOF_DATA": settings.data, "REELPROOF_READY_SECONDS": 600}))
    waiting.start()
    assert len(list(folders.ready.iterdir())) == 2
    waiting.give_up()
    assert list(folders.ready.iterdir()) == [] and waiting.take() is None


def test_no_engine_waits_when_memory_is_short(settings, folders, without_networks, monkeypatch):
    monkeypatch.setattr(ready_engine, "_available_memory", lambda: 1_500_000_000)
    waiting = EngineSlot(read_settings({"REELPROOF_DATA": settings.data, "REELPROOF_READY_SECONDS": 600}))
    waiting.start()
    assert waiting.take() is None and list(folders.ready.iterdir()) == []


def test_an_engine_that_cannot_start_is_not_fatal(settings, monkeypatch, caplog):
    def broken(_settings):
        raise OSError("no memory")

    monkeypatch.setattr(ready_engine, "ReadyEngine", broken)
    waiting = EngineSlot(read_settings({"REELPROOF_DATA": settings.data, "REELPROOF_READY_SECONDS": 600}))
    waiting.start()
    assert waiting.take() is None and "no memory" in caplog.text
