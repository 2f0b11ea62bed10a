"""What users may do with analyses of a case without them, and what they keep when they leave."""

from __future__ import annotations

import io

import pytest
from made_results import finished, hand_in
from people import account, signed_in, with_login
from statements import counted

from webapp.accounts.permissions import Role
from webapp.accounts.visibility import SAMPLE_FILE
from webapp.casework import service
from webapp.jobs import states
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, CaseMember, State

ROLES = {"root": Role.ADMINISTRATOR, "ada": Role.EXAMINER, "eve": Role.EXAMINER}


class Lab:
    """A case of Ada's with Eve in it; browsers of all, and what they handed in."""

    def __init__(self, app) -> None:
        self.app, self.database = app, app.extensions["database"]
        self.ids = {name: account(app, name, role).id for name, role in ROLES.items()}
        self.root, self.ada, self.eve = (signed_in(app, name) for name in ROLES)
        self.place = self.ada.post("/cases", data={"name": "K-7"}).location
        self.case = int(self.place.rpartition("/")[2])
        self.admit()

    def admit(self, name: str = "eve", place: str = "") -> None:
        added = self.ada.post(f"{place or self.place}/members", data={"user": self.ids[name]})
        assert added.status_code == 303

    def assign(self, client, analysis: str, case: int | None) -> None:
        answer = client.post(f"/analyses/{analysis}/assign", data={"case": "" if case is None else case})
        assert answer.status_code == 303

    def of_eve_in_another_case(self) -> str:
        """What Eve analysed again of what Ada handed in, in another case of Ada's with Eve in it."""
        place = self.ada.post("/cases", data={"name": "K-8"}).location
        self.admit(place=place)
        first = self.hand_in(self.ada, b"in another case", case=False)
        self.assign(self.ada, first, int(place.rpartition("/")[2]))
        return self.again(self.eve, first)

    def dismiss(self, name: str = "eve") -> None:
        who = self.root if name == "ada" else self.ada
        assert who.post(f"{self.place}/members/{self.ids[name]}/remove").status_code == 303

    def hand_in(self, client, content: bytes, case: bool = True) -> str:
        form = {"file": (io.BytesIO(content), "clip.mp4")} | ({"case": str(self.case)} if case else {})
        answer = client.post("/api/v1/analyses", data=form)
        assert answer.status_code == 202, answer.text
        return answer.json["id"]

    def again(self, client, analysis: str) -> str:
        answer = client.post(f"/api/v1/analyses/{analysis}/again", json={})
        assert answer.status_code == 202, answer.text
        return answer.json["id"]

    def of_eve(self, row: AnalysisRow) -> AnalysisRow:
        """As if Eve had handed it in for the case."""
        with self.database.begin() as session:
            kept = session.get_one(AnalysisRow, row.id)
            kept.owner_id, kept.case_id = self.ids["eve"], self.case
        return row

    def row(self, analysis: str) -> AnalysisRow:
        with self.database.begin() as session:
            return session.get_one(AnalysisRow, analysis)


@pytest.fixture
def lab(tmp_path, sent):
    app = with_login(tmp_path / "data", sent)
    yield Lab(app)
    app.extensions["database"].close()


def changes(client, done: AnalysisRow, stopped: AnalysisRow, waits: AnalysisRow) -> dict[str, int]:
    """What comes of all that would change the case, and by which status."""
    body = {"kind": "exhibit", "verdict": "disagree", "note": "I am out of this case"}
    address = f"/analyses/{done.id}"
    asked = {
        "assign form": client.get(f"{address}/assign"),
        "take out": client.post(f"{address}/assign", data={"case": ""}),
        "annotate by the API": client.post(f"/api/v1{address}/annotations", json=body),
        "details": client.post(f"{address}/case", data={"case_number": "X", "examiner": "Eve"}),
        "again form": client.get(f"{address}/again"),
        "again": client.post(f"{address}/again"),
        "again by the API": client.post(f"/api/v1{address}/again", json={}),
        "again by its exhibit": client.post(f"/api/v1/exhibits/{done.exhibit.sha256}/analyses", json={}),
        "retry": client.post(f"/analyses/{stopped.id}/retry"),
        "priority": client.post(f"/analyses/{waits.id}/priority", data={"priority": "high"}),
        "pause": client.post(f"/analyses/{waits.id}/pause"),
        "resume": client.post(f"/analyses/{waits.id}/resume"),
        "cancel": client.post(f"/api/v1/analyses/{waits.id}/cancel"),
        "delete form": client.get(f"{address}/delete"),
        "delete": client.post(f"{address}/delete"),
        "delete by the API": client.delete(f"/api/v1/analyses/{stopped.id}"),
    }
    return {what: answer.status_code for what, answer in asked.items()}


