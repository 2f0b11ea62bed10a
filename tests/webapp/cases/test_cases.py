"""Cases: creation, members, assigned analyses, and what they make visible."""

from __future__ import annotations

import io

import pytest
from made_results import finished
from people import signed_in, with_accounts
from sqlalchemy import select

from webapp.accounts.permissions import Role
from webapp.storage.tables import AnalysisRow, CaseMember, User, now


@pytest.fixture
def app(tmp_path, sent):
    people = {"ada": Role.EXAMINER, "bob": Role.EXAMINER, "ray": Role.READER}
    with with_accounts(tmp_path / "data", sent, people) as app:
        yield app


@pytest.fixture
def ada(app):
    return signed_in(app, "ada")


@pytest.fixture
def bob(app):
    return signed_in(app, "bob")


def hand_in(client, content: bytes, **fields):
    return client.post("/analyses", data={"file": (io.BytesIO(content), "clip.mp4"), **fields})


def make(client, name="K-17/26", description="what it is about"):
    answer = client.post("/cases", data={"name": name, "description": description})
    assert answer.status_code == 303
    return answer.location


def test_creator_is_the_only_member_of_a_new_case(ada, bob):
    place = make(ada)
    page = ada.get(place)
    assert "K-17/26" in page.text and "what it is about" in page.text
    assert "K-17/26" in ada.get("/cases").text
    assert bob.get(place).status_code == 404
    assert "K-17/26" not in bob.get("/cases").text
    assert bob.post(place, data={"name": "mine"}).status_code == 404
    assert bob.post(f"{place}/members", data={"user": "2"}).status_code == 404


def test_stale_form_changes_only_edited_fields(ada):
    place = make(ada)
    shown = {"shown_name": "K-17/26", "shown_description": "what it is about"}
    page = ada.get(place).text
    assert all(f'type="hidden" name="{name}" value="{value}"' in page for name, value in shown.items())
    ada.post(place, data=shown | {"name": "K-18/26", "description": "what it is about"})
    ada.post(place, data=shown | {"name": "K-17/26", "description": "something else"})
    page = ada.get(place).text
    assert "K-18/26" in page and "something else" in page and "K-17/26" not in page


def test_conflicting_change_of_a_case_is_rejected(ada):
    place = make(ada, description="one\r\ntwo")
    shown = {"shown_name": "K-17/26", "shown_description": "one\r\ntwo"}
    assert ada.post(place, data=shown | {"name": "K-18/26", "description": "three"}).status_code == 303
    late = {"name": "K-19/26", "description": "one\r\ntwo"}
    answer = ada.post(place, data=shown | late)
    assert answer.status_code == 409 and "renamed the case: “K-18/26”" in answer.text
    assert 'required value="K-19/26"' in answer.text and 'name="shown_name" value="K-18/26"' in answer.text
    seen = {"shown_name": "K-18/26", "shown_description": "three"}
    assert ada.post(place, data=seen | {"name": "K-19/26", "description": "three"}).status_code == 303
    answer = ada.post(place, data=shown | {"name": "K-17/26", "description": "four"})
    assert answer.status_code == 409
    assert "changed the description of the case: “three”" in answer.text
    assert ada.post(place, data=shown | {"name": "K-19/26", "description": "three"}).status_code == 303
    page = ada.get(place).text
    assert "K-19/26" in page and "three" in page and "four" not in page


def test_missing_case_in_german(ada):
    make(ada)
    assert '<option value="">kein Fall' in ada.get("/", headers={"Accept-Language": "de"}).text


def test_case_names_need_not_be_unique(ada, bob):
    assert make(ada) != make(bob)  # or who is refused would learn that the other one exists


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "A case needs a name."),
        ("   ", "A case needs a name."),
        ("x" * 121, "more than 120 characters"),
        ("a\u202eb", "invisible character (U+202E)"),
        ("K\u200c-1", "invisible character (U+200C)"),
        ("می\u200c", "invisible character (U+200C)"),
    ],
)
def test_invalid_names_are_explained_and_kept_in_the_form(ada, name, message):
    typed = {"name": name, "description": "what <b> it is about"}
    place = make(ada)
    for address, more in (("/cases", {}), (place, {"shown_name": "K-17/26", "shown_description": "older"})):
        refused = ada.post(address, data=typed | more)
        assert refused.status_code == 400 and message in refused.text
        shown = name.replace(
            "\u202e", "\\u202e"
        )  # what turns the reading direction is escaped in every output
        assert f'required value="{shown}"' in refused.text
        assert ">\nwhat &lt;b&gt; it is about</textarea>" in refused.text
        assert 'aria-invalid="true" aria-describedby="name-wrong"' in refused.text
        answer = ada.post(address, data=typed | more, headers={"Accept": "application/json"})
        assert answer.status_code == 400 and set(answer.json) == {"error", "remedy"}
    assert "what it is about" in ada.get(place).text
    refused = ada.post(place, data=typed | {"name": "K", "description": "x" * 2001})
    assert refused.status_code == 400 and 'required value="K"' in refused.text and "x" * 2001 in refused.text


@pytest.mark.parametrize("name", ["پرونده‌ی می‌خواهم", "ශ්‍රී ලංකා", "രാജന്\u200d", "👩🏽‍🔬 lab", "❤️‍🔥"])
def test_names_in_scripts_with_joiners(ada, name):
    assert name in ada.get(make(ada, name)).text


