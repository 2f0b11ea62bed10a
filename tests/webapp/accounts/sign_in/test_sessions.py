"""Sessions: how they begin, what is stored of them, and what ends them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from made_results import hand_in
from people import age, rows, sign_in, signed_in, token
from sqlalchemy import select

from webapp.accounts import sessions
from webapp.storage.tables import AnalysisRow, SessionRow, User, now


def test_the_token_is_not_stored(app, client):
    sign_in(client, "ada")
    value = client.get_cookie("reelproof").value
    (row,) = rows(app, SessionRow)
    assert value not in (row.id, row.agent) and row.id == sessions.hash_token(value)
    assert len(value) >= 43  # 256 bits


def test_signing_in_again_ends_the_previous_session(app, client):
    sign_in(client, "ada")
    first = client.get_cookie("reelproof").value
    assert sign_in(client, "ada").status_code == 403  # a form without this session's token
    assert sign_in(client, "ada", headers={"X-CSRF-Token": token(client)}).status_code == 303
    assert client.get_cookie("reelproof").value != first
    assert len(rows(app, SessionRow)) == 1
    client.set_cookie("reelproof", first)
    assert client.get("/analyses").status_code == 303


def test_a_planted_token_is_ignored(client):
    client.set_cookie("reelproof", "planted")
    sign_in(client, "ada")
    assert client.get_cookie("reelproof").value != "planted"


def test_signing_out_ends_the_session(app):
    client = signed_in(app, "ada")
    answer = client.post("/logout")
    assert answer.status_code == 303 and answer.location == "/login"
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert rows(app, SessionRow) == []
    assert client.get("/analyses").status_code == 303


@pytest.mark.parametrize("by", [{"seen": timedelta(minutes=61)}, {"started": timedelta(hours=12, seconds=1)}])
def test_sessions_idle_out_and_grow_old(app, by):
    client = signed_in(app, "ada")
    assert client.get("/analyses").status_code == 200
    age(app, **by)
    assert client.get("/analyses").status_code == 303


@pytest.mark.parametrize("what", ["seen", "started"])
def test_sessions_of_a_clock_that_ran_ahead_end_when_it_is_right_again(app, what):
    client = signed_in(app, "ada")
    age(app, **{what: -timedelta(seconds=50)})
    assert client.get("/analyses").status_code == 200
    age(app, **{what: -timedelta(hours=3)})
    assert client.get("/analyses").status_code == 303
    signed_in(app, "ada")
    assert len(rows(app, SessionRow)) == 1


def test_use_extends_a_session_but_polling_does_not(app):
    client = signed_in(app, "ada")
    row = hand_in(app)
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, row.id).owner_id = 1
    age(app, seen=timedelta(minutes=50))
    assert client.get(f"/api/v1/analyses/{row.id}").status_code == 200
    (kept,) = rows(app, SessionRow)
    assert now() - kept.seen > timedelta(minutes=49)
    client.get("/analyses")
    (kept,) = rows(app, SessionRow)
    assert now() - kept.seen < timedelta(minutes=1)


def test_disabling_an_account_ends_its_sessions_at_once(app):
    client = signed_in(app, "ada")
    with app.extensions["database"].begin() as session:
        session.scalars(select(User)).one().disabled = now()
    assert client.get("/analyses").status_code == 303
