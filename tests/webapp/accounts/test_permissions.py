"""Who may see what: the conditions, and that no endpoint forgets to say what it needs."""

from __future__ import annotations

import base64
import re

import pytest
from access_table import table
from made_results import finished, hand_in
from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from detector.files import ROOT
from webapp.accounts import permissions
from webapp.accounts.permissions import Permission, Principal, Role
from webapp.accounts.visibility import SAMPLE_FILE, visible, visible_session
from webapp.analyses import statistics as library_statistics
from webapp.exhibits import library_search
from webapp.storage.tables import AnalysisRow, AnnotationRow, CaseMember, CaseRow, Exhibit, User, now


def user(session, name: str, role: Role) -> Principal:
    row = User(
        name=name, display=name, role=role, password="", password_set=now(), one_time=False, created=now()
    )
    session.add(row)
    session.flush()
    return Principal(name, name, role, row.id)


@pytest.fixture
def lab(app):
    """Four people; an analysis of the first one's own, one in a case with the reader, one of nobody."""
    own, cased, nobodys = finished(app, file="own.mp4"), finished(app, file="cased.mp4"), hand_in(app, b"n")
    database = app.extensions["database"]
    with database.begin() as session:
        people = {name: user(session, name, role) for name, role in ROLES.items()}
        case = CaseRow(name="K-1", description="", created=now(), created_by="ada")
        session.add(case)
        session.flush()
        session.add_all(CaseMember(case_id=case.id, user_id=people[name].user_id) for name in ("ada", "ray"))
        session.get_one(AnalysisRow, own.id).owner_id = people["ada"].user_id
        row = session.get_one(AnalysisRow, cased.id)
        row.owner_id, row.case_id = people["ada"].user_id, case.id
        session.add(
            AnnotationRow(
                analysis_id=own.id, id="0" * 32, kind="exhibit", author="ada", made=now(), body="{}"
            )
        )
    return database, people, {"own": own, "cased": cased, "nobodys": nobodys}


ROLES = {"ada": Role.EXAMINER, "bob": Role.EXAMINER, "ray": Role.READER, "root": Role.ADMINISTRATOR}
SEEN = {
    "ada": {"own", "cased"},
    "bob": set(),
    "ray": {"cased"},
    "root": {"own", "cased", "nobodys"},
}


@pytest.mark.parametrize("name", ROLES)
def test_users_see_their_own_analyses_and_those_of_their_cases(lab, name):
    database, people, rows = lab
    who, ids = people[name], {rows[label].id for label in SEEN[name]}
    with database.begin() as session:
        assert set(session.scalars(visible(select(AnalysisRow.id), who))) == ids
        joined = select(AnalysisRow.id).join(Exhibit, AnalysisRow.exhibit_id == Exhibit.id)
        assert set(session.scalars(visible(joined, who))) == ids
        assert session.scalar(visible(select(func.count()).select_from(Exhibit), who)) == len(ids)
        assert session.scalar(visible(select(func.count()).select_from(AnnotationRow), who)) == (
            name in ("ada", "root")
        )
        assert session.scalar(visible(select(func.count()).select_from(CaseRow), who)) == (name != "bob")
        for label, row in rows.items():
            exhibit = visible(joined.where(Exhibit.id == row.exhibit_id), who)
            assert (session.scalar(exhibit) is not None) == (label in SEEN[name])


@pytest.mark.parametrize("name", ROLES)
def test_a_visible_session_finds_nothing_else(app, lab, name):
    _database, people, rows = lab
    who, ids = people[name], {rows[label].id for label in SEEN[name]}
    with app.app_context(), visible_session(who) as session:
        assert set(session.scalars(select(AnalysisRow.id))) == ids
        assert {row.id for row in session.scalars(select(AnalysisRow))} == ids
        assert session.scalar(select(func.count()).select_from(Exhibit)) == len(ids)
        assert session.scalar(select(func.count()).where(AnalysisRow.id != "")) == len(ids)
        assert session.scalar(select(func.count(AnalysisRow.id))) == len(ids)
        assert session.scalar(select(func.max(AnalysisRow.file)).where(AnalysisRow.file == "own.mp4")) == (
            "own.mp4" if "own" in SEEN[name] else None
        )
        joined = select(func.count()).select_from(AnalysisRow).join(AnalysisRow.exhibit)
        assert session.scalar(joined) == len(ids)
        inner = select(AnalysisRow.id).subquery()
        assert session.scalar(select(func.count()).select_from(inner)) == len(ids)
        exists = select(Exhibit.id).where(Exhibit.id.in_(select(AnalysisRow.exhibit_id)))
        assert len(session.scalars(exists).all()) == len(ids)
        other = aliased(AnalysisRow)
        assert set(session.scalars(select(other.id))) == ids
        for row in rows.values():
            assert (session.get(AnalysisRow, row.id) is not None) == (row.id in ids)
        page = library_search.find_page(session, library_search.LibrarySearch(), 1)
        assert ({row.id for row in page.rows}, page.total, page.everything) == (ids, len(ids), len(ids))
        assert library_search.reviewers(session) == (["ada"] if name in ("ada", "root") else [])


