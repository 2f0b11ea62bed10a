"""The first report of an analysis: rendered by its worker after the result is shown, and never in its way."""

from __future__ import annotations

import errno
import threading

import pytest
from made_results import hand_in, made_result

from webapp.downloads import kept_reports
from webapp.downloads import reports as report_downloads
from webapp.exhibits import deletion
from webapp.http import in_turn
from webapp.storage.tables import AnalysisRow
from webapp.worker import prepared_report, run_analysis, run_job


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    def made(job, folder, *_rest):
        return made_result(job.path, job.file, folder, peaks=1)

    monkeypatch.setattr(run_analysis, "make_analysis", made)


@pytest.fixture
def none_in_the_web_process(monkeypatch):
    monkeypatch.setattr(report_downloads, "_render", lambda *_: pytest.fail("it is there already"))


def work(app) -> None:
    run_job.work(app.extensions["settings"], around_finish=prepared_report.prepared)


def stand_in(analysis, _given, out, look) -> None:
    for name in ("report.html", "report.pdf"):
        (out / name).write_text("stand-in")


def test_the_prepared_report_is_downloaded(app, client, folders, none_in_the_web_process):
    analysis_id = hand_in(app).id
    work(app)
    state = client.get(f"/api/v1/analyses/{analysis_id}").json
    assert (state["state"], state["report"]) == ("done", "available")
    assert "data-state" not in client.get(f"/analyses/{analysis_id}").text
    answer = client.get(f"/analyses/{analysis_id}/report.pdf")
    assert answer.status_code == 200 and answer.data.startswith(b"%PDF-1.7")
    assert "computed for this report on" in client.get(f"/analyses/{analysis_id}/report.html").text


def test_the_result_is_available_while_the_report_is_rendered(
    app, client, folders, monkeypatch, none_in_the_web_process
):
    seen = []

    def setting(analysis, given, out, look):
        seen.append(client.get(f"/api/v1/analyses/{analysis_id}").json)
        seen.append(client.get(f"/api/v1/analyses/{analysis_id}").json)
        seen.append(client.get(f"/analyses/{analysis_id}").text)
        monkeypatch.setattr(in_turn, "PATIENCE", 0.01)
        seen.append(client.get(f"/api/v1/analyses/{analysis_id}/report.pdf"))
        stand_in(analysis, given, out, look)

    monkeypatch.setattr(prepared_report, "_render_confined", setting)
    analysis_id = hand_in(app).id
    assert client.get(f"/api/v1/analyses/{analysis_id}").json["report"] is None
    work(app)
    polled, asked, page, refused = seen
    for status in (polled, asked):
        assert (status["state"], status["verdict"], status["report"]) == ("done", "manipulated", "being made")
    # Without scripts the link works: the server answers when the report is there.
    assert f'href="/analyses/{analysis_id}/report.pdf"' in page and "data-state=" in page
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json["detail"] == "The report of this analysis is being made at the moment."
    assert client.get(f"/api/v1/analyses/{analysis_id}").json["report"] == "available"
    assert "report" not in client.get("/api/v1/analyses").json["items"][0]
    assert client.get(f"/analyses/{analysis_id}/report.pdf").text == "stand-in"


def test_a_download_meanwhile_waits_for_the_prepared_report(
    app, client, monkeypatch, none_in_the_web_process
):
    began, answers = threading.Event(), []

    def setting(analysis, given, out, look):
        began.set()
        assert answers == []
        stand_in(analysis, given, out, look)

    def ask() -> None:
        began.wait(60)
        answers.append(client.get(f"/analyses/{analysis_id}/report.pdf"))

    monkeypatch.setattr(prepared_report, "_render_confined", setting)
    analysis_id = hand_in(app).id
    asker = threading.Thread(target=ask)
    asker.start()
    work(app)
    asker.join()
    assert [answer.text for answer in answers] == ["stand-in"]


def test_no_report_is_prepared_while_a_job_waits(app, client, folders, monkeypatch, quick_reports):
    monkeypatch.setattr(prepared_report, "_render_confined", lambda *_: pytest.fail("a job waits"))
    first, _second = hand_in(app, b"first").id, hand_in(app, b"second")
    work(app)
    assert client.get(f"/api/v1/analyses/{first}").json["report"] == "available"
    assert not folders.reports_of(first).exists()
    assert client.get(f"/analyses/{first}/report.pdf").status_code == 200


def test_rendering_stops_for_a_waiting_job(app, client, folders, monkeypatch, quick_reports):
    monkeypatch.setattr(prepared_report, "_QUEUE_INTERVAL", 0.0)

    def setting(_analysis, _given, _out, look):
        hand_in(app, b"second")
        look("", 0.0)
        pytest.fail("it looks at the queue")

    monkeypatch.setattr(prepared_report, "_render_confined", setting)
    first = hand_in(app, b"first").id
    work(app)
    assert list(folders.reports_of(first).iterdir()) == []
    assert client.get(f"/analyses/{first}/report.pdf").status_code == 200


@pytest.mark.parametrize("where", ["_render_confined", "hold_report_lock"])
def test_a_failed_report_does_not_fail_the_analysis(app, client, monkeypatch, quick_reports, where):
    def broken(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(prepared_report if where == "_render_confined" else kept_reports, where, broken)
        analysis_id = hand_in(app).id
        work(app)
    assert client.get(f"/api/v1/analyses/{analysis_id}").json["state"] == "done"
    assert client.get(f"/analyses/{analysis_id}/report.pdf").status_code == 200


def test_no_report_remains_of_an_analysis_deleted_meanwhile(app, folders, monkeypatch):
    def setting(analysis, given, out, look):
        deletion.delete_analysis(app.extensions["database"], folders, analysis_id)
        out.mkdir(parents=True, exist_ok=True)
        stand_in(analysis, given, out, look)

    monkeypatch.setattr(prepared_report, "_render_confined", setting)
    analysis_id = hand_in(app).id
    work(app)
    with app.extensions["database"].begin() as session:
        assert session.get(AnalysisRow, analysis_id) is None
    assert not folders.reports_of(analysis_id).exists() and not folders.result(analysis_id).exists()
