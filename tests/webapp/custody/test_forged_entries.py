"""Entries forged to match altered rows, with a valid hash but without the log's key, are rejected."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import made_comparisons
import people
import pytest
import second_review_case
from flask import Flask
from made_results import digest, finished
from sqlalchemy import insert, inspect, select, text, update
from sqlalchemy.orm import Session

from reports.custody.format import Action, entry_sha256, to_json
from reports.review.annotation_file import checksum
from webapp.accounts.permissions import Role
from webapp.custody import custody_log, job_records, people_records
from webapp.downloads import quoted_extract
from webapp.storage.tables import (
    AnalysisRow,
    AnnotationRow,
    CaseDetailsRow,
    CaseReview,
    Choice,
    ComparisonRow,
    CustodyRow,
    Exhibit,
    ReviewStatement,
    User,
    now,
)

pytestmark = pytest.mark.usefixtures("quick_reports")

SAID = {"kind": "exhibit", "author": "Ada", "verdict": "agree", "note": ""}
Forger = Callable[[Session], None]


def forge(session: Session, action: str, **changed: str | int) -> None:
    """Write the last entry of an action anew, as who has the database's file can."""
    session.execute(text("DROP TRIGGER IF EXISTS custody_no_update"))
    *_, entry = (record for record in custody_log.iter_entries(session) if record.action == action)
    forged = to_json(entry) | {"details": entry.details | changed}
    session.execute(
        update(CustodyRow)
        .where(CustodyRow.number == entry.number)
        .values(details=json.dumps(forged["details"]), sha256=entry_sha256(forged))
    )


def refused(app: Flask, client, forger: Forger, *addresses: str) -> None:
    """They are answered until an entry is forged, and then say which one was."""
    assert {page: client.get(page).status_code for page in addresses} == dict.fromkeys(addresses, 200)
    with app.extensions["database"].begin() as session:
        forger(session)
    answers = {page: client.get(page) for page in addresses}
    assert {page: answer.status_code for page, answer in answers.items()} == dict.fromkeys(addresses, 500)
    assert all("of the custody log was not written with its key" in page.text for page in answers.values())


def handed_out(analysis_id: str) -> tuple[str, str]:
    return f"/analyses/{analysis_id}/report.html", f"/analyses/{analysis_id}/bundle.zip?video=no"


def test_forged_verdict(app, client):
    row = finished(app)
    api, page = f"/api/v1/analyses/{row.id}", f"/analyses/{row.id}"
    finding = json.dumps({"verdict": "no manipulation found"})

    def forger(session):
        forged = {"verdict": "no manipulation found", "probability": 0.01, "summary": finding}
        session.execute(update(AnalysisRow).values(**forged))
        sums = {job_records.SUMMARY_SHA256: job_records.sha256_of_text(finding)}
        forge(session, "analysis finished", verdict=forged["verdict"], probability="0.01", **sums)

    asked = page, *handed_out(row.id), api, f"{api}/segments"
    refused(app, client, forger, *asked)


def test_forged_annotation(app, client):
    row = finished(app)
    annotation = client.post(f"/api/v1/analyses/{row.id}/annotations", json=SAID).json["annotations"][0]

    def forger(session):
        stored = session.get_one(AnnotationRow, (row.id, annotation["id"]))
        other = json.loads(stored.body) | {"verdict": "disagree"}
        stored.body, stored.verdict = json.dumps(other), "disagree"
        forge(session, "annotation", sha256=checksum([other]))

    refused(app, client, forger, f"/api/v1/analyses/{row.id}/annotations", *handed_out(row.id))


def test_forged_case_details(app, client):
    row = finished(app)
    client.post(f"/analyses/{row.id}/case", data={"case_number": "ST/1", "paper": "A4"})

    def forger(session):
        stored = session.get_one(CaseDetailsRow, row.id)
        stored.body = json.dumps(json.loads(stored.body) | {"case_number": "ST/2"})
        forge(session, "case details", **{"case number": "ST/2"})

    refused(app, client, forger, f"/analyses/{row.id}", *handed_out(row.id))