def test_statistics_of_somebody_who_sees_nothing_are_those_of_an_empty_library(app, lab):
    database, people, _rows = lab
    with database.begin() as session:
        session.execute(AnnotationRow.__table__.delete())  # its body is no annotation
    with app.app_context(), visible_session(people["bob"]) as session:
        seen = library_statistics.overview(session)
        assert not any(
            count.total for count in library_statistics.analyses_over_time(session, False, now().date())
        )
    assert (seen.analyses, seen.exhibits, seen.photos, seen.videos, seen.seconds) == (0, 0, 0, 0, 0.0)
    assert (seen.unmeasured, seen.models, seen.points, seen.speeds) == (0, (), (), ())
    assert seen.agreement.total == 0
    with app.app_context(), visible_session(people["ray"]) as session:
        seen = library_statistics.overview(session)
    assert (seen.analyses, seen.exhibits, seen.videos) == (1, 1, 1)


def test_everybody_sees_the_sample_unless_somebody_uploaded_it(app, lab):
    database, people, rows = lab
    sample = hand_in(app, b"s", SAMPLE_FILE)
    his = visible(select(AnalysisRow.id).where(AnalysisRow.id == sample.id), people["bob"])
    with database.begin() as session:
        assert session.scalar(his) == sample.id
        session.get_one(AnalysisRow, sample.id).owner_id = people["ada"].user_id
    with database.begin() as session:
        assert session.scalar(his) is None


def test_a_select_of_other_tables_raises(lab):
    _database, people, _rows = lab
    with pytest.raises(TypeError):
        visible(select(User), people["bob"])


def test_a_token_is_limited_by_role_and_scopes():
    reviewer = Principal("r", "r", Role.REVIEWER, 1, frozenset({"read", "delete"}))
    assert reviewer.may(Permission.READ)
    assert not reviewer.may(Permission.ANNOTATE)  # not among the scopes
    assert not reviewer.may(Permission.DELETE)  # not the role's


def test_each_role_includes_the_previous_one():
    order = [permissions.PERMISSIONS[role] for role in Role]
    assert all(less < more for less, more in zip(order, order[1:], strict=False))
    assert order[-1] == set(Permission)


def test_templates_name_existing_permissions():
    """Of a word that is none of them a page would say no to everybody."""
    pages = "".join(path.read_text("utf-8") for path in (ROOT / "templates").rglob("*.html"))
    asked = re.findall(r'\.may\("(\w+)"\)', pages)
    assert len(asked) == pages.count(".may(") > 30 and set(asked) <= set(Permission)


def test_the_api_guide_names_every_scope():
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    (named,) = re.findall(r"Scopes are the names of the permissions: ([^;]+);", text)
    assert named == ", ".join(f"`{permission}`" for permission in Permission)


def test_every_endpoint_declares_a_requirement(app):
    assert [row for row in table(app) if row[3] is None] == []


def test_an_endpoint_without_requirement_is_closed(app):
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    answer = app.test_client().get("/forgotten")
    assert answer.status_code == 403
    assert "secret" not in answer.text


@pytest.mark.parametrize("number", ["2147483648", "9223372036854775808", "9" * 40])
def test_ids_beyond_those_of_rows_answer_404(client, number):
    assert client.get(f"/cases/{number}").status_code == 404
    for path in (f"/users/{number}/enable", f"/cases/1/members/{number}/remove"):
        assert client.post(path).status_code == 404, path
    assert client.post(f"/cases/{number}").status_code == 405  # as for any address that only GET knows
    cursor = base64.urlsafe_b64encode(f"2026-11-20T00:00:00+00:00 {number}".encode()).decode().strip("=")
    assert client.get(f"/api/v1/exhibits?cursor={cursor}").status_code == 200
    assert client.get(f"/analyses?page={number}").status_code == 200
