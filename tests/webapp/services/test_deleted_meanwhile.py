"""What somebody is told whose act comes just after somebody else deleted the analysis."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
from made_results import finished, hand_in
from second_review_case import Review, review
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from webapp.jobs import states
from webapp.services import deletion
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, State

SAID = {"kind": "exhibit", "verdict": "agree", "note": "x", "author": "Ada"}


@pytest.fixture
def deleted_before(app, monkeypatch) -> Callable[[object, str, str], None]:
    """Has an analysis deleted once somebody else is about to call what is named of an object."""

    def before(of: object, name: str, analysis_id: str) -> None:
        real = getattr(of, name)

        def first(*arguments: object) -> object:
            monkeypatch.setattr(of, name, real)
            database = app.extensions["database"]
            deletion.delete(database, Folders.local(app.extensions["settings"].data), analysis_id)
            return real(*arguments)

        monkeypatch.setattr(of, name, first)

    return before


@pytest.mark.parametrize("act", ["annotate", "import", "assign"])
@pytest.mark.usefixtures("quick_reports")
def test_what_is_done_to_a_finished_analysis(app, client, deleted_before, act):
    row = finished(app)
    one, app.testing = f"/analyses/{row.id}", False
    if act == "import":
        client.post(f"{one}/annotations", json=SAID)
        saved = client.get(f"{one}/bundle.zip").data
    deleted_before(Database, "alone", row.id)
    if act == "annotate":
        answer = client.post(f"{one}/annotations", json=SAID)
    elif act == "import":
        boundary, form = encode_multipart({"file": FileStorage(io.BytesIO(saved), "bundle.zip")})
        kind = f"multipart/form-data; boundary={boundary}"
        answer = client.post(f"{one}/annotations/import", data=form, content_type=kind)
    else:
        answer = client.post(f"{one}/assign", data={"case": ""})
    assert answer.status_code == 410 and "was deleted on" in answer.text, answer.text


@pytest.mark.parametrize(
    ("act", "state", "of", "name"),
    [("retry", State.FAILED, Database, "alone"), ("resume", State.PAUSED, states, "resume")],
)
def test_what_is_done_to_one_that_waits_or_failed(
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
