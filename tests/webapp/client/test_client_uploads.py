"""Files that the Python client hands in by parts, lines that break included."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from typing import Any
from unittest.mock import Mock

import pytest
from client_connections import CONTENT, Relay, clock, failing

from webapp.client import (
    Client,
    ClientError,
    Conflict,
    NotFound,
    NotReached,
    Problem,
    TooOften,
    Unusable,
    connection,
    uploads,
)
from webapp.exhibits import service
from webapp.exhibits.uploads import resumable
from webapp.storage.data_folder import Folders


def test_a_broken_connection_costs_one_part_and_creates_nothing_twice(app, live, clip, sent, monkeypatch):
    """Through a relay that cuts every third connection after some bytes."""
    monkeypatch.setattr(uploads, "PART", 200_000)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    with Relay(int(live.rsplit(":", 1)[1])) as relay:
        stands = Client(relay.address, timeout=5).create(clip)
    assert relay.cut >= 2
    assert stands["sha256"] == hashlib.sha256(CONTENT).hexdigest() and sent.count(stands["id"]) == len(sent)
    assert [row["id"] for row in Client(live).analyses()] == [stands["id"]]


def test_an_upload_is_continued_later(app, live, clip):
    reelproof = Client(live)
    upload = reelproof.begin_upload(clip)
    reelproof._open(
        "PATCH",
        f"uploads/{upload['id']}",
        CONTENT[:1000],
        {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"},
    ).close()
    other = Client(live)
    with pytest.raises(Problem, match="not whole"):
        other.analyse_upload(upload["id"])
    other.send_parts(upload["id"], clip)
    assert other.analyse_upload(upload["id"])["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("lasting", [3, 4])
def test_an_outage_is_waited_for_with_growing_pauses(live, clip, monkeypatch, lasting):
    """Of so many requests none comes through, be it a part or the question where to go on."""
    monkeypatch.setattr(uploads, "PART", 300_000)
    reelproof, pauses, parts = Client(live), [], []
    upload = reelproof.begin_upload(clip)
    through = reelproof._open

    def out(method: str, *more: object) -> object:
        if parts and len(pauses) <= lasting:
            raise NotReached("nobody answers")
        return through(method, *more)

    monkeypatch.setattr(reelproof, "_open", out)
    monkeypatch.setattr(connection, "time", clock(pauses.append))
    if lasting == connection.TRIES - 1:
        with pytest.raises(NotReached):
            reelproof.send_parts(upload["id"], clip, on_part=lambda *so_far: parts.append(so_far))
        assert pauses == [1, 2, 4, 8]
    else:
        reelproof.send_parts(upload["id"], clip, on_part=lambda *so_far: parts.append(so_far))
        assert pauses == [1, 2, 4, 8][: lasting + 1] and parts[-1] == (len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize(
    ("method", "ending"), [("POST", "uploads"), ("GET", ""), ("PATCH", ""), ("POST", "/analysis")]
)
def test_transient_errors_do_not_end_an_upload(live, clip, monkeypatch, method, ending, status):
    """A proxy or a server that starts, and a limit of requests; it waits as long as it is told."""
    monkeypatch.setattr(uploads, "PART", 300_000)
    reelproof, pauses = Client(live), []
    monkeypatch.setattr(connection, "time", clock(pauses.append))
    kind = TooOften if status == 429 else Problem
    errors = [kind(status, {}, 17.0)] * 2 * connection.TRIES  # each is an answer: somebody is there
    if status != 429:
        errors += [kind(status, {})] * (connection.TRIES - 1)
    to_come = failing(monkeypatch, reelproof, method, ending, *errors)
    assert reelproof.create(clip)["state"] == "queued" and to_come == []
    assert pauses == [17.0] * 2 * connection.TRIES + [1, 2, 4, 8][: len(errors) - 2 * connection.TRIES]


def test_permanent_errors_end_an_upload(app, live, clip, monkeypatch):
    reelproof, pauses = Client(live), []
    monkeypatch.setattr(connection, "time", clock(pauses.append))
    for problem in (TooOften(429, {}), TooOften(429, {}, connection.MAX_WAIT + 1), Problem(507, {}, 1.0)):
        with monkeypatch.context() as patched, pytest.raises(type(problem)):
            failing(patched, reelproof, "PATCH", "", problem)
            reelproof.create(clip)
    assert pauses == []
    assert list(Folders.local(app.extensions["settings"].data).uploads.iterdir()) == []


def test_an_upload_is_deleted_through_an_outage(live, clip, monkeypatch):
    reelproof, pauses = Client(live), []
    monkeypatch.setattr(connection, "time", clock(pauses.append))
    upload = reelproof.begin_upload(clip)["id"]
    failing(monkeypatch, reelproof, "DELETE", "", TooOften(429, {}, 3.0), NotReached("broke off"))
    reelproof.delete_upload(upload)
    assert pauses == [3.0, 1]
    with pytest.raises(NotFound):
        reelproof.delete_upload(upload)
    # The first request came through, and its answer did not.
    failing(monkeypatch, reelproof, "DELETE", "", NotReached("broke off"))
    reelproof.delete_upload(upload)


def test_a_slow_response_is_waited_for(live, clip, sent, monkeypatch):
    reelproof, slow, pauses = Client(live), threading.Event(), []
    upload = reelproof.begin_upload(clip)
    reelproof.send_parts(upload["id"], clip)
    submit = service.submit

    def submit_slowly(*given: Any, **more: Any) -> Any:
        assert slow.wait(60)
        return submit(*given, **more)

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if told_to_wait().count(2.0) == 2:
            slow.set()
        time.sleep(0.1)

    def told_to_wait() -> list[float]:
        """Pauses that the server named; those of the client's own are whole numbers."""
        return [seconds for seconds in pauses if isinstance(seconds, float)]

    monkeypatch.setattr(service, "submit", submit_slowly)
    monkeypatch.setattr(connection, "time", clock(pause))
    hurried = Client(live, timeout=3.0)
    made = hurried.analyse_upload(upload["id"])
    assert made["state"] == "queued" and sent == [made["id"]]
    assert pauses[0] == 1 and told_to_wait().count(2.0) >= 2


