"""Cancel, retry, pause, prioritise and repeat analyses: rows, files and messages."""

from __future__ import annotations

import io
import json
import re
import threading
import time

import pytest
from made_models import put_model
from made_results import finished, hand_in
from made_rows import count, retry, row
from sqlalchemy import select
from waiting import PATIENCE, until

from detector import sandboxed_engine
from detector.errors import MediaError, NotOpenedError
from detector.models.model_files import DEFAULT_MODEL
from detector.schema.causes.failures import FailureCode, cause_of, remedy_of
from webapp.jobs import claims, failures, recovery, states
from webapp.jobs import queue as job_queue
from webapp.storage.tables import AnalysisRow, CustodyRow, Exhibit, Priority, State, now
from webapp.worker import run_analysis, run_job


class TestCancel:
    def test_a_cancelled_queued_analysis_never_starts(self, app, client, database):
        queued = hand_in(app)
        answer = client.post(f"/analyses/{queued.id}/cancel")
        assert answer.status_code == 303 and answer.location == f"/analyses/{queued.id}"
        assert row(database, queued.id).state == "cancelled"
        assert claims.claim_analysis(database, queued.id) is None
        text = client.get(f"/analyses/{queued.id}").text
        assert "The analysis was cancelled" in text and "Retry" in text

    def test_a_cancelled_running_analysis_never_finishes(self, app, client, database):
        held = claims.claim_analysis(database, hand_in(app).id)
        claims.record_heartbeat(database, held, "scoring", 0.4)
        state = client.post(f"/api/v1/analyses/{held.job_id}/cancel").json
        assert (state["state"], state["progress"]) == ("cancelled", 0.4)
        for act in (
            lambda: claims.record_heartbeat(database, held),
            lambda: claims.record_heartbeat(database, held, "scoring", 0.5),
            lambda: claims.finish_analysis(database, held, claims.RecordedResult("manipulated", 0.9, 60.0)),
        ):
            with pytest.raises(claims.LostClaim):
                act()
        claims.fail_job(database, held, FailureCode.UNEXPECTED_ERROR.cause())
        stopped = row(database, held.job_id)
        assert (stopped.state, stopped.verdict, stopped.error) == ("cancelled", None, None)

    def test_ended_analyses_are_refused(self, app, client, database):
        done, failed = finished(app), hand_in(app)
        claims.fail_job(database, claims.claim_analysis(database, failed.id), FailureCode.CRASHED.cause())
        for ended in (done, failed):
            before = row(database, ended.id).state
            answer = client.post(f"/analyses/{ended.id}/cancel")
            assert answer.status_code == 409 and "ended already" in answer.text
            assert row(database, ended.id).state == before

    def test_cancelling_twice_changes_nothing(self, app, client, database):
        queued = hand_in(app)
        assert [client.post(f"/analyses/{queued.id}/cancel").status_code for _ in range(2)] == [303, 303]

    def test_the_engine_stops_at_once(self, app, database, folders, monkeypatch):
        """Although progress is written only now and then."""
        started, ended = threading.Event(), []

        def engine(_job, folder, progress, *_rest):
            (folder / "half").write_text("half")
            started.set()
            for _ in range(12_000):
                progress("scoring", 0.5)
                time.sleep(0.01)
            pytest.fail("nobody stopped it")

        monkeypatch.setattr(run_analysis, "make_analysis", engine)
        analysis_id = hand_in(app).id

        def cancel() -> None:
            started.wait(PATIENCE)
            states.cancel(database, analysis_id)

        canceller = threading.Thread(target=cancel)
        canceller.start()
        run_job.work(app.extensions["settings"], end=lambda: ended.append("forced"))
        canceller.join()
        stopped = row(database, analysis_id)
        assert stopped.state == "cancelled" and ended == []
        assert (now() - stopped.finished).total_seconds() < 30, "of the two minutes that it would go on for"
        assert list(folders.analyses.iterdir()) == []

    @pytest.mark.parametrize(("act", "state"), [(states.cancel, "cancelled"), (states.pause, "paused")])
    def test_a_silent_engine_is_terminated(self, app, database, folders, monkeypatch, act, state):
        monkeypatch.setattr(sandboxed_engine, "run_engine", silent)
        analysis_id = hand_in(app).id
        stopped: list[float] = []

        def stop() -> None:
            until(lambda: list(folders.analyses.glob(".*/half")), "it does not begin")
            act(database, analysis_id)
            stopped.append(time.monotonic())

        stopper = threading.Thread(target=stop)
        stopper.start()
        run_job.work(app.extensions["settings"])
        stopper.join()
        assert time.monotonic() - stopped[0] < PATIENCE, "of the ten minutes that it would go on for"
        assert row(database, analysis_id).state == state
        assert list(folders.analyses.iterdir()) == []


