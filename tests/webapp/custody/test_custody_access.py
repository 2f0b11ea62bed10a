"""The custody log does not reveal hidden analyses; it records account changes."""

from __future__ import annotations

import io

import pytest
from people import PASSWORD, sign_in, signed_in, with_accounts

from reports.custody.chain import check_export
from webapp.accounts import users as account_store
from webapp.accounts.permissions import Role
from webapp.custody import custody_log
from webapp.exhibits import disclosure
from webapp.storage.tables import Exhibit

SAME = b"the very same bytes"


@pytest.fixture
def app(tmp_path, sent):
    people = {"ada": Role.EXAMINER, "bob": Role.EXAMINER, "root": Role.ADMINISTRATOR}
    with with_accounts(tmp_path / "data", sent, people) as app:
        yield app


def hand_in(client, name: str, content: bytes = SAME):
    return client.post("/analyses", data={"file": (io.BytesIO(content), name)})


def hidden_from(app, name: str) -> frozenset[str]:
    with app.extensions["database"].begin() as session:
        who = account_store.principal_of(account_store.find(session, name))
        return disclosure.hidden_analyses(session, who, session.query(Exhibit).one().sha256)


def test_sole_uploader_gets_the_whole_log(app, sent):
    ada = signed_in(app, "ada")
    hand_in(ada, "ada.mp4")
    assert hidden_from(app, "ada") == frozenset()
    assert "the chain is intact" in ada.get(f"/analyses/{sent[0]}/custody").text
    assert check_export(ada.get(f"/analyses/{sent[0]}/custody.json").data) == []


def test_shared_bytes_show_only_the_own_entries(app, sent):
    ada, bob, root = (signed_in(app, name) for name in ("ada", "bob", "root"))
    hand_in(ada, "secret name of ada.mp4")
    ada.get(f"/analyses/{sent[0]}")
    hand_in(bob, "bob.mp4")
    assert hidden_from(app, "bob") == {sent[0]} and hidden_from(app, "ada") == {sent[1]}
    page = bob.get(f"/analyses/{sent[1]}/custody").text
    assert "bob.mp4" in page
    for trace in ("secret name", sent[0][:8], ">ada<", "Intake again", "first name", "first handed in"):
        assert trace not in page, trace
    refused = bob.get(f"/analyses/{sent[1]}/custody.json")
    assert refused.status_code == 403 and "secret" not in refused.text
    page = ada.get(f"/analyses/{sent[0]}/custody").text
    assert "bob" not in page and "secret name of ada.mp4" in page
    everything = root.get(f"/analyses/{sent[1]}/custody")
    assert "secret name" in everything.text and "the chain is intact" in everything.text
    assert root.get(f"/analyses/{sent[1]}/custody.json").status_code == 200


def test_members_of_a_case_both_get_the_log(app, sent):
    ada, bob = signed_in(app, "ada"), signed_in(app, "bob")
    ada.post("/cases", data={"name": "K"})
    ada.post("/cases/1/members", data={"user": "2"})
    for client, name in ((ada, "a.mp4"), (bob, "b.mp4")):
        client.post("/analyses", data={"file": (io.BytesIO(SAME), name), "case": "1"})
    assert hidden_from(app, "ada") == hidden_from(app, "bob") == frozenset()
    assert bob.get(f"/analyses/{sent[1]}/custody.json").status_code == 200


def test_own_deleted_analyses_hide_nothing(app, sent):
    ada = signed_in(app, "ada")
    for _ in range(2):
        hand_in(ada, "a.mp4")
    ada.post(f"/analyses/{sent[0]}/cancel")
    assert ada.post(f"/analyses/{sent[0]}/delete").status_code == 303
    assert hidden_from(app, "ada") == frozenset()


def test_earlier_uploads_by_others_are_not_revealed(app, sent):
    ada, bob = signed_in(app, "ada"), signed_in(app, "bob")
    hand_in(ada, "a.mp4")
    answer = hand_in(bob, "b.mp4")
    assert answer.location == f"/analyses/{sent[1]}"
    assert "before" not in bob.get(answer.location + "?known=1&since=2026-01-01").text.split("<main")[1]
    assert "known=1" in hand_in(bob, "b.mp4").location


def told(app) -> list[tuple[str, str, str]]:
    with app.extensions["database"].begin() as session:
        entries = [entry for entry in custody_log.iter_entries(session) if entry.action == "account"]
    return [(entry.actor, entry.details["what"], entry.details.get("account", "")) for entry in entries]


def test_account_changes_are_recorded(app):
    visitor = app.test_client()
    sign_in(visitor, "ada", "wrong")
    sign_in(visitor, "nobody")
    ada = signed_in(app, "ada")
    ada.get("/users")
    root = signed_in(app, "root")
    root.post("/users", data={"name": "new", "role": "reader"})
    root.post("/users/1/role", data={"role": "reviewer"})
    root.post("/users/1/disable")
    root.post("/users/1/enable")
    root.post("/users/1/password")
    root.post("/cases", data={"name": "K"})
    root.post("/cases/1/members", data={"user": "2"})
    del root.environ_base["HTTP_X_CSRF_TOKEN"]
    root.post("/logout")
    stranger = "somebody not signed in"
    made = [("reelproof", "account made", name) for name in ("ada", "bob", "root")]
    assert told(app) == [
        *made,
        (stranger, "sign-in refused", "ada"),
        (stranger, "sign-in refused", "nobody"),
        ("ada", "sign-in", "ada"),
        ("ada", "access refused", ""),
        ("root", "sign-in", "root"),
        ("root", "account made", "new"),
        ("root", "role changed", "ada"),
        ("root", "account disabled", "ada"),
        ("root", "account enabled", "ada"),
        ("root", "password reset", "ada"),
        ("root", "case made", ""),
        ("root", "case member added", "bob"),
        ("root", "form refused", ""),
    ]


def test_passwords_are_never_recorded(app):
    sign_in(app.test_client(), "ada", "a wrong password")
    client = signed_in(app, "ada")
    client.post(
        "/account/password", data={"old": PASSWORD, "new": "marble kettle 48", "again": "marble kettle 48"}
    )
    with app.extensions["database"].begin() as session:
        text = custody_log.export_log(session, None).decode()
    assert "password changed" in text
    for secret in (PASSWORD, "a wrong password", "marble kettle", client.get_cookie("reelproof").value):
        assert secret not in text
