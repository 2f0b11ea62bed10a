"""*Group copies* for accounts that see a part of the library."""

from __future__ import annotations

import random
import re

import pytest
from flask import g
from large_library import fill
from sqlalchemy import event, select
from sqlalchemy.orm import Session
from test_library_search import FILTERS
from werkzeug.datastructures import MultiDict

from webapp.accounts.permissions import Principal, Role
from webapp.accounts.visibility import visible_session
from webapp.exhibits import library_search
from webapp.exhibits.library_search import LibrarySearch, parse_search
from webapp.storage.tables import (
    AnalysisRow,
    CaseMember,
    CaseReview,
    CaseRow,
    Exhibit,
    MatchRow,
    State,
    User,
    now,
)


@pytest.fixture
def member(app, database):
    """A request of an account that owns some analyses, is in a case, and has judgements to make."""
    fill(database, 240)
    chance = random.Random(17)
    with database.begin() as session:
        ada, ben = (_user(session, name) for name in ("ada", "ben"))
        cases = [CaseRow(name=f"K {n}", created=now(), created_by="x") for n in range(3)]
        session.add_all(cases)
        session.flush()
        session.add_all(CaseMember(case_id=case.id, user_id=ben.id) for case in cases[:2])
        session.add(
            CaseReview(case_id=cases[1].id, first_id=ada.id, second_id=ben.id, blind="findings", named=now())
        )
        for row in session.scalars(select(AnalysisRow)):
            row.owner_id = chance.choice((None, ada.id, ben.id))
            row.case_id = chance.choice((None, *(case.id for case in cases)))
        exhibits = session.scalars(select(Exhibit.id)).all()
        pairs = {tuple(sorted(chance.sample(exhibits, 2))) for _ in range(120)}
        session.add_all(
            MatchRow(exhibit_id=b, other_id=a, of_all=chance.random() < 0.7, found=now(), body="{}")
            for a, b in pairs
        )
        who = Principal("ben", "ben", Role.EXAMINER, ben.id)
    with app.test_request_context():
        g.principal = who
        yield who


def _user(session: Session, name: str) -> User:
    row = User(
        name=name,
        display=name,
        role=Role.EXAMINER,
        password="",
        password_set=now(),
        one_time=False,
        created=now(),
    )
    session.add(row)
    session.flush()
    return row


def expected(session: Session, asked: LibrarySearch) -> set[str]:
    """By definition: the matches without a better matching copy that may be known."""
    ungrouped = parse_search(MultiDict(asked.query(grouped="")))
    fitting = session.scalars(library_search.matching_analyses(select(AnalysisRow), ungrouped)).all()
    whole = select(MatchRow.exhibit_id, MatchRow.other_id).where(MatchRow.of_all.is_(True))
    copies = {pair for a, b in session.execute(whole) for pair in ((a, b), (b, a))}

    def rank(row: AnalysisRow) -> tuple[object, ...]:
        return row.state == State.DONE, row.created, row.id

    def stands_for(other: AnalysisRow, row: AnalysisRow) -> bool:
        known = row.state == State.DONE  # see `exhibits_with_copies`
        whole_copy = known and (other.exhibit_id, row.exhibit_id) in copies
        same = other.exhibit_id == row.exhibit_id or whole_copy
        no_other_verdict = row.verdict is None or other.verdict == row.verdict
        return same and no_other_verdict and rank(other) > rank(row)

    return {row.id for row in fitting if not any(stands_for(other, row) for other in fitting)}


ASKED = [{"grouped": "yes"} | ({name: FILTERS[name]} if name else {}) for name in (None, *FILTERS)]


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_one_visible_copy_is_shown(member, asked):
    search = parse_search(MultiDict(asked))
    with visible_session() as session:
        query = library_search.matching_analyses(select(AnalysisRow.id), search)
        assert set(session.scalars(query)) == expected(session, search)


def test_the_example_has_hidden_and_grouped_analyses(member, database):
    with visible_session() as session:
        seen = session.scalars(select(AnalysisRow.id)).all()
        shown = session.scalars(
            library_search.matching_analyses(select(AnalysisRow.id), LibrarySearch(grouped=True))
        ).all()
    assert 20 < len(shown) < len(seen) < 200
    with database.begin() as session:
        hidden = select(AnalysisRow.id).where(
            AnalysisRow.owner_id == member.user_id, AnalysisRow.id.not_in(seen)
        )
        assert session.scalars(hidden).first() is not None  # until they have judged


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_grouping_uses_the_index_for_restricted_accounts(member, database, asked):
    plan: list[str] = []

    def explain(connection, cursor, statement, parameters, _context, _many):
        if "AS better" in statement:
            driver = connection.connection.driver_connection
            plan.extend(row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    with visible_session() as session:
        if session.get_bind().dialect.name != "sqlite":
            pytest.skip("only SQLite tells its plan so")
        event.listen(database.engine, "before_cursor_execute", explain)
        library_search.find_page(session, parse_search(MultiDict(asked)), 1)
    others = [step for step in plan if re.match(r"(SCAN|SEARCH) better\b", step)]
    assert others and all("(exhibit_id=?" in step for step in others), plan