def silent(_model, _path, folder, _job, _progress):
    """An engine that reports nothing."""
    (folder / "half").write_text("half")
    time.sleep(600)


class TestRetry:
    def test_failed_and_cancelled_analyses_are_queued_again(self, app, client, database, sent):
        failed, cancelled = hand_in(app, b"1"), hand_in(app, b"2")
        claims.fail_job(database, claims.claim_analysis(database, failed.id), FailureCode.CRASHED.cause())
        claims.claim_analysis(database, cancelled.id)
        states.cancel(database, cancelled.id)
        for stopped in (failed, cancelled):
            assert client.post(f"/analyses/{stopped.id}/retry").location == f"/analyses/{stopped.id}"
            again = row(database, stopped.id)
            assert (again.state, again.attempt, again.progress) == ("queued", 0, 0.0)
            assert (again.error, again.remedy, again.finished, again.started) == (None,) * 4
            assert claims.claim_analysis(database, stopped.id).attempt == 1
        assert sent == [failed.id, cancelled.id]

    def test_done_and_queued_analyses_are_not_retried(self, app, client, database, sent):
        done, queued = finished(app), hand_in(app, b"q")
        answer = client.post(f"/analyses/{done.id}/retry")
        assert answer.status_code == 409 and "analyse the exhibit again" in answer.text
        assert row(database, done.id).state == "done"
        assert client.post(f"/analyses/{queued.id}/retry").status_code == 303
        assert sent == []

    def test_a_cancelled_attempt_cannot_change_the_retry(self, app, database):
        """Both are attempt one; the cancelled one may take two seconds to notice."""
        queued = hand_in(app)
        first = claims.claim_analysis(database, queued.id)
        states.cancel(database, queued.id)
        retry(database, queued.id)
        second = claims.claim_analysis(database, queued.id)
        assert first.attempt == second.attempt == 1 and first.name != second.name
        with pytest.raises(claims.LostClaim):
            claims.record_heartbeat(database, first, "scoring", 0.9)
        with pytest.raises(claims.LostClaim):
            claims.finish_analysis(database, first, claims.RecordedResult("manipulated", 0.9))
        claims.fail_job(database, first, FailureCode.UNEXPECTED_ERROR.cause())
        assert row(database, queued.id).state == "running"
        claims.record_heartbeat(database, second, "scoring", 0.1)


