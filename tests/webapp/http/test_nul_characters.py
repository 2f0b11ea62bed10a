"""NUL characters in addresses, forms and JSON: refused in words, by PostgreSQL as by SQLite."""

from __future__ import annotations

import pytest
from made_results import finished
from people import account, signed_in, with_login
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from webapp.accounts.permissions import Role
from webapp.storage.tables import AnalysisRow

ADDRESSES = [
    "/analyses?q=a%00b",
    "/analyses?reviewer=%00",
    "/analyses?model=%00",
    "/analyses?%00=1",
    "/login?next=%00",
    "/analyses/a%00b",
    "/comparisons/%00",
    "/reviews/%00",
    "/static/%00",
    "/%00",
    "/api/v1/exhibits/%00",
    "/api/v1/uploads/%00",
]


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request, tmp_path, sent):
    more = {}
    if request.param == "postgresql":
        more["REELPROOF_DATABASE"] = request.getfixturevalue("postgresql").url
    app = with_login(tmp_path / "data", sent, **more)
    account(app, "ada", Role.EXAMINER)
    yield app
    app.extensions["database"].close()
    if more:
        request.getfixturevalue("postgresql").empty()


def test_an_address_with_nul_answers_404(app):
    ada, nobody = signed_in(app, "ada"), app.test_client()
    for address in ADDRESSES:
        assert ada.get(address).status_code == 404, address
        assert nobody.get(address).status_code in (303, 401, 404), address
    assert "There is no page at this address" in ada.get("/analyses?q=%00").text
    answer = ada.get("/api/v1/analyses?q=%00")
    assert answer.status_code == 422 and answer.json["errors"][0]["where"] == "query.q"


def test_a_form_with_nul_is_refused(app):
    ada, nobody = signed_in(app, "ada"), app.test_client()
    for client, address, form in (
        (nobody, "/login", {"name": "a\0b", "password": "x"}),
        (ada, "/cases", {"name": "c", "description": "d\0e"}),
        (ada, "/account/tokens", {"na\0me": "c"}),
    ):
        answer = client.post(address, data=form)
        assert answer.status_code == 400 and "contains a NUL character" in answer.text, address


def test_json_with_nul_is_stored_or_refused(app):
    ada, row = signed_in(app, "ada"), finished(app, {}, file="a.mp4")
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, row.id).owner_id = 1
    made = ada.post("/cases", data={"name": "c"}).location
    ada.post(f"/analyses/{row.id}/assign", data={"case": made.rpartition("/")[2]})
    note = {"kind": "exhibit", "verdict": "agree", "note": "x\0y"}
    assert ada.post(f"/api/v1/analyses/{row.id}/annotations", json=note).status_code == 201
    assert ada.get(f"/api/v1/analyses/{row.id}/annotations").json["annotations"][0]["note"] == "x\0y"
    for name in ("ben\0", "ben\ud800"):
        reviewers = ada.put(f"/api/v1{made}/reviewers", json={"first": "ada", "second": name})
        assert reviewers.status_code in (400, 422), reviewers.text


def test_messages_do_not_quote_rows(app):
    with pytest.raises(DBAPIError) as raised, app.extensions["database"].begin() as session:
        session.execute(text("SELECT missing FROM cases WHERE name = :name"), {"name": "a secret"})
    assert "a secret" not in str(raised.value)
