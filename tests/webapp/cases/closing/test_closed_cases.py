"""Closed cases: when a case can be closed, and that nothing in it can be changed."""

from __future__ import annotations

import io
import re

import pytest
from made_cases import another, ids, put
from made_comparisons import comparison_rows, queued
from made_results import finished, hand_in
from made_rows import row
from people import account, signed_in
from sqlalchemy import select

from webapp.accounts.permissions import Role
from webapp.jobs import states
from webapp.storage.tables import AnalysisRow, ComparisonRow, User

pytestmark = pytest.mark.usefixtures("quick_reports")


def test_closed_case_rejects_changes(app, ada, root, case):
    analysis, other = ids(app)
    stopped, reference = hand_in(app, b"stopped"), finished(app, file="original.mp4")
    states.cancel(app.extensions["database"], stopped.id)
    put(app, stopped.id, int(case.rpartition("/")[2]))
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, reference.id).owner_id = session.scalar(
            select(User.id).where(User.name == "ada")
        )
        exhibit = session.get_one(AnalysisRow, analysis).exhibit.sha256
    assert ada.post(f"{case}/close").status_code == 303
    body = {"kind": "segment", "segment": "A1", "verdict": "agree", "author": "Ada", "note": ""}
    new = {"file": (io.BytesIO(b"new"), "c.mp4"), "case": case.rpartition("/")[2]}
    refused = [
        ada.post(case, data={"name": "another"}),
        ada.post("/analyses", data=new),
        ada.post(f"/analyses/{analysis}/assign", data={"case": ""}),
        ada.post(f"/analyses/{analysis}/delete"),
        ada.post(f"/analyses/{analysis}/case", data={"case_number": "1"}),
        ada.post(f"/api/v1/analyses/{analysis}/annotations", json=body),
        ada.post(f"/analyses/{stopped.id}/retry"),
        ada.post(f"/api/v1/analyses/{stopped.id}/retry"),
        ada.post(f"/analyses/{analysis}/compare", data={"reference": reference.id}),
        ada.post(f"/api/v1/exhibits/{exhibit}/comparisons", json={"reference": reference.exhibit.sha256}),
    ]
    assert [answer.status_code for answer in refused] == [409] * len(refused)
    assert "Closed" in ada.get(case).text and "closed" in ada.get("/cases").text
    assert ada.post(f"{case}/reopen").status_code == 403
    assert comparison_rows(app) == [] and row(app.extensions["database"], stopped.id).state == "cancelled"
    assert root.post(f"{case}/reopen").status_code == 303
    assert ada.post(case, data={"name": "another"}).status_code == 303
    assert ada.post(f"/analyses/{stopped.id}/retry").status_code == 303
    assert ada.post(f"/analyses/{analysis}/compare", data={"reference": reference.id}).status_code == 303


_CHANGES = ("/again", "/compare", "/assign", "/delete", "/case", "/annotations/import", "/retry")


def changes_offered(page: str, analysis: str) -> set[str]:
    """What a page offers that would change an analysis."""
    return {
        change for change in _CHANGES if re.search(f'(action|href)="/analyses/{analysis}{change}["?]', page)
    }


def test_analysis_in_closed_case_offers_no_changes(app, ada, root, case):
    analysis, stopped = ids(app)[0], hand_in(app, b"stopped")
    states.cancel(app.extensions["database"], stopped.id)
    put(app, stopped.id, int(case.rpartition("/")[2]))
    address, other = f"/analyses/{analysis}", f"/analyses/{stopped.id}"
    page, library = root.get(address).text, root.get("/analyses").text
    assert f'case <a href="{case}">K-17/26</a>' in page and "data-silent" not in page
    assert changes_offered(page, analysis) == {
        "/again",
        "/compare",
        "/assign",
        "/delete",
        "/case",
        "/annotations/import",
    }
    assert changes_offered(library, analysis) == {"/again", "/assign", "/delete"}
    assert changes_offered(root.get(other).text, stopped.id) == {"/again", "/delete", "/retry"}
    assert "/retry" in changes_offered(library, stopped.id)
    assert ada.post(f"{case}/close").status_code == 303
    page, library = root.get(address).text, root.get("/analyses").text
    assert f'In case <a href="{case}">K-17/26</a>, closed ' in page
    assert 'data-silent="The case is closed' in page and changes_offered(page, analysis) == set()
    assert f'In case <a href="{case}">' in root.get(other).text
    assert changes_offered(root.get(other).text, stopped.id) == set()
    assert changes_offered(library, analysis) == changes_offered(library, stopped.id) == set()
    for form in ("again", "compare", "assign", "delete"):
        refused = root.get(f"{address}/{form}", headers={"Referer": f"http://localhost{address}?a=b"})
        assert refused.status_code == 409 and "The case is closed" in refused.text, form
        assert "<h1>Not possible in this state</h1>" in refused.text
        assert f'<a class="button primary" href="{address}?a=b">Back</a>' in refused.text


def test_hidden_case_name_is_not_revealed_to_the_uploader(app, ada, case):
    account(app, "dora", Role.EXAMINER)
    dora = signed_in(app, "dora")
    with app.extensions["database"].begin() as session:
        row = session.get_one(AnalysisRow, ids(app)[0])
        row.owner_id = session.scalar(select(User.id).where(User.name == "dora"))
    address = f"/analyses/{ids(app)[0]}"
    assert "K-17/26" not in dora.get(address).text
    assert ada.post(f"{case}/close").status_code == 303
    page = dora.get(address).text
    assert "Its case was closed " in page and "K-17/26" not in page and f'href="{case}"' not in page
    assert changes_offered(page + dora.get("/analyses").text, ids(app)[0]) == set()


def test_error_page_links_back_only_within_the_app(app, ada, case):
    assert ada.post(f"{case}/close").status_code == 303
    for before in (
        "http://elsewhere.example/",
        "http://localhost//elsewhere.example/",
        f"http://localhost{case}",
    ):
        refused = ada.post(case, data={"name": "other"}, headers={"Referer": before})
        assert refused.status_code == 409
        assert (">Back</a>" in refused.text) == before.endswith(case)


def test_case_with_unfinished_analyses_cannot_be_closed(app, ada, case):
    waits = hand_in(app, b"waits").id
    put(app, waits, int(case.rpartition("/")[2]))
    refused = ada.post(f"{case}/close")
    assert refused.status_code == 409 and "<h1>Not ready yet</h1>" in refused.text
    put(app, waits, another(app, "K-18/26", closed=False))
    assert ada.post(f"{case}/close").status_code == 303


def test_case_with_unfinished_comparisons_cannot_be_closed(app, ada, case):
    first, outside = row(app.extensions["database"], ids(app)[0]), finished(app, file="outside.mp4")
    with app.extensions["database"].begin() as session:
        ada_id = session.scalar(select(User.id).where(User.name == "ada"))
        session.get_one(AnalysisRow, outside.id).owner_id = ada_id
    waits, of_another = queued(app, first, outside), queued(app, outside, first)
    refused = ada.post(f"{case}/close", headers={"Accept": "text/html"})
    assert refused.status_code == 409 and "A comparison in this case is not finished." in refused.text
    assert states.cancel(app.extensions["database"], waits.id, ComparisonRow)
    assert ada.post(f"{case}/close").status_code == 303  # the other one is not of its exhibits
    assert {comparison.id for comparison in comparison_rows(app)} == {waits.id, of_another.id}