def test_former_member_sees_own_uploads_read_only(lab):
    done = lab.of_eve(finished(lab.app, file="evidence.mp4"))
    stopped, waits = (lab.of_eve(hand_in(lab.app, upload)) for upload in (b"stopped", b"waits"))
    states.cancel(lab.database, stopped.id)
    with lab.database.begin() as session:  # as if Eve had left before who leaves keeps what they handed in
        member = session.get_one(CaseMember, (lab.case, lab.ids["eve"]))
        session.delete(member)
    assert lab.eve.get(lab.place).status_code == 404
    for upload in (done, stopped, waits):
        page = lab.eve.get(f"/analyses/{upload.id}")
        assert page.status_code == 200
        assert "You are not a member of this analysis's case, so you cannot change it." in page.text
        for offered in ("again", "compare", "assign", "delete", "case", "annotations/import", "retry"):
            assert f'"/analyses/{upload.id}/{offered}' not in page.text + lab.eve.get("/analyses").text, (
                offered
            )
        for offered in ("pause", "cancel", "priority"):
            assert f'"/analyses/{upload.id}/{offered}"' not in page.text + lab.eve.get("/analyses").text
    statuses = changes(lab.eve, done, stopped, waits)
    assert statuses == dict.fromkeys(statuses, 403)
    for upload, state in ((done, State.DONE), (stopped, State.CANCELLED), (waits, State.QUEUED)):
        row = lab.row(upload.id)
        assert (row.state, row.case_id, row.priority) == (state, lab.case, 1)
    assert lab.ada.get(lab.place).text.count("/analyses/") == 3
    lab.admit()
    statuses = changes(lab.eve, done, stopped, waits)
    assert 403 not in statuses.values()


def test_administrator_may_change_any_case(lab):
    analysis = lab.hand_in(lab.ada, b"one")
    assert lab.root.post(f"/api/v1/analyses/{analysis}/cancel").status_code == 200
    assert lab.root.post(f"/analyses/{analysis}/assign", data={"case": ""}).status_code == 303


def test_leaving_member_keeps_own_uploads(lab):
    own = lab.hand_in(lab.eve, b"one")
    same = lab.hand_in(lab.ada, b"one")
    lab.dismiss()
    assert lab.row(own).owner_id == lab.ids["eve"] and lab.eve.get(f"/analyses/{own}").status_code == 200
    assert lab.eve.get(f"/analyses/{same}").status_code == 404


def test_analysis_of_another_members_upload_needs_membership(lab):
    first = lab.hand_in(lab.ada, b"one")
    again = lab.again(lab.eve, first)
    assert lab.row(again).owner_id == lab.ids["eve"]
    lab.dismiss()
    for analysis in (first, again):
        assert lab.eve.get(f"/analyses/{analysis}").status_code == 404
        assert lab.ada.get(f"/analyses/{analysis}").status_code == 200
    assert lab.row(again).owner_id == lab.ids["ada"]
    exhibit = lab.row(first).exhibit.sha256
    assert lab.eve.post(f"/api/v1/exhibits/{exhibit}/analyses", json={}).status_code == 404


def test_leaving_a_case_affects_no_other_analyses(lab):
    first, elsewhere = lab.hand_in(lab.ada, b"one"), lab.of_eve_in_another_case()
    of_root = lab.again(lab.root, first)
    lab.dismiss()
    assert lab.row(of_root).owner_id == lab.ids["root"]
    assert lab.row(elsewhere).owner_id == lab.ids["eve"]
    assert lab.eve.get(f"/analyses/{elsewhere}").status_code == 200


