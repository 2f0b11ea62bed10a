"""The finding is shown while its pictures are made, and nothing of it changes, whatever happens then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from analyses import build
from made_results import hand_in, write_result
from made_rows import row

from detector.sandbox import CrashError, KilledError
from detector.schema.analysis import Analysis
from detector.schema.causes.failures import FailureCode
from detector.schema.explained import explained_as, states_the_same, without_explanation
from webapp.custody import custody_log
from webapp.custody.audit import Audit
from webapp.exhibits import findings
from webapp.jobs import claims, recovery, states
from webapp.worker import run_analysis, run_job
from webapp.worker.finding_keeper import FINDING, FindingKeeper


class Killed(BaseException):
    """SIGKILL at this point: no handler runs."""


class Engine:
    """Writes the finding, calls ``then``, and writes the complete result."""

    def __init__(self, then=lambda: None, change=lambda analysis: analysis) -> None:
        self.then, self.change, self.published = then, change, []

    def __call__(self, job, folder: Path, progress, _limits, _ready=None) -> Analysis:
        complete = build(folder, segments=2, file=job.file, sha256=job.path.name)
        self.published.append(job.published)
        if job.published is None:
            aside = folder / f".{job.finding}"
            aside.mkdir()
            finding = without_explanation(complete)
            (aside / "overlays").mkdir()
            write_result(finding, aside)
            aside.rename(folder / job.finding)
        progress("explaining", 0.92)
        self.then()
        progress("explaining", 0.95)
        shutil.rmtree(folder / job.finding, ignore_errors=True)
        complete = self.change(complete)
        if job.published is not None:
            complete = explained_as(Analysis.from_json(job.published), complete)
        write_result(complete, folder)
        return complete


@pytest.fixture
def use(monkeypatch):
    def use(engine: Engine) -> Engine:
        monkeypatch.setattr(run_analysis, "make_analysis", engine)
        return engine

    return use


def stated(database, analysis_id: str) -> tuple[object, ...]:
    """What the row states of the finding."""
    now = row(database, analysis_id)
    return now.verdict, now.probability, now.summary, now.outcome, now.duration, now.frame_rate


def actions(database, analysis_id: str) -> list[str]:
    with database.begin() as session:
        entries = custody_log.iter_entries_where(session, custody_log.CustodyRow.analysis == analysis_id)
        return [entry.action for entry in entries if entry.action not in ("view", "export")]


def problems(database, folders) -> list[str]:
    audit = Audit()
    with database.begin() as session:
        list(audit.observe(custody_log.iter_entries_where(session)))
        found = list(audit.problems(session))
    return found + list(audit.file_problems(database, folders))


def test_the_finding_is_shown_at_once_and_stays(app, client, settings, database, folders, use):
    seen: list[object] = []

    def then() -> None:
        status = client.get(f"/api/v1/analyses/{analysis_id}").json
        assert (status["state"], status["stage"]) == ("explaining", "explaining")
        assert status["verdict"] == "manipulated" and status["report"] is None
        page = client.get(f"/analyses/{analysis_id}").text
        assert "Pictures follow." in page and 'id="pdf-report"' not in page
        desk = client.get(f"/api/v1/analyses/{analysis_id}/desk").json
        assert desk["unexplained"] == "Pictures follow." and not desk["segments"][0]["peaks"]
        assert "when the pictures are complete" in desk["media"]["reason"]
        for path in (f"/analyses/{analysis_id}/report.pdf", f"/analyses/{analysis_id}/bundle.zip"):
            refused = client.get(path)
            assert refused.status_code == 409 and "still being created" in refused.text
        refused = client.post(f"/api/v1/analyses/{analysis_id}/pause")
        assert refused.status_code == 409 and "finding of this analysis is final" in refused.text
        for state, count in (("explaining", 1), ("running", 0)):
            assert len(client.get(f"/api/v1/analyses?state={state}").json["items"]) == count
        assert "Pictures follow" in client.get("/analyses").text
        assert problems(database, folders) == []
        seen.append(stated(database, analysis_id))
        seen.append((folders.finding(analysis_id) / "analysis.json").read_text())

    use(Engine(then))
    analysis_id = hand_in(app).id
    run_job.work(settings)
    done = row(database, analysis_id)
    assert (done.state, done.failure) == ("done", None)
    assert stated(database, analysis_id) == seen[0]
    complete = Analysis.from_json((folders.result(analysis_id) / "analysis.json").read_bytes())
    assert complete.explained and states_the_same(Analysis.from_json(str(seen[1])), complete)
    assert not folders.finding(analysis_id).exists() and not list(folders.analyses.glob(".*"))
    assert actions(database, analysis_id) == [
        "analysis queued",
        "analysis started",
        "finding published",
        "analysis finished",
    ]
    assert problems(database, folders) == []
    desk = client.get(f"/api/v1/analyses/{analysis_id}/desk").json
    assert not desk["unexplained"] and desk["segments"][0]["peaks"]
    page = client.get(f"/analyses/{analysis_id}").text
    assert "Pictures follow" not in page and 'id="pdf-report"' in page


def killed() -> None:
    raise Killed


def lost_while_explaining(app, settings, database, use) -> str:
    """An analysis whose worker was killed between finding and pictures, as the next start finds it."""
    use(Engine(killed))
    analysis_id = hand_in(app).id
    with pytest.raises(Killed):
        run_job.work(settings)
    recovery.requeue_running(database, count_attempt=True)
    return analysis_id


def test_a_crash_in_between_leaves_the_finding_and_the_next_start_makes_its_pictures(
    app, client, settings, database, folders, use
):
    analysis_id = lost_while_explaining(app, settings, database, use)
    first = stated(database, analysis_id)
    folders.remove_leftovers()
    assert row(database, analysis_id).state == "queued"
    assert client.get(f"/api/v1/analyses/{analysis_id}").json["state"] == "explaining"
    assert "Pictures follow." in client.get(f"/analyses/{analysis_id}").text
    # The repetition rounds otherwise, as on another machine.
    again = use(Engine(change=lambda analysis: analysis.model_copy(update={"probability": 0.9699999})))
    run_job.work(settings)
    assert again.published != [None]
    assert row(database, analysis_id).state == "done" and stated(database, analysis_id) == first
    complete = Analysis.from_json((folders.result(analysis_id) / "analysis.json").read_bytes())
    assert complete.explained and complete.segments[0].peaks and complete.probability == first[1]
    assert actions(database, analysis_id).count("finding published") == 1
    assert problems(database, folders) == []


def test_a_crash_after_the_pictures_are_in_place_repeats_nothing(
    app, settings, database, folders, use, monkeypatch
):
    use(Engine())
    analysis_id = hand_in(app).id
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(run_analysis, "make_confined_thumbnail", lambda *_: killed())
        run_job.work(settings)
    recovery.requeue_running(database, count_attempt=True)
    folders.remove_leftovers()
    use(Engine(lambda: pytest.fail("it is complete")))
    run_job.work(settings)
    assert row(database, analysis_id).state == "done" and not folders.finding(analysis_id).exists()
    assert problems(database, folders) == []


def test_cancelling_keeps_the_finding(app, client, settings, database, folders, use):
    def cancel() -> None:
        answer = client.post(f"/api/v1/analyses/{analysis_id}/cancel")
        assert answer.status_code == 200 and answer.json["state"] == "done"

    use(Engine(cancel))
    analysis_id = hand_in(app).id
    run_job.work(settings)  # loses its claim, and removes nothing of the finding
    done = row(database, analysis_id)
    assert (done.state, done.verdict) == ("done", "manipulated")
    assert json.loads(done.failure)["code"] == FailureCode.PICTURES_CANCELLED.cause().code
    kept = Analysis.from_json((folders.result(analysis_id) / "analysis.json").read_bytes())
    assert not kept.explained and kept.segments and not kept.segments[0].peaks
    page = client.get(f"/analyses/{analysis_id}").text
    assert "Heatmaps and film strips were cancelled." in page and "analyse the exhibit again" in page
    assert client.get(f"/analyses/{analysis_id}/analysis.json").status_code == 200
    assert not folders.finding(analysis_id).exists() and not list(folders.analyses.glob(".*"))
    assert actions(database, analysis_id)[-2:] == ["finding published", "analysis finished"]
    assert problems(database, folders) == []
    assert client.post(f"/api/v1/analyses/{analysis_id}/cancel").status_code == 409


def test_cancelling_where_no_worker_runs_keeps_the_finding(app, client, settings, database, folders, use):
    analysis_id = lost_while_explaining(app, settings, database, use)
    assert client.post(f"/analyses/{analysis_id}/cancel").status_code == 303
    assert row(database, analysis_id).state == "done" and problems(database, folders) == []
    assert claims.claim_next_job(database, settings.queues) is None


@pytest.mark.parametrize("problem", [CrashError(), KeyError("a bug"), MemoryError(), None])
def test_what_breaks_the_explanation_costs_the_pictures_alone(
    app, client, settings, database, folders, use, problem
):
    def broken() -> None:
        if problem is not None:
            raise problem

    def forged(analysis: Analysis) -> Analysis:
        return analysis if problem else analysis.model_copy(update={"probability": 0.1})

    use(Engine(broken, forged))
    analysis_id = hand_in(app).id
    run_job.work(settings)
    first = stated(database, analysis_id)
    assert client.get(f"/api/v1/analyses/{analysis_id}").json["state"] == "explaining"
    use(Engine(lambda: pytest.fail("it is not tried again")))
    run_job.work(settings)
    assert row(database, analysis_id).state == "done" and stated(database, analysis_id) == first
    assert "could not be made" in client.get(f"/analyses/{analysis_id}").text
    assert problems(database, folders) == []


def test_killed_three_times_it_keeps_the_finding_without_pictures(app, settings, database, use):
    analysis_id = lost_while_explaining(app, settings, database, use)

    def end() -> None:  # the machine ran out of memory
        raise KilledError

    use(Engine(end))
    for _ in range(2):
        with pytest.raises(Killed):
            run_job.work(settings, end=killed)
        recovery.requeue_running(database, count_attempt=True)
    run_job.work(settings)
    done = row(database, analysis_id)
    assert (done.state, done.attempt, done.verdict) == ("done", 4, "manipulated")
    assert json.loads(done.failure)["code"] == FailureCode.PICTURES_FAILED.cause().code


def test_what_an_attempt_did_not_show_is_no_finding(app, settings, database, folders, use, monkeypatch):
    use(Engine())
    analysis_id = hand_in(app).id
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(claims, "publish_finding", lambda *_: killed())
        run_job.work(settings)
    assert folders.finding(analysis_id).exists()
    assert states.cancel(database, analysis_id)  # nothing was shown: it is cancelled as a whole
    assert row(database, analysis_id).state == "cancelled"
    with database.begin() as session:
        assert states.retry(session, analysis_id)
    again = use(Engine())
    run_job.work(settings)
    assert again.published == [None] and row(database, analysis_id).state == "done"


def test_a_finding_that_a_backup_lacks_is_made_again(app, settings, database, folders, use):
    analysis_id = lost_while_explaining(app, settings, database, use)
    first = stated(database, analysis_id)
    shutil.rmtree(folders.finding(analysis_id))
    again = use(Engine())
    run_job.work(settings)
    assert again.published == [None]
    assert row(database, analysis_id).state == "done" and stated(database, analysis_id) == first
    assert problems(database, folders) == []


def test_attempts_at_keeping_a_finding_end(app, settings, database, use, monkeypatch):
    analysis_id = lost_while_explaining(app, settings, database, use)
    monkeypatch.setattr(run_analysis, "make_confined_thumbnail", lambda *_: 1 / 0)
    use(Engine())
    for _ in range(8):
        run_job.work(settings)
    failed = row(database, analysis_id)
    assert (failed.state, failed.attempt, failed.verdict) == ("failed", 8, "manipulated")
    with database.begin() as session:
        assert states.retry(session, analysis_id)
    monkeypatch.undo()
    use(Engine())
    run_job.work(settings)
    assert row(database, analysis_id).state == "done"


def test_links_of_a_confined_process_are_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for make in (
        lambda finding: (finding / "analysis.json").symlink_to(secret),
        lambda finding: (finding / "overlays").symlink_to(tmp_path),
    ):
        folder = tmp_path / "unfinished"
        (folder / FINDING).mkdir(parents=True)
        make(folder / FINDING)
        keeper = FindingKeeper(lambda _: pytest.fail("published"), folder, lambda *_: None)
        with pytest.raises(CrashError):
            keeper("explaining", 0.5)
        assert {path.name for path in tmp_path.iterdir()} == {"secret", "unfinished"}
        shutil.rmtree(folder)


def test_keeping_is_for_findings_alone(app, database, folders):
    finished_elsewhere = hand_in(app)
    write = folders.finding(finished_elsewhere.id)
    write.mkdir()
    write_result(build(write, segments=1), write)
    cause = FailureCode.PICTURES_CANCELLED.cause()
    assert not findings.keep_finding(database, folders, finished_elsewhere.id, cause)
    assert row(database, finished_elsewhere.id).state == "queued"
