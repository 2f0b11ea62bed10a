"""Purging a case: what is deleted, what stays, and what the log keeps."""

from __future__ import annotations

import pytest
from made_cases import another, entries, ids, put
from made_comparisons import compared, comparison_rows
from made_results import finished, hand_in
from made_rows import row
from people import PASSWORD
from second_review_case import review
from sqlalchemy import select

from cli.web import main as cli
from webapp.exhibits import deletion
from webapp.jobs import states
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, CaseMember, CaseReview, CaseRow, Exhibit, State, User, now

pytestmark = pytest.mark.usefixtures("quick_reports")


def test_purge_leaves_entries_in_the_log(app, ada, root, case, monkeypatch, capsys):
    number = int(case.rpartition("/")[2])
    outside = finished(app, file="outside.mp4")
    with app.extensions["database"].begin() as session:
        shared = session.scalars(select(AnalysisRow).where(AnalysisRow.file == "a.mp4")).one()
        shared_exhibit = shared.exhibit_id
        states.create_analysis(session, shared.exhibit, "again.mp4").state = State.CANCELLED
    assert ada.get(f"{case}/purge").status_code == 403
    assert root.post(f"{case}/purge").status_code == 409  # open yet
    ada.post(f"{case}/close")
    page = root.get(f"{case}/purge")
    assert "2 analyses" in page.text and "1 exhibit " in page.text and "not been exported" in page.text
    assert root.post(f"{case}/purge").status_code == 303
    with app.extensions["database"].begin() as session:
        assert session.get(CaseRow, number) is None and not session.scalars(select(CaseMember)).all()
        kept = set(session.scalars(select(Exhibit.id)))
        assert kept == {shared_exhibit, outside.exhibit_id}
    (purge,) = entries(app, "purge")
    assert (purge["name"], purge["analyses"], purge["exhibits"], purge["actor"]) == ("K-17/26", 2, 1, "root")
    assert len(entries(app, "deletion")) == 2
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    assert cli.run(["verify-log"]) == 0, capsys.readouterr()


def test_purge_counts_unshared_exhibits_once(app, ada, root, case):
    shared, own = (row(app.extensions["database"], analysis_id) for analysis_id in ids(app))
    for exhibit, number in (
        (shared.exhibit, another(app, "K-18/26", closed=False)),
        (own.exhibit, int(case.rpartition("/")[2])),
    ):
        with app.extensions["database"].begin() as session:
            again = states.create_analysis(session, exhibit, "again.mp4")
            again.state, again.case_id = State.CANCELLED, number
    ada.post(f"{case}/close")
    page = root.get(f"{case}/purge").text
    assert "3 analyses" in page and "1 exhibit " in page
    assert root.post(f"{case}/purge").status_code == 303
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(Exhibit.id)).all() == [shared.exhibit_id]


def test_case_with_unfinished_jobs_is_not_purged(app, ada, root, case):
    ada.post(f"{case}/close")
    put(app, hand_in(app, b"waits").id, int(case.rpartition("/")[2]))
    assert root.post(f"{case}/purge").status_code == 409
    assert entries(app, "purge") == entries(app, "deletion") == [] and len(ids(app)) == 3


def test_purge_keeps_members_and_reviewers_of_other_cases(app, ada, root, case):
    other = another(app, "K-18/26", closed=False)
    with app.extensions["database"].begin() as session:
        first, two = session.scalars(select(User).limit(2))
        session.add(CaseMember(case_id=other, user_id=first.id))
        reviewers = {"first_id": first.id, "second_id": two.id}
        session.add(CaseReview(case_id=other, **reviewers, blind="all", named=now()))
    ada.post(f"{case}/close")
    assert root.post(f"{case}/purge").status_code == 303
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(CaseMember.case_id)).all() == [other]
        assert session.scalars(select(CaseReview.case_id)).all() == [other]


@pytest.mark.parametrize("as_reference", [False, True])
def test_comparison_of_another_closed_case_blocks_a_purge(app, ada, root, case, as_reference):
    other = finished(app, file="outside.mp4")
    kept = another(app, "K-18/26", closed=True)
    put(app, other.id, kept)
    with app.extensions["database"].begin() as session:
        inside = session.get_one(AnalysisRow, ids(app)[1])
    compared(app, *((inside, other) if as_reference else (other, inside)))
    ada.post(f"{case}/close")
    refused = root.post(f"{case}/purge")
    assert refused.status_code == 409
    assert "belongs to another closed case, K-18/26." in refused.text
    assert entries(app, "purge") == entries(app, "deletion") == []
    assert len(ids(app)) == 3 and len(comparison_rows(app)) == 1
    assert root.post(f"/cases/{kept}/reopen").status_code == 303
    assert root.post(f"{case}/purge").status_code == 303
    assert ids(app) == [other.id] and comparison_rows(app) == []


