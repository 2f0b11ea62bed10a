"""Comparisons and closed cases: own ones, and others' with the same bytes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from made_comparisons import compared, comparison_rows, queued
from made_results import finished
from people import account, signed_in, with_login

from webapp.accounts.permissions import Role
from webapp.jobs import states
from webapp.storage.tables import AnalysisRow, CaseMember, CaseRow, ComparisonRow, Exhibit, State, now

ROLES = {"root": Role.ADMINISTRATOR, "ada": Role.EXAMINER, "bob": Role.EXAMINER, "cleo": Role.EXAMINER}
HTML = {"Accept": "text/html"}


@dataclass
class Lab:
    """Two exhibits, which several people handed in: "altered" and its "original"."""

    app: Flask
    ids: dict[str, int]
    clients: dict[str, FlaskClient]
    pair: tuple[AnalysisRow, AnalysisRow]

    def case(self, *members: str) -> int:
        """A new case of these people."""
        with self.app.extensions["database"].begin() as session:
            case = CaseRow(name="CANARY-OF-A-CASE", created=now(), created_by=members[0])
            session.add(case)
            session.flush()
            session.add_all(CaseMember(case_id=case.id, user_id=self.ids[name]) for name in members)
            return case.id

    def close(self, case: int) -> None:
        with self.app.extensions["database"].begin() as session:
            session.get_one(CaseRow, case).closed = now()

    def own(self, name: str, which: int, case: int | None = None) -> AnalysisRow:
        """An analysis of one of the two, of this person, which has ended."""
        with self.app.extensions["database"].begin() as session:
            first = self.pair[which]
            row = states.create_analysis(session, session.get_one(Exhibit, first.exhibit_id), first.file)
            row.owner_id, row.case_id, row.state = self.ids[name], case, State.CANCELLED
            row.finished = now()
            return row

    def compares(self, name: str, row: AnalysisRow, reference: AnalysisRow) -> int:
        """The status of the answer to starting a comparison."""
        client = self.clients[name]
        answers = [
            client.get(f"/analyses/{row.id}/compare"),
            client.post(f"/analyses/{row.id}/compare", data={"reference": reference.id}),
        ]
        for answer in answers:
            assert "CANARY" not in answer.text
        return answers[-1].status_code if answers[0].status_code == 200 else answers[0].status_code


@pytest.fixture
def lab(tmp_path, sent):
    app = with_login(tmp_path / "data", sent)
    ids = {name: account(app, name, role).id for name, role in ROLES.items()}
    pair = finished(app, file="altered.mp4"), finished(app, file="original.mp4")
    yield Lab(app, ids, {name: signed_in(app, name) for name in ROLES}, pair)
    app.extensions["database"].close()


def test_hidden_closed_case_does_not_block_a_comparison(lab):
    hidden_case, mine = lab.case("bob"), lab.case("ada")
    lab.own("bob", 0, hidden_case)
    row, reference = lab.own("ada", 0, mine), lab.own("ada", 1)
    lab.close(hidden_case)
    assert lab.compares("ada", row, reference) == 303
    started = comparison_rows(lab.app)[0]
    page = lab.clients["ada"].get(f"/comparisons/{started.id}")
    assert page.status_code == 200 and "is closed" not in page.text
    lab.close(mine)
    assert lab.compares("ada", row, reference) == 409
    assert lab.compares("root", row, reference) == 409  # sees both cases


def test_outsiders_cannot_compare_exhibits_of_a_case(lab):
    case = lab.case("bob")
    row, reference = lab.own("ada", 0, case), lab.own("ada", 1, case)
    assert lab.compares("ada", row, reference) == 403
    by_api = f"/api/v1/exhibits/{row.exhibit.sha256}/comparisons"
    refused = lab.clients["ada"].post(by_api, json={"reference": reference.exhibit.sha256})
    assert refused.status_code == 403
    done, waits = compared(lab.app, row, reference), queued(lab.app, row, reference)
    for client, status in ((lab.clients["ada"], 403), (lab.clients["bob"], None)):
        pages = client.get(f"/comparisons/{done.id}").text + client.get(f"/comparisons/{waits.id}").text
        for offered in (
            f"/comparisons/{done.id}/delete",
            f"/comparisons/{waits.id}/cancel",
            f"/analyses/{row.id}/compare",
        ):
            assert (f'"{offered}"' in pages) == (status is None), offered
        answers = [
            client.post(f"/comparisons/{waits.id}/cancel").status_code,
            client.get(f"/comparisons/{done.id}/delete").status_code,
            client.delete(f"/api/v1/comparisons/{done.id}").status_code,
        ]
        assert answers == ([status] * 3 if status else [303, 200, 204])


def test_hidden_unfinished_comparison_does_not_block_closing(lab):
    case = lab.case("bob")
    inside = lab.own("bob", 0, case)
    waits = queued(lab.app, lab.own("ada", 0), lab.own("ada", 1))
    bob = lab.clients["bob"]
    assert bob.post(f"/comparisons/{waits.id}/cancel").status_code == 404
    assert (
        lab.clients["root"].post(f"/cases/{case}/close", headers=HTML).status_code == 409
    )  # who could cancel it
    assert bob.post(f"/cases/{case}/close").status_code == 303
    assert lab.clients["ada"].post(f"/comparisons/{waits.id}/cancel").status_code == 303
    assert lab.clients["bob"].get(f"/analyses/{inside.id}").status_code == 200


@pytest.mark.parametrize("where", ["case", "own", "another case"])
def test_visible_unfinished_comparison_blocks_closing(lab, where):
    case = lab.case("bob", "cleo")
    inside = lab.own("bob", 0, case)
    place = {"case": case, "own": None, "another case": lab.case("cleo", "ada")}[where]
    outside = lab.own("cleo" if where == "own" else "ada", 1, place)
    waits = queued(lab.app, inside, outside)
    refused = lab.clients["bob"].post(f"/cases/{case}/close", headers=HTML)
    assert refused.status_code == 409 and "A comparison in this case is not finished." in refused.text
    assert states.cancel(lab.app.extensions["database"], waits.id, ComparisonRow)
    assert lab.clients["bob"].post(f"/cases/{case}/close").status_code == 303


def test_closed_case_does_not_protect_comparisons_it_cannot_see(lab):
    case = lab.case("bob")
    lab.own("bob", 0, case)
    row, reference = lab.own("ada", 0), lab.own("ada", 1)
    for analysis in (lab.pair[0], lab.pair[1]):  # of nobody, and so in the way of nobody
        assert lab.clients["root"].delete(f"/api/v1/analyses/{analysis.id}").status_code == 204
    first, second = compared(lab.app, row, reference), compared(lab.app, row, reference)
    lab.close(case)
    ada = lab.clients["ada"]
    assert f'"/comparisons/{first.id}/delete"' in ada.get(f"/comparisons/{first.id}").text
    assert ada.delete(f"/api/v1/comparisons/{first.id}").status_code == 204
    assert ada.get(f"/analyses/{reference.id}/delete").status_code == 200
    assert ada.delete(f"/api/v1/analyses/{reference.id}").status_code == 204
    assert comparison_rows(lab.app) == [] and second.id


@pytest.mark.parametrize("closed_with", ["both", "one, and its member the other"])
def test_closed_case_protects_its_comparison_without_being_revealed(lab, closed_with):
    case = lab.case("bob")
    lab.own("bob", 0, case)
    lab.own("bob", 1, case if closed_with == "both" else None)
    row, reference = lab.own("ada", 0), lab.own("ada", 1)
    done = compared(lab.app, row, reference)
    lab.close(case)
    for name, words in (
        ("bob", "The case is closed"),
        ("ada", "has to be kept"),
        ("root", "The case is closed"),
    ):
        client = lab.clients[name]
        assert f'"/comparisons/{done.id}/delete"' not in client.get(f"/comparisons/{done.id}").text
        for refused in (
            client.get(f"/comparisons/{done.id}/delete", headers=HTML),
            client.delete(f"/api/v1/comparisons/{done.id}"),
        ):
            assert refused.status_code == 409 and words in refused.text
            assert "CANARY" not in refused.text and (name != "ada" or "closed" not in refused.text)
    assert [comparison.id for comparison in comparison_rows(lab.app)] == [done.id]


def test_closed_case_protects_compared_analysis_without_being_revealed(lab):
    case, shared = lab.case("bob"), lab.case("ada", "bob")
    lab.own("bob", 0, case)
    row, reference = lab.own("ada", 0), lab.own("ada", 1, shared)
    done = compared(lab.app, row, reference)
    assert lab.clients["root"].delete(f"/api/v1/analyses/{lab.pair[1].id}").status_code == 204
    lab.close(case)
    for name, words in (("ada", "has to be kept"), ("bob", "belongs to a closed case")):
        refused = lab.clients[name].get(f"/analyses/{reference.id}/delete", headers=HTML)
        assert refused.status_code == 409 and words in refused.text and "CANARY" not in refused.text
        assert lab.clients[name].delete(f"/api/v1/analyses/{reference.id}").status_code == 409
    assert [comparison.id for comparison in comparison_rows(lab.app)] == [done.id]