def test_leaving_a_case_needs_a_constant_number_of_queries(lab):
    asked = []
    for contents in ("ab", "cdefgh"):
        firsts = [lab.hand_in(lab.ada, content.encode()) for content in contents]
        agains = [lab.again(lab.eve, analysis_id) for analysis_id in firsts]
        own = [lab.hand_in(lab.eve, f"own {content}".encode()) for content in contents]
        with counted(lab.database) as statements:
            lab.dismiss()
        asked.append(len(statements))
        assert {lab.row(analysis_id).owner_id for analysis_id in agains} == {lab.ids["ada"]}
        assert {lab.row(analysis_id).owner_id for analysis_id in own} == {lab.ids["eve"]}
        lab.admit()
    assert asked[0] == asked[1] < 40


def test_removed_analysis_goes_to_the_uploader(lab):
    again = lab.again(lab.eve, lab.hand_in(lab.ada, b"one"))
    assert lab.eve.post(f"/analyses/{again}/assign", data={"case": ""}).location == "/analyses"
    assert lab.eve.get(f"/analyses/{again}").status_code == 404
    assert lab.ada.get(f"/analyses/{again}").status_code == 200


def test_uploader_with_the_oldest_analysis_becomes_owner(lab):
    """Ada handed it in first, but not to the case; Root after her, as one who did not know of it."""
    lab.admit("root")
    lab.hand_in(lab.ada, b"one", case=False)
    first = lab.hand_in(lab.root, b"one")
    lab.hand_in(lab.ada, b"one")
    again = lab.again(lab.eve, first)
    lab.assign(lab.eve, again, None)
    assert lab.row(again).owner_id == lab.ids["root"]


def test_analysis_without_owner_stays_without_owner(lab):
    """Such as from before people signed in: only administrators see it."""
    nobodys = hand_in(lab.app, b"one")
    lab.assign(lab.root, nobodys.id, lab.case)
    lab.hand_in(lab.ada, b"one")
    lab.assign(lab.root, nobodys.id, None)
    assert lab.row(nobodys.id).owner_id is None
    assert lab.ada.get(f"/analyses/{nobodys.id}").status_code == 404


@pytest.mark.parametrize("elsewhere", [False, True])
def test_analysis_without_uploader_goes_to_administrators(lab, elsewhere):
    """Being in another case as well makes nobody a member of this one."""
    again = lab.again(lab.eve, lab.hand_in(lab.ada, b"one"))
    if elsewhere:
        assert lab.ada.post("/cases", data={"name": "K-8"}).status_code == 303
    lab.dismiss("ada")
    assert lab.eve.post(f"/analyses/{again}/assign", data={"case": ""}).status_code == 303
    assert lab.row(again).owner_id is None
    assert [client.get(f"/analyses/{again}").status_code for client in (lab.ada, lab.eve, lab.root)] == [
        404,
        404,
        200,
    ]


def test_backfill_reassigns_analyses_of_former_members(lab):
    first = lab.hand_in(lab.ada, b"one")
    again, own = lab.again(lab.eve, first), lab.hand_in(lab.eve, b"two")
    elsewhere = lab.of_eve_in_another_case()
    with lab.database.begin() as session:
        session.delete(session.get_one(CaseMember, (lab.case, lab.ids["eve"])))
    assert lab.eve.get(f"/analyses/{again}").status_code == 200
    service.reassign_older_rows(lab.database, Folders.local(lab.app.extensions["settings"].data))
    owners = [lab.row(analysis_id).owner_id for analysis_id in (first, again, own, elsewhere)]
    assert owners == [lab.ids[name] for name in ("ada", "ada", "eve", "eve")]
    assert lab.eve.get(f"/analyses/{again}").status_code == 404


def test_sample_keeps_its_owner(lab):
    sample = hand_in(lab.app, b"s", SAMPLE_FILE)
    own = lab.again(lab.eve, sample.id)
    for case in (lab.case, ""):
        assert lab.eve.post(f"/analyses/{own}/assign", data={"case": case}).status_code == 303
    assert lab.row(own).owner_id == lab.ids["eve"]
    assert lab.ada.get(f"/analyses/{own}").status_code == 404
