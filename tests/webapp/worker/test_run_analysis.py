"""One analysis in a worker: whole results or words, whatever happens on the way."""

from __future__ import annotations

import errno

import pytest
from analyses import build
from celery.exceptions import SoftTimeLimitExceeded
from failure_words import texts_of
from made_failures import room_when_failing
from made_results import digest, engine, hand_in, write_result
from made_rows import row
from sqlalchemy.exc import OperationalError
from voices import voice

from detector.errors import MediaError, ModelError
from detector.files import publish_folder
from detector.schema.causes.cause import Cause
from detector.schema.causes.failures import FailureCode
from webapp.custody import custody_log
from webapp.exhibits.uploads import sample as sample_service
from webapp.installed_models import service as model_service
from webapp.jobs import claims, recovery
from webapp.storage.data_folder import Folders
from webapp.storage.tables import Exhibit
from webapp.worker import prepared_report, run_analysis, run_job


def test_a_result_is_published_complete_before_it_is_marked_done(
    app, settings, database, folders, monkeypatch
):
    seen = []

    def watched(job, folder, *rest):
        seen.append((job.path.read_bytes(), job.file, folder.name, folders.result(analysis_id).exists()))
        return engine(job, folder, *rest)

    monkeypatch.setattr(run_analysis, "make_analysis", watched)
    analysis_id = hand_in(app, b"the bytes", "clip.mp4").id
    run_job.work(settings)
    ((content, name, folder, there),) = seen
    assert (content, name, there) == (b"the bytes", "clip.mp4", False)
    assert folder.startswith(f".{analysis_id}.1.")
    done = row(database, analysis_id)
    assert (done.state, done.verdict, done.probability, done.progress) == ("done", "manipulated", 0.97, 1.0)
    names = {path.name for path in folders.result(analysis_id).iterdir()}
    assert names == {"analysis.json", "report.html", "report.pdf", "manifest.json", "overlays"}
    assert not list(folders.analyses.glob(".*"))
    run_job.work(settings)  # a second message finds nothing to do
    assert len(seen) == 1


def test_the_custody_log_holds_the_verdict_on_the_voices(app, settings, database, monkeypatch):
    def heard(job, folder, *_rest):
        analysis = build(folder, segments=0, file=job.file, sha256=job.path.name)
        analysis = analysis.model_copy(update={"voice": voice()})
        write_result(analysis, folder)
        return analysis

    monkeypatch.setattr(run_analysis, "make_analysis", heard)
    analysis_id = hand_in(app).id
    run_job.work(settings)
    with database.begin() as session:
        entry = custody_log.latest_entry(session, analysis_id, "analysis finished")
    assert entry is not None and entry.details["voice"] == "synthetic speech found"
    text = (Folders.local(settings.data).result(analysis_id) / "analysis.json").read_bytes()
    assert entry.details["analysis sha256"] == digest(text)


@pytest.mark.parametrize(
    ("problem", "failure"),
    [
        (SoftTimeLimitExceeded(), FailureCode.OUT_OF_TIME.cause()),
        (MemoryError(), FailureCode.OUT_OF_MEMORY.cause()),
        (OSError(errno.ENOSPC, "No space left on device"), FailureCode.DISK_FULL.cause()),
        (KeyError("a bug"), FailureCode.UNEXPECTED_ERROR.cause()),
    ],
)
def test_failures_are_explained(app, settings, database, folders, monkeypatch, problem, failure):
    def broken(_job, folder, *_rest):
        (folder / "half").write_text("half")
        raise problem

    monkeypatch.setattr(run_analysis, "make_analysis", broken)
    room = room_when_failing(monkeypatch, folders)
    analysis_id = hand_in(app).id
    run_job.work(settings)
    assert room == [True]  # for the row: what is unfinished may have filled the disk
    failed = row(database, analysis_id)
    assert (failed.state, failed.error, failed.remedy) == ("failed", *texts_of(failure))
    assert Cause.model_validate_json(failed.failure) == failure
    with database.begin() as session:
        entry = custody_log.latest_entry(session, analysis_id, "analysis failed")
    assert entry.details["cause"] == failed.failure and entry.details["error"] == failure.text
    assert list(folders.analyses.iterdir()) == []


@pytest.mark.parametrize("kind", [MediaError, ModelError])
def test_messages_of_the_engine_are_shown(app, settings, database, monkeypatch, kind):
    def broken(*_arguments):
        raise kind("The weights are damaged; train or copy them again.")

    monkeypatch.setattr(run_analysis, "make_analysis", broken)
    analysis_id = hand_in(app).id
    run_job.work(settings)
    assert row(database, analysis_id).error == "The weights are damaged; train or copy them again."
    # What a file needs, only the engine knows: its words hold the remedy.
    assert bool(row(database, analysis_id).remedy) == (kind is ModelError)


