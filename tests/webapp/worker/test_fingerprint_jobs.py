"""Fingerprints in a worker: kept while an analysis runs, and made for exhibits that have none."""

from __future__ import annotations

from made_fingerprints import film, fingerprint
from made_results import finished, hand_in, made_result
from made_rows import count

from detector.errors import MediaError, SoundOnlyError
from webapp.storage.data_folder import Folders
from webapp.storage.tables import FingerprintRow, MatchRow
from webapp.worker import fingerprint_jobs, run_analysis, run_job

FILM = film(1, 2, seconds=3)


def engine_that_writes(content: bytes, kept: list[int], database):
    def engine(job, folder, progress, *_rest):
        (folder / fingerprint_jobs.FINGERPRINT).write_bytes(content)
        progress("second check", 0.8)
        kept.append(count(database, FingerprintRow))
        return made_result(job.path, job.file, folder)

    return engine


def test_the_fingerprint_is_stored_during_the_analysis_and_not_part_of_the_result(
    app, settings, database, monkeypatch
):
    kept: list[int] = []
    engine = engine_that_writes(fingerprint(FILM).to_bytes(), kept, database)
    monkeypatch.setattr(run_analysis, "make_analysis", engine)
    ids = [hand_in(app, content).id for content in (b"one", b"two")]
    for _ in ids:
        run_job.work(settings)
    assert kept == [1, 2] and count(database, MatchRow) == 1
    folders = Folders.local(settings.data)
    for analysis_id in ids:
        assert not (folders.result(analysis_id) / fingerprint_jobs.FINGERPRINT).exists()


def test_an_analysis_does_not_fail_without_fingerprint(app, settings, database, monkeypatch, caplog):
    monkeypatch.setattr(run_analysis, "make_analysis", engine_that_writes(b"broken", [], database))
    analysis_id = hand_in(app).id
    run_job.work(settings)
    assert app.test_client().get(f"/api/v1/analyses/{analysis_id}").json["state"] == "done"
    assert count(database, FingerprintRow) == 0 and "is not remembered" in caplog.text


def test_that_a_recording_has_no_fingerprint_is_no_warning(app, settings, database, monkeypatch, caplog):
    def fingerprint_of(*_given):
        raise SoundOnlyError("sound but no picture")

    monkeypatch.setattr(fingerprint_jobs, "fingerprint", fingerprint_of)
    finished(app, segments=0)
    assert fingerprint_jobs.make_missing(settings, database) is False
    assert count(database, FingerprintRow) == 1 and "fingerprint" not in caplog.text


def test_missing_fingerprints_are_made_until_a_job_waits(app, settings, database, monkeypatch):
    made = []

    def fingerprint_of(exhibit, folder, _settings):
        assert folder.is_dir()
        made.append(exhibit.name)
        if exhibit.name == broken:
            raise MediaError("no frame")
        return fingerprint(FILM)

    monkeypatch.setattr(fingerprint_jobs, "fingerprint", fingerprint_of)
    rows = [finished(app, file=f"{name}.mp4", segments=0) for name in ("one", "two", "broken")]
    broken = rows[2].exhibit.sha256
    assert fingerprint_jobs.make_missing(settings, database) is False
    assert made == [row.exhibit.sha256 for row in reversed(rows)]
    assert count(database, FingerprintRow) == 3 and count(database, MatchRow) == 1
    assert fingerprint_jobs.make_missing(settings, database) is False and len(made) == 3
    assert not list(Folders.local(settings.data).analyses.glob(".*"))


def test_a_waiting_job_comes_first_and_a_turn_ends(app, settings, database, monkeypatch):
    monkeypatch.setattr(fingerprint_jobs, "fingerprint", lambda *_: fingerprint(FILM))
    finished(app, segments=0)
    monkeypatch.setattr(fingerprint_jobs, "_TURN", -1.0)
    assert fingerprint_jobs.make_missing(settings, database) is True
    hand_in(app, b"waits")
    assert fingerprint_jobs.make_missing(settings, database) is False
    assert count(database, FingerprintRow) == 0
