"""A case with two reviewers and a third, and an analysis in it that the first has annotated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from made_results import finished
from people import account, signed_in, with_login

from webapp.security.access.permissions import Role
from webapp.storage.tables import AnalysisRow, User

# What only who may see it should ever read: the first reviewer's words, and the machine's figures.
WORDS, MACHINE, FILE = "CANARY-OF-WORDS", 0.87654, "interview under review.mp4"


@dataclass
class Review:
    """The app, its people by name, browsers they are signed in with, and what is under review."""

    app: Flask
    row: AnalysisRow
    case: int
    users: dict[str, User]
    clients: dict[str, FlaskClient]

    @property
    def page(self) -> str:
        return f"/reviews/{self.row.id}"

    def judge(self, name: str, conclusion: str, reasons: str = "As is plain to see.", **more: object):
        form = {"conclusion": conclusion, "reasons": reasons} | more
        return self.clients[name].post(f"{self.page}/judgement", data=form)

    def name(self, **changes: object):
        """The answer to naming reviewers, by an administrator."""
        users = self.users
        form = {"first": users["ada"].id, "second": users["ben"].id, "third": users["cleo"].id}
        form |= {"blind": "findings"} | changes
        return self.clients["root"].post(f"/cases/{self.case}/reviewers", data=form)

    def annotate(self, name: str, **changes: object):
        said = {"kind": "exhibit", "verdict": "disagree", "note": WORDS} | changes
        return self.clients[name].post(
            f"/analyses/{self.row.id}/annotations", data=json.dumps(said), content_type="application/json"
        )


def review(data: Path, sent: list[str], blind: str = "findings", **settings: object) -> Review:
    """A review in which nobody has judged; Ben, the second, is an examiner and may do most things."""
    app = with_login(data, sent, **settings)
    roles = {
        "root": Role.ADMINISTRATOR,
        "ada": Role.EXAMINER,
        "ben": Role.EXAMINER,
        "cleo": Role.REVIEWER,
        "dora": Role.REVIEWER,
    }
    users = {name: account(app, name, role) for name, role in roles.items()}
    row = finished(app, {"probability": MACHINE}, file=FILE)
    clients = {name: signed_in(app, name) for name in roles}
    case = int(clients["ada"].post("/cases", data={"name": "K 1"}).location.rpartition("/")[2])
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, row.id).owner_id = users["ada"].id
    assert clients["ada"].post(f"/analyses/{row.id}/assign", data={"case": case}).status_code == 303
    made = Review(app, row, case, users, clients)
    assert made.name(blind=blind).status_code == 303
    assert made.annotate("ada").status_code == 201
    assert made.annotate("ada", kind="segment", segment="A1", verdict="agree").status_code == 201
    said = {"kind": "rename", "person": "A", "name": f"{WORDS} name"}
    answer = clients["ada"].post(f"/analyses/{row.id}/annotations", json=said)
    assert answer.status_code == 201, answer.text
    return made
