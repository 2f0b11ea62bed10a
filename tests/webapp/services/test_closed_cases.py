"""The end of a case: closed, exported whole, purged; and what remains of it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from contextlib import ExitStack

import pytest
from made_comparisons import compared, comparison_rows, queued
from made_results import finished, hand_in
from made_rows import row
from people import PASSWORD, account, signed_in, with_accounts
from second_review_case import review
from sqlalchemy import select

from reports.verification.verify import verify
from webapp.cli import main as cli
from webapp.downloads import case_archive
from webapp.downloads import reports as report_downloads
from webapp.jobs import states
from webapp.security.permissions import Role
from webapp.services import deletion
from webapp.storage.data_folder import Folders
from webapp.storage.tables import (
    AnalysisRow,
    CaseMember,
    CaseReview,
    CaseRow,
    ComparisonRow,
    CustodyRow,
    Exhibit,
    State,
    User,
    now,
)

pytestmark = pytest.mark.usefixtures("quick_reports")


@pytest.fixture
def app(tmp_path, sent):
    people = {"root": Role.ADMINISTRATOR, "ada": Role.EXAMINER}
    with with_accounts(tmp_path / "data", sent, people) as app:
        yield app


@pytest.fixture
def root(app):
    return signed_in(app, "root")


@pytest.fixture
def ada(app):
    return signed_in(app, "ada")


@pytest.fixture
def case(app, ada):
    """The address of a case of ada's with two finished analyses."""
    place = ada.post("/cases", data={"name": "K-17/26", "description": "what it is about"}).location
    number = int(place.rpartition("/")[2])
    for name in "ab":
        put(app, finished(app, file=f"{name}.mp4").id, number)
    return place


def put(app, analysis_id: str, number: int) -> None:
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, analysis_id).case_id = number


def ids(app) -> list[str]:
    with app.extensions["database"].begin() as session:
        return list(session.scalars(select(AnalysisRow.id).order_by(AnalysisRow.file)))


def entries(app, action: str) -> list[dict]:
    with app.extensions["database"].begin() as session:
        found = session.scalars(select(CustodyRow).where(CustodyRow.action == action))
        return [json.loads(entry.details) | {"actor": entry.actor} for entry in found]