def test_a_file_that_becomes_shorter_is_refused(live, clip, monkeypatch):
    monkeypatch.setattr(uploads, "PART", 300_000)
    reelproof, parts = Client(live), []
    upload = reelproof.begin_upload(clip)

    def shorten(*so_far: int) -> None:
        parts.append(so_far)
        assert len(parts) < 3
        os.truncate(clip, 400_000)

    with pytest.raises(ClientError, match="became shorter"):
        reelproof.send_parts(upload["id"], clip, on_part=shorten)
    assert parts == [(300_000, len(CONTENT))]


def test_a_refused_file_leaves_no_upload_behind(app, live, clip, monkeypatch):
    """Twenty unfinished ones are the most there can be, and each would stay for a day."""
    reelproof = Client(live)
    for _ in range(resumable.MAX_UNFINISHED + 1):
        with pytest.raises(Unusable, match="no model of this name"):
            reelproof.create(clip, model="nope")
    folder = Folders.local(app.extensions["settings"].data).uploads
    assert list(folder.iterdir()) == []
    assert reelproof.create(clip)["state"] == "queued"

    passing = Problem(423, {}), Problem(503, {}), Problem(504, {})
    for problem in (NotReached("broke off"), Conflict(409, {}, 2.0), *passing):
        with monkeypatch.context() as patched, pytest.raises(type(problem)):  # it may still be answered
            patched.setattr(reelproof, "analyse_upload", Mock(side_effect=problem))
            reelproof.create(clip)
    left = [path.name for path in folder.iterdir()]
    assert len(left) == 5
    for upload in left:
        reelproof.delete_upload(upload)
    assert list(folder.iterdir()) == []


def test_a_file_name_that_is_not_utf_8(live, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    path.write_bytes(CONTENT)
    assert Client(live).create(path)["file"] == "caf?.mp4"