def test_a_complete_result_of_a_lost_attempt_is_kept(app, settings, database, folders, monkeypatch):
    analysis_id = hand_in(app).id
    folder = folders.result(analysis_id)
    folder.mkdir()
    write_result(build(folder, segments=1), folder)
    claims.claim_analysis(database, analysis_id)  # published, and lost before it was marked
    recovery.requeue_running(database, count_attempt=True)
    monkeypatch.setattr(run_analysis, "make_analysis", lambda *_: pytest.fail("it was done already"))
    run_job.work(settings)
    done = row(database, analysis_id)
    assert (done.state, done.attempt, done.verdict) == ("done", 2, "manipulated")


def test_a_lost_attempt_publishes_nothing(app, settings, database, folders, monkeypatch):
    def slow(job, folder, _progress, limits, _ready):
        recovery.requeue_running(database, count_attempt=True)
        return engine(job, folder, lambda *_: None, limits)

    monkeypatch.setattr(run_analysis, "make_analysis", slow)
    analysis_id = hand_in(app).id
    run_job.work(settings)
    assert row(database, analysis_id).state == "queued"
    assert list(folders.analyses.iterdir()) == []


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (model_service, "default_model"),
        (claims, "record_heartbeat"),
        (prepared_report, "_is_job_waiting"),
        (claims, "finish_analysis"),
    ],
)
def test_a_restarting_database_fails_no_analysis(app, settings, database, monkeypatch, where, name):
    monkeypatch.setattr(run_analysis, "make_analysis", engine)
    monkeypatch.setattr(run_analysis.time, "sleep", lambda _: None)
    monkeypatch.setattr(prepared_report, "_render_confined", lambda *_: None)
    analysis_id, ask, missed = hand_in(app).id, getattr(where, name), []

    def restarting(*asked):
        # Progress, whose heartbeats name a stage, may get lost.
        if not missed and not (name == "record_heartbeat" and len(asked) > 2):
            missed.append(name)
            raise OperationalError("", {}, Exception("terminating connection due to administrator command"))
        return ask(*asked)

    monkeypatch.setattr(where, name, restarting)
    run_job.work(settings, around_finish=prepared_report.prepared)
    assert missed and row(database, analysis_id).state == "done"


def test_progress_is_written_a_few_times_a_second(app, database):
    held = claims.claim_analysis(database, hand_in(app).id)
    clock = 0.0
    report = run_job.reporter(database, held, clock=lambda: clock)
    written = []
    for step in range(100):
        clock = step / 50
        report("scoring", step / 100)
        written.append(row(database, held.job_id).progress)
    assert len(set(written)) == 5
    before = row(database, held.job_id).heartbeat
    clock += 1
    report("scoring", 0.99)  # nothing new, but alive
    assert row(database, held.job_id).heartbeat > before
    recovery.requeue_running(database, count_attempt=True)
    clock += 1
    with pytest.raises(claims.LostClaim):
        report("scoring", 1.0)


def test_publishing_never_replaces_a_result(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "file").write_text(name)
    for name in ("first", "second"):
        publish_folder(tmp_path / name, tmp_path / "place")
    assert (tmp_path / "place" / "inner" / "file").read_text() == "first"
    with pytest.raises(OSError):
        publish_folder(tmp_path / "second", tmp_path / "missing" / "place")


def test_the_sample_is_added_once(app, settings, database, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr("detector.demo_clip.make_sample", lambda path: path.write_bytes(b"sample"))
    assert sample_service.sample_missing(database)
    for _ in range(2):
        sample_service.add_sample(settings, database, sent.append)
    assert len(sent) == 1 and not sample_service.sample_missing(database)
    sample = row(database, sent[0])
    assert (sample.file, sample.state) == (sample_service.SAMPLE_FILE, "queued")
    assert not list(Folders.local(settings.data).analyses.iterdir())


def test_a_sample_that_cannot_be_made_is_tried_again(app, settings, database, monkeypatch):
    def broken(_path):
        raise RuntimeError

    monkeypatch.setattr("detector.demo_clip.make_sample", broken)
    with pytest.raises(RuntimeError):
        sample_service.add_sample(settings, database, lambda _id: None)
    assert sample_service.sample_missing(database)
    with database.begin() as session:
        assert session.query(Exhibit).count() == 0
