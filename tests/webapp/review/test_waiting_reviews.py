"""Tasks of reviewers: the list, its pages, and the count on every page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from people import account, signed_in, with_login
from sqlalchemy import event
from sqlalchemy.orm import Session

from reports.review.second_review import parse, statement_json
from webapp.accounts.permissions import Principal, Role
from webapp.casework import reviews
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, CaseReview, CaseRow, Exhibit, ReviewStatement, State

START = datetime(2026, 11, 1, tzinfo=UTC)
FIRST = {"kind": "judgement", "part": "first", "conclusion": "manipulated", "reasons": "x"}
SECOND = FIRST | {"part": "second"}
OTHER = SECOND | {"conclusion": "no manipulation found"}
PROPOSAL = {"kind": "proposal", "part": "first", "conclusion": "inconclusive", "reasons": "x"}
ACCEPTANCE = {"kind": "acceptance", "part": "second"}
DECISION = {"kind": "decision", "part": "third", "conclusion": "manipulated", "reasons": "x"}
MESSAGE = {"kind": "message", "part": "first", "text": "Look again."}

# What was said, whether there is a third, and what then waits for the first, the second, the third.
SAID = {
    "nothing": ((), True, ("judge", "judge", None)),
    "the first": ((FIRST,), True, (None, "judge", None)),
    "the second": ((SECOND,), True, ("judge", None, None)),
    "agreed": ((FIRST, SECOND, MESSAGE), True, (None, None, None)),
    "differs": ((FIRST, OTHER, MESSAGE), True, (None, None, "decide")),
    "two differ": ((OTHER, FIRST), False, ("resolve", "resolve", None)),
    "proposed": ((FIRST, OTHER, PROPOSAL), True, (None, "answer", "decide")),
    "two proposed": ((FIRST, OTHER, PROPOSAL), False, (None, "answer", None)),
    "accepted": ((FIRST, OTHER, PROPOSAL, ACCEPTANCE), False, (None, None, None)),
    "decided": ((FIRST, OTHER, DECISION), True, (None, None, None)),
}


@pytest.fixture
def people(tmp_path, sent) -> Iterator[tuple[Database, dict[str, Principal]]]:
    app = with_login(tmp_path / "data", sent)
    users = {name: account(app, name, Role.EXAMINER) for name in ("ada", "ben", "cleo", "dora")}
    yield app, {name: Principal(name, name, Role.EXAMINER, user.id) for name, user in users.items()}
    app.extensions["database"].close()


def case(session: Session, people: dict[str, Principal], *, third: bool = True, closed: bool = False) -> int:
    row = CaseRow(name="K", created=START, created_by="x", closed=START if closed else None)
    session.add(row)
    session.flush()
    ids = [people[name].user_id for name in ("ada", "ben", "cleo")]
    naming = {"first_id": ids[0], "second_id": ids[1], "third_id": ids[2] if third else None}
    session.add(CaseReview(case_id=row.id, blind="judgements", named=START, **naming))
    return row.id


def reviewed(session: Session, case_id: int, name: str, statements: tuple[dict[str, str], ...] = ()) -> None:
    """An exhibit of the case with two analyses; the older one is under review if it has statements."""
    number = int(hashlib.sha256(name.encode()).hexdigest()[:7], 16)
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    session.add(
        Exhibit(id=number, sha256=sha256, name=name, bytes=1, path=f"exhibits/{sha256}", created=START)
    )
    for place in (1, 2):
        moment = START + timedelta(hours=place)
        session.add(
            AnalysisRow(
                id=hashlib.md5(f"{name}{place}".encode()).hexdigest(), exhibit_id=number, file=name,
                state=State.DONE, case_id=case_id, created=moment, sent=moment, finished=moment,
            )
        )  # fmt: skip
    session.flush()
    ids: dict[str, str] = {}
    for place, body in enumerate(statements):
        own = {"id": hashlib.md5(f"{name}{place}".encode()).hexdigest(), "author": "X"}
        ids[body["kind"]] = own["id"]
        about = {"about": ids["proposal"]} if body["kind"] == "acceptance" else {}
        statement = parse(body | own | about | {"made": START + timedelta(days=1, hours=place)})
        session.add(
            ReviewStatement(
                analysis_id=hashlib.md5(f"{name}1".encode()).hexdigest(), id=statement.id,
                kind=statement.kind, part=statement.part, made=statement.made,
                body=json.dumps(statement_json(statement)),
            )
        )  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_tasks_of_each_reviewer(people, name):
    app, who = people
    database, (statements, third, expected) = app.extensions["database"], SAID[name]
    with database.begin() as session:
        reviewed(session, case(session, who, third=third), name, statements)
        reviewed(session, case(session, who, closed=True), f"{name}, closed", statements)
    with database.begin() as session:
        for person, task in zip(("ada", "ben", "cleo"), expected, strict=True):
            tasks = reviews.review_tasks(session, who[person])
            assert [entry.task for entry in tasks] == ([] if task is None else [task]), person
            named = third or person != "cleo"
            assert reviews.count_review_tasks(session, who[person]) == (len(tasks) if named else 0)
            for entry in tasks:  # of two analyses that of which something was said
                spoken_of = f"{name}{1 if statements else 2}"
                assert entry.row.id == hashlib.md5(spoken_of.encode()).hexdigest()
        assert reviews.count_review_tasks(session, who["dora"]) is None


def test_counting_reads_only_relevant_statements(people, monkeypatch):
    app, who = people
    database = app.extensions["database"]
    with database.begin() as session:
        case_id = case(session, who)
        for name in ("nothing", "the first", "the second", "differs", "decided"):
            for number in range(3):
                reviewed(session, case_id, f"{name} {number}", SAID[name][0])
    parsed, statements, loaded = [], [], []

    class Counting:
        @staticmethod
        def validate_json(body: str) -> object:
            parsed.append(body)
            return STATEMENT.validate_json(body)

    STATEMENT = reviews.STATEMENT
    monkeypatch.setattr(reviews, "STATEMENT", Counting)
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    event.listen(AnalysisRow, "load", on_load := lambda *_: loaded.append(1))
    try:
        with database.begin() as session:
            assert reviews.count_review_tasks(session, who["ben"]) == 6
    finally:
        event.remove(AnalysisRow, "load", on_load)
    assert len(parsed) == 3 * 3 and loaded == []  # of those that differ, both judgements and a message
    assert len(statements) <= 6


def test_tasks_are_paged(people, monkeypatch):
    app, who = people
    with app.extensions["database"].begin() as session:
        case_id = case(session, who)
        for number in range(5):
            reviewed(session, case_id, f"clip {number}.mp4")
    monkeypatch.setattr(reviews, "PAGE_SIZE", 2)
    with app.extensions["database"].begin() as session:
        everything = [task.row.id for task in reviews.review_tasks(session, who["ada"])]
        pages = [reviews.review_task_page(session, who["ada"], number) for number in (0, 1, 2, 3, 9)]
    assert [(page.number, page.pages, page.total) for page in pages] == [
        (1, 3, 5), (1, 3, 5), (2, 3, 5), (3, 3, 5), (3, 3, 5)
    ]  # fmt: skip
    assert [task.row.id for page in pages[1:4] for task in page.rows] == everything
    ada = signed_in(app, "ada")
    second = ada.get("/reviews?page=2").text
    assert "Page 2 of 3" in second and 'rel="prev"' in second and 'rel="next"' in second
    assert second.count("Give your judgement") == 2
    assert len(ada.get("/api/v1/reviews").json["items"]) == 5