def test_forged_comparison(app, client):
    row = finished(app)
    compared = made_comparisons.compared(app, row, finished(app, file="other.mp4"))

    def forger(session):
        session.execute(update(ComparisonRow).values(outcome="no difference"))
        forge(session, "comparison finished", outcome="no difference")

    page = f"/comparisons/{compared.id}"
    refused(app, client, forger, page, f"{page}/comparison.json", *handed_out(row.id))


def added(session: Session, action: Action, **about: str) -> None:
    """Append an entry as who has the database's file can: whose MAC is that of nothing."""
    session.execute(text("DROP TRIGGER IF EXISTS custody_no_update"))
    made = custody_log.append(session, action, {"attempt": 1}, **about)
    session.execute(update(CustodyRow).where(CustodyRow.number == made.number).values(mac="0" * 64))


@pytest.mark.parametrize("known", ["queued", "before the log"])
def test_forged_analysis(app, client, folders, known):
    """With an entry that queues it, or as one of those said to have been there when the log began."""
    row = finished(app)
    values = {element.key: getattr(row, element.key) for element in inspect(AnalysisRow).column_attrs}
    with app.extensions["database"].begin() as session:
        if known == "queued":
            added(session, "analysis queued", analysis="f" * 32, exhibit=row.exhibit.sha256)
            added(session, "analysis finished", analysis="f" * 32, exhibit=row.exhibit.sha256)
        else:
            of = {element.key: getattr(row.exhibit, element.key) for element in inspect(Exhibit).column_attrs}
            session.execute(insert(Exhibit).values(of | {"id": 77, "sha256": "d" * 64}))
            values |= {"exhibit_id": 77}
            forge(session, "log begun", analyses=5)
        session.execute(insert(AnalysisRow).values(values | {"id": "f" * 32}))
    shutil.copytree(folders.result(row.id), folders.result("f" * 32))
    for element in (f"/analyses/{'f' * 32}", f"/api/v1/analyses/{'f' * 32}", *handed_out("f" * 32)):
        answer = client.get(element)
        assert answer.status_code == 500 and "was not written with its key" in answer.text, element


def test_forged_choice_of_validation(app, client, folders):
    row = finished(app)
    content, place = b"{}", folders.validation("e" * 32)
    place.mkdir(parents=True)
    (place / "laboratory.json").write_bytes(content)

    def forger(session):
        details = {
            "what": quoted_extract.CHOSEN,
            "validation": "e" * 32,
            quoted_extract.EXTRACT: digest(content),
        }
        forge(session, "configuration", **details)
        session.add(Choice(name="validation", value=f"{'e' * 32} {digest(content)}", made=now()))

    refused(app, client, forger, *handed_out(row.id))


@pytest.mark.parametrize("what", ["judgement", "naming"])
def test_forged_second_review(tmp_path, sent, what):
    lab = second_review_case.review(tmp_path / "data", sent)
    lab.judge("ada", "manipulated")

    def forger(session):
        if what == "judgement":
            row = session.scalars(select(ReviewStatement)).one()
            other = json.loads(row.body) | {"conclusion": "inconclusive"}
            row.body = json.dumps(other)
            forge(session, "second review", sha256=checksum([other]))
        else:
            row = session.scalars(select(CaseReview)).one()
            row.blind = "judgements"
            forge(session, "reviewers named", named=people_records.format_reviewers(row))

    refused(lab.app, lab.clients["ada"], forger, lab.page)
    lab.app.extensions["database"].close()


def test_forged_role(tmp_path):
    """What the log says of an account counts only where it was written with the key."""
    app = people.with_login(tmp_path / "data", [])
    people.account(app, "ray", Role.READER)
    assert people.sign_in(app.test_client(), "ray").status_code == 303
    with app.extensions["database"].begin() as session:
        session.scalars(select(User)).one().role = Role.ADMINISTRATOR
        details = {"what": "role changed", "account": "ray", "role": "administrator"}
        forge(session, "account", **details)
    answer = people.sign_in(app.test_client(), "ray")
    assert answer.status_code == 500, answer.text
    app.extensions["database"].close()