def test_purge_deletes_comparisons(app, ada, root, case):
    with app.extensions["database"].begin() as session:
        pair = [session.get_one(AnalysisRow, analysis_id) for analysis_id in ids(app)]
    compared(app, *pair)
    compared(app, pair[0], finished(app, file="outside.mp4"))
    ada.post(f"{case}/close")
    assert root.post(f"{case}/purge").status_code == 303
    assert comparison_rows(app) == []


def test_reopening_a_case_stops_its_purge(app, ada, root, case, monkeypatch, capsys):
    number, other = int(case.rpartition("/")[2]), another(app, "K-18/26", closed=False)
    for name in ("c.mp4", "d.mp4"):
        put(app, finished(app, file=name).id, number)
    ada.post(f"{case}/close")
    delete, order = deletion.delete_analysis, []

    def first_then_open(database, folders, analysis_id, **purging):
        delete(database, folders, analysis_id, **purging)
        order.append(analysis_id)
        if len(order) == 1:
            assert root.post(f"{case}/reopen").status_code == 303
            left = [row_id for row_id in ids(app) if row_id not in order]
            assert root.post(f"/analyses/{left[0]}/assign", data={"case": other}).status_code == 303

    monkeypatch.setattr(deletion, "delete_analysis", first_then_open)
    answer = root.post(f"{case}/purge")
    assert answer.status_code == 409 and "it had deleted 1 analysis." in answer.text
    assert len(ids(app)) == 3 and len(entries(app, "deletion")) == len(order) == 1
    (stopped,) = [entry for entry in entries(app, "account") if entry["what"] == "purge stopped"]
    assert (stopped["case"], stopped["name"], stopped["analyses"]) == (number, "K-17/26", 1)
    monkeypatch.setattr(deletion, "delete_analysis", delete)
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    assert cli.run(["verify-log"]) == 0, capsys.readouterr()


def test_analysis_removed_meanwhile_is_not_purged(app, ada, root, case):
    number, moved = int(case.rpartition("/")[2]), ids(app)[0]
    put(app, moved, another(app, "K-18/26", closed=False))
    ada.post(f"{case}/close")
    folders, database = Folders.local(app.extensions["settings"].data), app.extensions["database"]
    with pytest.raises(deletion.PurgeStopped):
        deletion.delete_analysis(database, folders, moved, purging=number)
    assert moved in ids(app)


def test_case_reopened_before_its_deletion_is_kept(app, ada, root, case, monkeypatch):
    ada.post(f"{case}/close")
    delete = deletion.delete_analysis

    def then_open(database, folders, analysis_id, **purging):
        delete(database, folders, analysis_id, **purging)
        if not ids(app):
            assert root.post(f"{case}/reopen").status_code == 303

    monkeypatch.setattr(deletion, "delete_analysis", then_open)
    answer = root.post(f"{case}/purge")
    assert answer.status_code == 409 and "it had deleted 2 analyses." in answer.text
    assert root.get(case).status_code == 200


def test_purging_needs_the_password_again(app, root, case):
    from datetime import timedelta

    from webapp.storage.tables import SessionRow

    with app.extensions["database"].begin() as session:
        for row in session.scalars(select(SessionRow)):
            row.confirmed -= timedelta(minutes=16)
    assert root.get(f"{case}/purge").status_code == 303
    root.post("/confirm", data={"password": PASSWORD})


def test_number_of_a_purged_case_is_not_reused(tmp_path, sent, monkeypatch, capsys):
    made = review(tmp_path / "data", sent)
    monkeypatch.setenv("REELPROOF_DATA", str(tmp_path / "data"))

    def fits() -> bool:
        return cli.run(["verify-log"]) == 0

    database, root = made.app.extensions["database"], made.clients["root"]
    assert root.post(f"/cases/{made.case}/close", data={"with_open_reviews": "yes"}).status_code == 303
    with database.begin() as session:
        naming = session.get_one(CaseReview, made.case)
        left = {column.name: getattr(naming, column.name) for column in CaseReview.__table__.columns}
    purged = root.post(f"/cases/{made.case}/purge", data={"name": "K 1", "password": PASSWORD})
    assert purged.status_code == 303 and fits(), capsys.readouterr()
    place = made.clients["ada"].post("/cases", data={"name": "K 2"}).location
    assert int(place.rpartition("/")[2]) == made.case + 1 and fits()
    with database.begin() as session:  # as before numbers were given once
        row = session.get_one(CaseRow, made.case + 1)
        session.add(CaseRow(id=made.case, name="K 2", created=row.created, created_by="ada"))
    assert fits(), capsys.readouterr()
    with database.begin() as session:  # as a purge that was interrupted leaves it
        session.add(CaseReview(**left))
    assert fits(), capsys.readouterr()
    with database.begin() as session:
        session.get_one(CaseReview, made.case).blind = "judgements"
    assert not fits()
    made.app.extensions["database"].close()
