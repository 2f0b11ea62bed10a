"""A case with two reviewers and a third, and an analysis in it that the first has annotated."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from made_results import finished
from people import account, signed_in, with_login
from run_cache import of_this_run
from sqlalchemy import update

from webapp.accounts import sessions
from webapp.accounts.permissions import Role
from webapp.storage.tables import AnalysisRow, SessionRow, User, now

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
        body = {"kind": "exhibit", "verdict": "disagree", "note": WORDS} | changes
        return self.clients[name].post(
            f"/api/v1/analyses/{self.row.id}/annotations",
            data=json.dumps(body),
            content_type="application/json",
        )


_made: dict[str, tuple[Path, Review]] = {}
"""Of this process, by what is hidden: its data folder and what was made in it."""


def review(data: Path, sent: list[str], blind: str = "findings", **settings: object) -> Review:
    """A review in which nobody has judged; Ben, the second, is an examiner and may do most things.

    It is made once a process, if it has no settings of its own, and copied to ``data``.
    """
    if settings:
        return _make(data, sent, blind, **settings)
    if blind not in _made:
        folder = of_this_run[0].mktemp("review") / "data"
        _made[blind] = folder, _make(folder, [], blind)
        _made[blind][1].app.extensions["database"].close()
    folder, made = _made[blind]
    shutil.copytree(folder, data)
    app = with_login(data, sent)
    with app.extensions["database"].begin() as session:
        # They have just been signed in, however long ago that was done.
        session.execute(update(SessionRow).values(started=now(), seen=now(), confirmed=now()))
    clients = {name: app.test_client() for name in made.clients}
    for name, client in clients.items():
        cookie = made.clients[name].get_cookie(sessions.SESSION_COOKIE)
        assert cookie is not None
        client.set_cookie(sessions.SESSION_COOKIE, cookie.value)
        client.environ_base["HTTP_X_CSRF_TOKEN"] = made.clients[name].environ_base["HTTP_X_CSRF_TOKEN"]
    return replace(made, app=app, clients=clients)


def _make(data: Path, sent: list[str], blind: str, **settings: object) -> Review:
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
    body = {"kind": "rename", "person": "A", "name": f"{WORDS} name"}
    answer = clients["ada"].post(f"/api/v1/analyses/{row.id}/annotations", json=body)
    assert answer.status_code == 201, answer.text
    return made