def test_members_see_uploads_to_their_case(app, ada, bob, sent):
    place = make(ada)
    number = place.rsplit("/", 1)[1]
    assert f'<option value="{number}"' in ada.get("/").text
    assert hand_in(ada, b"one", case=number).status_code == 303
    page = f"/analyses/{sent[0]}"
    assert bob.get(page).status_code == 404
    assert ada.post(f"{place}/members", data={"user": "2"}).status_code == 303
    assert bob.get(page).status_code == 200
    assert sent[0] in bob.get("/analyses").text and sent[0] in bob.get(place).text
    assert ada.post(f"{place}/members/2/remove").status_code == 303
    assert bob.get(page).status_code == 404 and bob.get(place).status_code == 404


def test_removed_member_stays_in_other_cases(ada, bob):
    left, kept = make(ada), make(ada, "K-18/26")
    for place in (left, kept):
        assert ada.post(f"{place}/members", data={"user": "2"}).status_code == 303
    assert ada.post(f"{left}/members/2/remove").status_code == 303
    assert [bob.get(place).status_code for place in (left, kept)] == [404, 200]


def test_upload_to_a_hidden_case_is_rejected(app, ada, bob, sent):
    place = make(ada)
    for case, status in (
        (place.rsplit("/", 1)[1], 404),
        ("99", 404),
        ("x", 400),
        ("-1", 400),
        ("1" * 40, 400),
    ):
        assert hand_in(bob, b"one", case=case).status_code == status
    assert sent == []
    assert hand_in(bob, b"one", case="").status_code == 303


def test_assign_an_analysis_to_a_case_and_remove_it(app, ada, bob, sent):
    place = make(ada)
    number = place.rsplit("/", 1)[1]
    ada.post(f"{place}/members", data={"user": "2"})
    hand_in(bob, b"one")
    page = f"/analyses/{sent[0]}"
    assert ada.get(page).status_code == 404
    assert number in bob.get(f"{page}/assign").text
    assert bob.post(f"{page}/assign", data={"case": number}).location == page
    assert ada.get(page).status_code == 200
    # A member may take it out: then it is the other one's again, and theirs no longer.
    assert ada.post(f"{page}/assign", data={"case": ""}).location == "/analyses"
    assert ada.get(page).status_code == 404 and bob.get(page).status_code == 200
    assert ada.post(f"{page}/assign", data={"case": number}).status_code == 404


def test_readers_see_their_cases_and_change_nothing(app, ada):
    place = make(ada)
    ada.post(f"{place}/members", data={"user": "3"})
    ray = signed_in(app, "ray")
    text = ray.get(place).text
    assert "K-17/26" in text and "<form" not in text.split("<main")[1]
    for path in (place, f"{place}/members", f"{place}/members/1/remove", "/cases"):
        assert ray.post(path, data={"name": "x", "user": "2"}).status_code == 403
    assert "Start the analysis" not in ray.get("/").text


def test_reanalysis_stays_in_the_case_and_belongs_to_the_user(app, ada, bob, sent):
    place = make(ada)
    number = place.rsplit("/", 1)[1]
    ada.post(f"{place}/members", data={"user": "2"})
    hand_in(ada, b"one", case=number)
    assert bob.post(f"/analyses/{sent[0]}/again").status_code == 303
    with app.extensions["database"].begin() as session:
        new = session.get_one(AnalysisRow, sent[1])
        assert (new.owner_id, new.case_id) == (2, int(number))


def test_repeated_upload_reveals_nothing_about_others(app, ada, bob, sent):
    hand_in(ada, b"the very same bytes")
    first = hand_in(bob, b"some other bytes")
    second = hand_in(bob, b"the very same bytes")
    assert first.status_code == second.status_code
    assert list(first.headers.keys()) == list(second.headers.keys())
    page = bob.get(second.location).text
    assert sent[0] not in page
    assert "1</strong> analysis" not in page
    assert "<strong>2</strong> analyses" in bob.get("/analyses").text
    with app.extensions["database"].begin() as session:
        assert len({row.exhibit_id for row in session.scalars(select(AnalysisRow))}) == 2


def test_deletion_keeps_shared_exhibits_silently(app, ada, bob, sent):
    hand_in(ada, b"the very same bytes")
    hand_in(bob, b"the very same bytes")
    bob.post(f"/analyses/{sent[1]}/cancel")
    text = bob.get(f"/analyses/{sent[1]}/delete").text
    assert "unless an analysis that you may not see uses it" in text and "other analys" not in text
    assert bob.post(f"/analyses/{sent[1]}/delete").status_code == 303
    assert ada.get(f"/analyses/{sent[0]}").status_code == 200
    exhibits = app.extensions["settings"].data / "exhibits"
    assert len([path for path in exhibits.rglob("*") if path.is_file()]) == 1


def test_annotation_author_is_the_signed_in_user(app, ada):
    row = finished(app)
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, row.id).owner_id = 1
    body = {"kind": "exhibit", "verdict": "agree", "note": "", "author": "Somebody Else"}
    answer = ada.post(f"/api/v1/analyses/{row.id}/annotations", json=body)
    assert answer.status_code == 201
    assert answer.json["annotation"]["author"] == "Ada"
    assert 'data-author="Ada"' in ada.get(f"/analyses/{row.id}").text


def test_leave_a_case(app, ada):
    place = make(ada)
    assert ada.post(f"{place}/members/1/remove").location == "/cases"
    assert ada.get(place).status_code == 404
    with app.extensions["database"].begin() as session:
        assert list(session.scalars(select(CaseMember))) == []


def test_disabled_account_cannot_become_a_member(app, ada):
    place = make(ada)
    with app.extensions["database"].begin() as session:
        ray = session.scalars(select(User).where(User.name == "ray")).one()
        ray.disabled = now()
    for user_id in (ray.id, 99):
        answer = ada.post(f"{place}/members", data={"user": user_id})
        assert answer.status_code == 400 and "no such account, or it is disabled" in answer.text
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(CaseMember.user_id).where(CaseMember.user_id == ray.id)).all() == []