def test_nothing_in_a_closed_case_is_changed(app, ada, root, case):
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
    said = {"kind": "segment", "segment": "A1", "verdict": "agree", "author": "Ada", "note": ""}
    new = {"file": (io.BytesIO(b"new"), "c.mp4"), "case": case.rpartition("/")[2]}
    refused = [
        ada.post(case, data={"name": "another"}),
        ada.post("/analyses", data=new),
        ada.post(f"/analyses/{analysis}/assign", data={"case": ""}),
        ada.post(f"/analyses/{analysis}/delete"),
        ada.post(f"/analyses/{analysis}/case", data={"case_number": "1"}),
        ada.post(f"/api/v1/analyses/{analysis}/annotations", json=said),
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
    return {each for each in _CHANGES if re.search(f'(action|href)="/analyses/{analysis}{each}["?]', page)}


def test_an_analysis_in_a_closed_case_says_so_and_offers_nothing_that_is_refused(app, ada, root, case):
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
        assert "<h1>Not possible as things stand</h1>" in refused.text
        assert f'<a class="button primary" href="{address}?a=b">Back</a>' in refused.text


def test_who_handed_a_file_in_is_not_told_the_name_of_a_case_they_may_not_see(app, ada, case):
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


def test_a_refusal_leads_back_only_to_a_page_of_this_app(app, ada, case):
    assert ada.post(f"{case}/close").status_code == 303
    for before in (
        "http://elsewhere.example/",
        "http://localhost//elsewhere.example/",
        f"http://localhost{case}",
    ):
        refused = ada.post(case, data={"name": "other"}, headers={"Referer": before})
        assert refused.status_code == 409
        assert (">Back</a>" in refused.text) == before.endswith(case)


def test_a_case_with_unfinished_analyses_is_not_closed(app, ada, case):
    waits = hand_in(app, b"waits").id
    put(app, waits, int(case.rpartition("/")[2]))
    refused = ada.post(f"{case}/close")
    assert refused.status_code == 409 and "<h1>Not ready yet</h1>" in refused.text
    put(app, waits, another(app, "K-18/26", closed=False))
    assert ada.post(f"{case}/close").status_code == 303


def test_a_case_with_unfinished_comparisons_is_not_closed(app, ada, case):
    first, outside = row(app.extensions["database"], ids(app)[0]), finished(app, file="outside.mp4")
    with app.extensions["database"].begin() as session:
        ada_id = session.scalar(select(User.id).where(User.name == "ada"))
        session.get_one(AnalysisRow, outside.id).owner_id = ada_id
    waits, of_another = queued(app, first, outside), queued(app, outside, first)
    refused = ada.post(f"{case}/close", headers={"Accept": "text/html"})
    assert refused.status_code == 409 and "A comparison in this case is not finished." in refused.text
    assert states.cancel(app.extensions["database"], waits.id, ComparisonRow)
    assert ada.post(f"{case}/close").status_code == 303  # the other one is not of its exhibits
    assert {each.id for each in comparison_rows(app)} == {waits.id, of_another.id}


@pytest.mark.parametrize(("spoken", "others"), [("en", ["de", "es"]), ("de", ["en", "es"])])
def test_a_case_is_exported_in_the_language_of_its_page_or_in_one_that_is_named(ada, case, spoken, others):
    page = ada.get(case, headers={"Accept-Language": spoken}).text
    asked = "" if spoken == "en" else f"?language={spoken}"
    offered = re.findall(rf'href="({case}/case.zip[^"]*)"', page)
    assert offered == [f"{case}/case.zip{asked}", *(f"{case}/case.zip?language={code}" for code in others)]


def test_exported_whole(app, ada, case, tmp_path):
    answer = ada.get(f"{case}/case.zip")
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(files["case.json"])
    assert (about["name"], about["members"], len(about["analyses"])) == ("K-17/26", ["ada"], 2)
    for each in about["analyses"]:
        assert hashlib.sha256(files[f"exhibits/{each['exhibit']}"]).hexdigest() == each["exhibit"]
        bundle = tmp_path / "bundle.zip"
        bundle.write_bytes(files[each["bundle"]])
        # The reports in it are stand-ins; all else fits.
        assert {p.file for p in verify(bundle).results.problems} <= {"report.html", "report.pdf"}
    sums = dict(line.split("  ")[::-1] for line in files["sha256sums.txt"].decode().splitlines())
    assert sums == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name != "sha256sums.txt"
    }
    whole = entries(app, "export")[-1]
    assert (whole["what"], whole["sha256"]) == ("case", hashlib.sha256(answer.data).hexdigest())


@pytest.mark.parametrize(
    ("asked", "title"), [("", "Reelproof review bundle"), ("?language=de", "Reelproof-Prüfpaket")]
)
def test_exported_in_a_language(app, ada, case, asked, title):
    assert f"{case.partition('localhost')[2]}/case.zip?language=de" in ada.get(case).text
    with zipfile.ZipFile(io.BytesIO(ada.get(f"{case}/case.zip{asked}").data)) as archive:
        bundles = [
            io.BytesIO(archive.read(name)) for name in archive.namelist() if name.startswith("analyses/")
        ]
    for each in bundles:
        with zipfile.ZipFile(each) as bundle:
            assert bundle.read("README.txt").decode().startswith(f"{title}\n")


def test_an_export_that_breaks_off_is_no_zip_and_in_the_log(app, ada, case, tmp_path):
    answer = ada.get(f"{case}/case.zip", buffered=False)
    pieces = iter(answer.response)
    got = next(pieces) + next(pieces)
    assert got.startswith(b"PK") and not list((tmp_path / "data" / "incoming").iterdir())
    answer.close()  # the browser has gone
    broken = entries(app, "export")[-1]
    assert (broken["what"], broken["broken off"]) == ("case", "yes") and "sha256" not in broken
    assert broken["bytes"] >= len(got)
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(got))
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(CaseRow)).one().exported is None
    for _ in range(6):  # none of them holds a place any more
        head = ada.head(f"{case}/case.zip")
        assert head.status_code == 200
    assert ada.get(f"{case}/case.zip").status_code == 200


