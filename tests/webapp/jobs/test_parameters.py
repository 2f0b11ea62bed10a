"""Parameters of an analysis that differ from the defaults: stored in its row, passed to the engine."""

from __future__ import annotations

import json

import pytest
from made_results import hand_in, made_result
from made_rows import row

from detector.schema.analysis import Parameters
from webapp.jobs import claims
from webapp.worker import run_analysis, run_job


class TestSettings:
    def test_only_changed_parameters_are_stored(self, app, database):
        changed = {"sample_rate": 4, "enter_threshold": Parameters().enter_threshold}
        queued = hand_in(app, settings_changed=changed)
        assert json.loads(queued.changed_parameters) == {"sample_rate": 4.0}
        assert claims.claim_analysis(database, queued.id).parameters == Parameters(sample_rate=4.0)
        assert hand_in(app, b"other").changed_parameters is None

    @pytest.mark.parametrize("changes", [{"sample_rate": 0}, {"sample_rate": "x"}, {"nonsense": 1}])
    def test_invalid_parameters_are_refused(self, app, changes):
        with pytest.raises(ValueError):
            hand_in(app, settings_changed=changes)

    def test_the_engine_gets_the_parameters_and_the_duration_is_stored(self, app, database, monkeypatch):
        got = []

        def engine(job, folder, *_rest):
            got.append(job.parameters)
            return made_result(job.path, job.file, folder, duration=12.5)

        monkeypatch.setattr(run_analysis, "make_analysis", engine)
        queued = hand_in(app, settings_changed={"minimum_face": 32})
        run_job.work(app.extensions["settings"])
        assert got == [Parameters(minimum_face=32.0)]
        assert row(database, queued.id).duration == 12.5
