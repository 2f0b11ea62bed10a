"""What somebody is told whose act comes just after somebody else deleted the analysis."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_comparisons import compared
from made_results import finished, hand_in
from second_review_case import Review, review
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from webapp.custody import job_records
from webapp.downloads import exports, reports
from webapp.errors import UserError
from webapp.exhibits import deletion, reference_comparisons, results
from webapp.jobs import states
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, ComparisonRow, State

SAID = {"kind": "exhibit", "verdict": "agree", "note": "x", "author": "Ada"}


@pytest.fixture
def deleted_before(app, monkeypatch) -> Callable[[object, str, str], None]:
    """Has an analysis deleted once somebody else is about to call what is named of an object."""

    def before(of: object, name: str, analysis_id: str) -> None:
        real = getattr(of, name)

        def first(*arguments: object) -> object:
            monkeypatch.setattr(of, name, real)
            database = app.extensions["database"]
            deletion.delete_analysis(database, Folders.local(app.extensions["settings"].data), analysis_id)
            return real(*arguments)

        monkeypatch.setattr(of, name, first)

    return before


@pytest.mark.parametrize("act", ["annotate", "import", "assign", "case details"])
@pytest.mark.usefixtures("quick_reports")
def test_actions_on_a_deleted_analysis(app, client, deleted_before, act):
    row = finished(app)
    address, app.testing = f"/analyses/{row.id}", False
    if act == "import":
        client.post(f"/api/v1{address}/annotations", json=SAID)
        saved = client.get(f"{address}/bundle.zip").data
    deleted_before(Database, "alone", row.id)
    if act == "annotate":
        answer = client.post(f"/api/v1{address}/annotations", json=SAID)
    elif act == "import":
        boundary, form = encode_multipart({"file": FileStorage(io.BytesIO(saved), "bundle.zip")})
        kind = f"multipart/form-data; boundary={boundary}"
        answer = client.post(f"{address}/annotations/import", data=form, content_type=kind)
    elif act == "assign":
        answer = client.post(f"{address}/assign", data={"case": ""})
    else:
        answer = client.post(f"{address}/case", data={"case_number": "7"})
    assert answer.status_code == 410 and "was deleted on" in answer.text, answer.text


@pytest.mark.parametrize(
    ("of", "name"),
    [(job_records, "manifest_problem"), (exports, "send_export")],
    ids=["before its manifest is read", "before they are handed out"],
)
@pytest.mark.parametrize("prefix", ["", "/api/v1"], ids=["page", "API"])
def test_reading_a_deleted_analysis(app, client, deleted_before, of, name, prefix):
    row = finished(app)
    results.result_cache.clear()
    deleted_before(of, name, row.id)
    app.testing = False
    answer = client.get(f"{prefix}/analyses/{row.id}/exports/csv")
    assert answer.status_code == 410 and "was deleted on" in answer.text, answer.text


@pytest.mark.usefixtures("quick_reports")
def test_rendering_the_report_of_a_deleted_analysis(app, client, monkeypatch):
    row, render = finished(app), reports._render
    folders = Folders.local(app.extensions["settings"].data)

    def rendering(*given: object) -> None:
        render(*given)
        deletion.delete_analysis(app.extensions["database"], folders, row.id)
        assert isinstance(given[3], Path)
        given[3].mkdir(parents=True)  # as one that is rendered a moment longer

    monkeypatch.setattr(reports, "_render", rendering)
    answer = client.get(f"/api/v1/analyses/{row.id}/report.pdf")
    assert answer.status_code == 410 and "was deleted on" in answer.text, answer.text
    assert not folders.reports_of(row.id).exists()


def test_a_comparison_that_is_deleted_twice(app, client):
    comparison = compared(app, finished(app, file="a"), finished(app, file="b"))
    folders, database = Folders.local(app.extensions["settings"].data), app.extensions["database"]
    deletion.delete_comparison(database, folders, comparison.id)
    with pytest.raises(UserError, match="was deleted on") as error, app.test_request_context():
        deletion.delete_comparison(database, folders, comparison.id)
    assert error.value.status == 410


def test_an_error_about_an_existing_analysis_is_unchanged(app, client, monkeypatch):
    row = finished(app)
    results.result_cache.clear()
    (Folders.local(app.extensions["settings"].data).result(row.id) / "manifest.json").unlink()
    app.testing = False
    answer = client.get(f"/analyses/{row.id}/exports/csv")
    assert answer.status_code == 500 and "The manifest of this analysis is missing." in answer.text
    monkeypatch.setattr(exports, "send_export", lambda *_: 1 / 0)
    assert client.get(f"/analyses/{finished(app, file='b').id}/exports/csv").status_code == 500
    assert client.get(f"/analyses/{'0' * 32}/exports/csv").status_code == 404


def test_reading_a_deleted_comparison(app, client, monkeypatch):
    comparison = compared(app, finished(app, file="a"), finished(app, file="b"))
    folders, real = Folders.local(app.extensions["settings"].data), reference_comparisons.load_result

    def first(row: ComparisonRow) -> object:
        deletion.delete_comparison(app.extensions["database"], folders, row.id)
        return real(row)

    monkeypatch.setattr(reference_comparisons, "load_result", first)
    app.testing = False
    answer = client.get(f"/comparisons/{comparison.id}/comparison.json")
    assert answer.status_code == 410 and "was deleted on" in answer.text, answer.text


@pytest.mark.parametrize(
    ("act", "state", "of", "name"),
    [("retry", State.FAILED, Database, "alone"), ("resume", State.PAUSED, states, "resume")],
)
def test_actions_on_a_deleted_waiting_or_failed_analysis(
    app, client, database, sent, deleted_before, act, state, of, name
):
    row = hand_in(app)
    with database.begin() as session:
        session.get_one(AnalysisRow, row.id).state = state
    deleted_before(of, name, row.id)
    app.testing = False
    answer = client.post(f"/analyses/{row.id}/{act}")
    assert answer.status_code == 410 and "was deleted on" in answer.text
    assert row.id not in sent


class TestReview:
    @pytest.fixture
    def lab(self, tmp_path, sent) -> Iterator[Review]:
        made = review(tmp_path / "data", sent)
        yield made
        made.app.extensions["database"].close()

    @pytest.fixture
    def app(self, lab):
        return lab.app

    def test_a_judgement(self, app, lab, deleted_before):
        app.testing = False
        deleted_before(Database, "alone", lab.row.id)
        answer = lab.judge("ada", "manipulated")
        assert answer.status_code == 410 and "was deleted on" in answer.text