def test_a_person_who_reads_slowly_leaves_places_to_others(app, ada, root, case):
    with app.extensions["database"].begin() as session:
        her = session.scalars(select(User.id).where(User.name == "ada")).one()
    with case_archive._EXPORTS.place(her):
        answer = ada.get(f"{case}/case.zip", buffered=False)
        refused = ada.get(f"{case}/case.zip")
        assert refused.status_code == 503 and "Try again when they are done" in refused.text
        answer.close()
        assert ada.get(f"{case}/case.zip").status_code == 200
        with case_archive._EXPORTS.place(her):
            assert ada.get(f"{case}/case.zip").status_code == 503
            assert root.get(f"{case}/case.zip").status_code == 200
    assert case_archive._EXPORTS.taken() == 0


def test_an_export_does_not_break_off_because_others_wait_for_reports(app, ada, case):
    with ExitStack() as waiting:
        for number in range(8):
            waiting.enter_context(report_downloads._LINE.place(1000 + number))
        assert ada.get(f"/analyses/{ids(app)[0]}/bundle.zip").status_code == 503
        with zipfile.ZipFile(io.BytesIO(ada.get(f"{case}/case.zip").data)) as archive:
            assert archive.testzip() is None


def test_a_case_whose_exhibit_is_gone_is_said_before_anything_is_sent(app, ada, case):
    with app.extensions["database"].begin() as session:
        path = session.scalars(select(Exhibit)).first().path
    (app.extensions["settings"].data / path).unlink()
    answer = ada.get(f"{case}/case.zip")
    assert answer.status_code == 500 and "bytes that were handed in" in answer.text
    assert not [entry for entry in entries(app, "export") if entry.get("what") == "case"]


def test_purged_with_what_remains_in_the_log(app, ada, root, case, monkeypatch, capsys):
    number = int(case.rpartition("/")[2])
    outside = finished(app, file="outside.mp4")
    with app.extensions["database"].begin() as session:
        shared = session.scalars(select(AnalysisRow).where(AnalysisRow.file == "a.mp4")).one()
        shared_exhibit = shared.exhibit_id
        states.create(session, shared.exhibit, "again.mp4").state = State.CANCELLED
    assert ada.get(f"{case}/purge").status_code == 403
    assert root.post(f"{case}/purge").status_code == 409  # open yet
    ada.post(f"{case}/close")
    page = root.get(f"{case}/purge")
    assert "2 analyses" in page.text and "1 exhibit " in page.text and "not exported" in page.text
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


def another(app, name: str, *, closed: bool) -> int:
    """The number of another case."""
    with app.extensions["database"].begin() as session:
        case = CaseRow(name=name, created=now(), created_by="x", closed=now() if closed else None)
        session.add(case)
        session.flush()
        return case.id


def test_a_purge_counts_each_exhibit_that_no_other_case_uses_once(app, ada, root, case):
    shared, own = (row(app.extensions["database"], each) for each in ids(app))
    for exhibit, number in (
        (shared.exhibit, another(app, "K-18/26", closed=False)),
        (own.exhibit, int(case.rpartition("/")[2])),
    ):
        with app.extensions["database"].begin() as session:
            again = states.create(session, exhibit, "again.mp4")
            again.state, again.case_id = State.CANCELLED, number
    ada.post(f"{case}/close")
    page = root.get(f"{case}/purge").text
    assert "3 analyses" in page and "1 exhibit " in page
    assert root.post(f"{case}/purge").status_code == 303
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(Exhibit.id)).all() == [shared.exhibit_id]