class TestPause:
    def test_a_paused_analysis_is_not_run_until_resumed(self, app, client, database, sent):
        queued = hand_in(app)
        page = client.get(f"/analyses/{queued.id}").text
        assert f'action="/analyses/{queued.id}/pause"' in page
        for _ in range(2):  # twice is once
            assert client.post(f"/analyses/{queued.id}/pause").location == f"/analyses/{queued.id}"
        assert row(database, queued.id).state == "paused"
        text = client.get(f"/analyses/{queued.id}").text
        assert "The analysis is paused" in text and "starts again" in text and "refresh" not in text
        assert "Paused" in client.get("/analyses?state=paused").text
        assert client.get(f"/analyses/{queued.id}/report.pdf").status_code == 409
        refused = client.post(f"/analyses/{queued.id}/retry")
        assert refused.status_code == 409 and "Resume it." in refused.text
        assert client.post(f"/analyses/{queued.id}/resume", data={"back": ""}).location == "/analyses"
        assert client.post(f"/analyses/{queued.id}/resume").status_code == 303
        assert row(database, queued.id).state == "queued" and sent == [queued.id]

    def test_a_running_analysis_is_stopped(self, app, client, database):
        held = claims.claim_analysis(database, hand_in(app).id)
        claims.record_heartbeat(database, held, "scoring", 0.4)
        assert "Pausing restarts the analysis" in client.get(f"/analyses/{held.job_id}").text
        answer = client.post(f"/api/v1/analyses/{held.job_id}/pause")
        assert (answer.json["state"], answer.json["progress"], answer.json["attempt"]) == ("paused", 0.0, 0)
        with pytest.raises(claims.LostClaim):
            claims.record_heartbeat(database, held)

    def test_ended_analyses_are_refused(self, app, client, database):
        done, cancelled = finished(app), hand_in(app)
        states.cancel(database, cancelled.id)
        for ended in (done, cancelled):
            for act in ("pause", "resume"):
                answer = client.post(f"/analyses/{ended.id}/{act}")
                assert answer.status_code == 409 and "ended already" in answer.text

    def test_a_paused_analysis_can_be_cancelled_or_deleted_and_needs_its_model(self, app, client, database):
        put_model(app, "other")
        first, second = hand_in(app, b"1"), hand_in(app, b"2", model="other")
        for analysis in (first, second):
            client.post(f"/analyses/{analysis.id}/pause")
        assert client.post("/models/other/remove").status_code == 409
        client.post(f"/analyses/{first.id}/cancel")
        assert row(database, first.id).state == "cancelled"
        assert "is paused" in client.get(f"/analyses/{second.id}/delete").text
        assert client.post(f"/analyses/{second.id}/delete").status_code == 303
        assert row(database, second.id) is None

    def test_the_log_names_actor_and_act(self, app, client, database):
        queued = hand_in(app)
        client.post(f"/analyses/{queued.id}/priority", data={"priority": "high"})
        client.post(f"/analyses/{queued.id}/pause")
        client.post(f"/analyses/{queued.id}/resume")
        of = select(CustodyRow).where(CustodyRow.analysis == queued.id).order_by(CustodyRow.number)
        with database.begin() as session:
            acts = [(entry.action, entry.actor) for entry in session.scalars(of)][1:]
        assert acts == [(f"analysis {act}", "local user") for act in ("prioritised", "paused", "resumed")]


class TestPriority:
    def test_priority_is_set_at_upload_or_later(self, app, client, database, sent):
        form = {"file": (io.BytesIO(b"urgent"), "urgent.mp4"), "priority": "high"}
        client.post("/analyses", data=form, content_type="multipart/form-data")
        (urgent,) = sent
        assert row(database, urgent).priority == Priority.HIGH
        assert "Queued, high priority" in client.get("/analyses").text
        address = f"/analyses/{urgent}/priority"
        assert client.post(address, data={"priority": "low"}).location == f"/analyses/{urgent}"
        assert row(database, urgent).priority == Priority.LOW
        page = client.get(f"/analyses/{urgent}").text
        assert 'value="low" aria-pressed="true"' in page and 'value="high" aria-pressed="false"' in page

    def test_invalid_and_late_priorities_are_refused(self, app, client, database):
        queued = hand_in(app)
        address = f"/analyses/{queued.id}/priority"
        assert client.post(address, data={"priority": "most"}).status_code == 400
        claims.claim_analysis(database, queued.id)
        late = client.post(address, data={"priority": "high"})
        assert late.status_code == 409 and "no longer waiting" in late.text
        assert row(database, queued.id).priority == Priority.NORMAL


