"""What the log says of a finished job: how long each of its stages took."""

from __future__ import annotations

import json
import logging

import pytest
from made_results import engine, hand_in

from webapp import logs
from webapp.jobs import claims
from webapp.worker import run_analysis, run_job
from webapp.worker import run_job as worker_run_job
from webapp.worker.run_job import StageTimes


def test_the_time_of_each_stage_is_logged(app, database, caplog):
    held, clock, reports = claims.claim_analysis(database, hand_in(app).id), 10.0, []
    times = StageTimes(lambda *report: reports.append(report), clock=lambda: clock)
    for moment, stage, fraction in ((10.5, "reading", 0.0), (11.0, "looking", 0.1), (14.0, "looking", 0.6)):
        clock = moment
        times(stage, fraction)
    for moment, stage in ((15.0, "drawing"), (15.25, "looking"), (17.25, "drawing")):
        clock = moment
        times(stage, 0.9)
    clock = 18.25
    with caplog.at_level(logging.INFO, worker_run_job.log.name):
        times.log_done(held)
    assert reports[:3] == [("reading", 0.0), ("looking", 0.1), ("looking", 0.6)] and len(reports) == 6
    (line,) = (json.loads(logs.JsonLines().format(record)) for record in caplog.records)
    assert line["analysis"] == held.job_id and line["attempt"] == 1 and line["seconds"] == 8.25
    assert line["stages"] == {"reading": 0.5, "looking": 6.0, "drawing": 1.25}


@pytest.mark.parametrize("as_json", [True, False])
def test_a_finished_job_is_logged_in_the_json_log_only(
    app, settings, database, monkeypatch, capfd, restored_logging, as_json
):
    monkeypatch.setattr(run_analysis, "make_analysis", engine)
    analysis_id = hand_in(app, b"bytes", "secret name.mp4").id
    logs.configure(as_json=as_json)
    run_job.work(settings)
    output = capfd.readouterr().err
    lines = [json.loads(line) for line in output.splitlines()] if as_json else []
    assert [line.get("analysis") for line in lines] == [analysis_id] * as_json
    assert "secret" not in output


@pytest.fixture
def restored_logging():
    """Handlers and levels as they were."""
    root, names = logging.getLogger(), (None, *logs._JSON_ONLY)
    handlers, levels = root.handlers[:], [logging.getLogger(name).level for name in names]
    yield
    root.handlers[:] = handlers
    for name, level in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(level)