def test_nothing_of_a_closed_case_is_purged_while_something_in_it_is_unfinished(app, ada, root, case):
    ada.post(f"{case}/close")
    put(app, hand_in(app, b"waits").id, int(case.rpartition("/")[2]))
    assert root.post(f"{case}/purge").status_code == 409
    assert entries(app, "purge") == entries(app, "deletion") == [] and len(ids(app)) == 3


def test_a_purge_leaves_members_and_reviewers_of_other_cases(app, ada, root, case):
    other = another(app, "K-18/26", closed=False)
    with app.extensions["database"].begin() as session:
        one, two = session.scalars(select(User).limit(2))
        session.add(CaseMember(case_id=other, user_id=one.id))
        reviewers = {"first_id": one.id, "second_id": two.id}
        session.add(CaseReview(case_id=other, **reviewers, blind="all", named=now()))
    ada.post(f"{case}/close")
    assert root.post(f"{case}/purge").status_code == 303
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(CaseMember.case_id)).all() == [other]
        assert session.scalars(select(CaseReview.case_id)).all() == [other]


@pytest.mark.parametrize("as_reference", [False, True])
def test_a_comparison_of_another_closed_case_is_not_purged(app, ada, root, case, as_reference):
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


def test_purged_with_its_comparisons(app, ada, root, case):
    with app.extensions["database"].begin() as session:
        pair = [session.get_one(AnalysisRow, each) for each in ids(app)]
    compared(app, *pair)
    compared(app, pair[0], finished(app, file="outside.mp4"))
    ada.post(f"{case}/close")
    assert root.post(f"{case}/purge").status_code == 303
    assert comparison_rows(app) == []


def test_opening_a_case_again_stops_its_purge(app, ada, root, case, monkeypatch, capsys):
    number, other = int(case.rpartition("/")[2]), another(app, "K-18/26", closed=False)
    for name in ("c.mp4", "d.mp4"):
        put(app, finished(app, file=name).id, number)
    ada.post(f"{case}/close")
    delete, order = deletion.delete, []

    def first_then_open(database, folders, analysis_id, **purging):
        delete(database, folders, analysis_id, **purging)
        order.append(analysis_id)
        if len(order) == 1:
            assert root.post(f"{case}/reopen").status_code == 303
            left = [each for each in ids(app) if each not in order]
            assert root.post(f"/analyses/{left[0]}/assign", data={"case": other}).status_code == 303

    monkeypatch.setattr(deletion, "delete", first_then_open)
    answer = root.post(f"{case}/purge")
    assert answer.status_code == 409 and "it had deleted 1 analysis." in answer.text
    assert len(ids(app)) == 3 and len(entries(app, "deletion")) == len(order) == 1
    (stopped,) = [each for each in entries(app, "account") if each["what"] == "purge stopped"]
    assert (stopped["case"], stopped["name"], stopped["analyses"]) == (number, "K-17/26", 1)
    monkeypatch.setattr(deletion, "delete", delete)
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    assert cli.run(["verify-log"]) == 0, capsys.readouterr()


def test_what_left_a_case_that_is_closed_again_is_not_purged(app, ada, root, case):
    number, moved = int(case.rpartition("/")[2]), ids(app)[0]
    put(app, moved, another(app, "K-18/26", closed=False))
    ada.post(f"{case}/close")
    folders, database = Folders.local(app.extensions["settings"].data), app.extensions["database"]
    with pytest.raises(deletion.PurgeStopped):
        deletion.delete(database, folders, moved, purging=number)
    assert moved in ids(app)


def test_a_case_opened_after_its_last_analysis_went_is_kept(app, ada, root, case, monkeypatch):
    ada.post(f"{case}/close")
    delete = deletion.delete

    def then_open(database, folders, analysis_id, **purging):
        delete(database, folders, analysis_id, **purging)
        if not ids(app):
            assert root.post(f"{case}/reopen").status_code == 303

    monkeypatch.setattr(deletion, "delete", then_open)
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


def test_a_case_with_reviewers_is_purged_and_its_number_not_given_again(tmp_path, sent, monkeypatch, capsys):
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