class TestAgain:
    def test_the_form_shows_current_and_default_values(self, app, client):
        earlier = hand_in(app, settings_changed={"sample_rate": 12.5})
        text = client.get(f"/analyses/{earlier.id}/again").text
        assert 'name="sample_rate" value="12.5"' in text and "Default 8." in text
        assert 'name="minimum_face" value="48"' in text
        assert f'<option value="{DEFAULT_MODEL}" selected>' in text

    def test_another_model_and_other_settings(self, app, client, database, sent):
        put_model(app, "other")
        earlier = finished(app)
        form = {"model": "other", "sample_rate": "4", "enter_threshold": "0,7", "minimum_face": "48"}
        answer = client.post(f"/analyses/{earlier.id}/again", data=form)
        assert answer.status_code == 303 and answer.location == f"/analyses/{sent[0]}"
        new = row(database, sent[0])
        assert (new.file, new.exhibit_id, new.model) == (earlier.file, earlier.exhibit_id, "other")
        assert json.loads(new.changed_parameters) == {"sample_rate": 4.0, "enter_threshold": 0.7}
        assert row(database, earlier.id).state == "done"
        assert count(database, Exhibit) == 1

    @pytest.mark.parametrize(
        ("field", "text", "words"),
        [
            ("sample_rate", "0", "above 0"),
            ("sample_rate", "121", "120 or less"),
            ("sample_rate", "many", "must be a number"),
            ("sample_rate", "nan", "must be a number"),
            ("enter_threshold", "1", "below 1"),
            ("exit_threshold", "0.9", "not be above the score that opens a segment, 0.65"),
            ("minimum_duration", "-1", "0 or more"),
        ],
    )
    def test_invalid_values_are_explained_beside_their_field(self, app, client, database, field, text, words):
        earlier = hand_in(app)
        address, form = f"/analyses/{earlier.id}/again", {"model": DEFAULT_MODEL, field: text}
        answer = client.post(address, data=form)
        assert answer.status_code == 400 and words in answer.text
        assert f'name="{field}" value="{text}"' in answer.text and 'aria-invalid="true"' in answer.text
        refusal = client.post(address, data=form, headers={"Accept": "application/json"})
        assert refusal.status_code == 400 and words in refusal.json["error"]
        assert count(database, AnalysisRow) == 1

    def test_an_unknown_model_is_refused(self, app, client, database):
        earlier = hand_in(app)
        assert client.post(f"/analyses/{earlier.id}/again", data={"model": "nope"}).status_code == 400
        assert count(database, AnalysisRow) == 1


@pytest.mark.parametrize("act", ["cancel", "retry", "pause", "resume", "priority", "delete", "again"])
def test_unknown_ids_and_cross_site_requests_are_refused(app, client, act):
    assert client.post(f"/analyses/{'0' * 32}/{act}").status_code == 404
    queued = hand_in(app)
    refused = client.post(f"/analyses/{queued.id}/{act}", headers={"Origin": "http://elsewhere.example"})
    assert refused.status_code == 403


def test_forms_in_the_library_return_to_it(app, client):
    queued = hand_in(app)
    answer = client.post(
        f"/analyses/{queued.id}/cancel", data={"back": "//elsewhere.example/?q=a%20b\r\nX: y"}
    )
    assert answer.location.startswith("/analyses") and "\r" not in answer.location
    assert client.post(f"/analyses/{queued.id}/retry", data={"back": ""}).location == "/analyses"


def test_the_library_filters_cancelled_analyses(app, client, database):
    queued = hand_in(app)
    states.cancel(database, queued.id)
    assert client.get(f"/api/v1/analyses/{queued.id}").json["state"] == State.CANCELLED
    recovery.requeue_running(database, count_attempt=True)
    assert job_queue.all_messages(database) == []
    assert row(database, queued.id).state == "cancelled"


@pytest.mark.parametrize(
    ("failure", "offered"),
    [
        (FailureCode.REFUSED.cause(message=(cause_of("This file holds no picture."),)), False),
        (FailureCode.OUT_OF_MEMORY.cause(), True),
    ],
)
def test_unreadable_files_offer_no_retry(app, client, database, failure, offered):
    failed = hand_in(app)
    claims.fail_job(database, claims.claim_analysis(database, failed.id), failure)
    page, library = client.get(f"/analyses/{failed.id}").text, client.get("/analyses").text
    assert ("Retry" in page) is ("attempt 1 of" in page) is ("Retry" in library) is offered
    main = re.findall(r'class="[^"]*primary[^"]*"[^>]*>(?:<svg.*?</svg>)?\s*([^<]+)<', page, re.DOTALL)
    assert "Upload another file" in page and main == ["Retry" if offered else "Upload another file"]
    assert ("Analyse again…" in page) is ("Analyse again…" in library) is offered
    assert ("A newer version of Reelproof" in page) is not offered
    assert client.get(f"/analyses/{failed.id}/again").status_code == 200


def test_temporarily_missing_files_offer_a_retry():
    away, broken = NotOpenedError("It is not there."), MediaError("It holds no picture.")
    assert remedy_of(failures.explain_failure(away)) and not remedy_of(failures.explain_failure(broken))
