"""Pages of live sessions: shown, bounded, and removed after a day."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from made_results import hand_in
from people import account, signed_in, with_login
from sqlalchemy import select

from detector.live.state import STATE
from webapp.accounts.permissions import Role
from webapp.live import sessions
from webapp.storage.data_folder import Folders
from webapp.storage.tables import SessionRow
from webapp.worker.supervisor import sweep

ID = "0123456789abcdef" * 2
JPEG = b"\xff\xd8\xff" + b"picture"
SEGMENT = {
    "track": 1,
    "start": 3.16,
    "end": 5.88,
    "confidence": 0.97,
    "frames": 23,
    "peak": 5.16,
    "peak_probability": 0.991,
}
RUNNING = {
    "source": "rtsp://cam.example",
    "model": "Reelproof",
    "started": 1_795_216_000.0,
    "enter_threshold": 0.65,
    "exit_threshold": 0.5,
    "time": 63.5,
    "scored": 508,
    "dropped": 4,
    "delay": 0.0953,
    "picture": {
        "number": 508,
        "time": 63.5,
        "width": 1000,
        "height": 500,
        "faces": [
            {"track": 1, "box": [100, 50, 200, 150], "probability": 0.993},
            {"track": 2, "box": [700, 5, 800, 105], "probability": None},
        ],
    },
    "lanes": [
        {"track": 0, "scores": [[10.0, 0.2]]},
        {"track": 1, "scores": [[60.0, 0.9], [60.125, 0.8], [63.5, 0.9]]},
    ],
    "open": [{"track": 1, "start": 62.0, "end": 63.5}],
    "segments": [SEGMENT],
    "segments_in_all": 1,
    "ended": None,
}


@pytest.fixture
def place(app) -> Path:
    return Folders.local(app.extensions["settings"].data).live


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take longer for a page than a session may be silent."""
    monkeypatch.setattr(sessions, "ACTIVE_WITHIN", 50.0)


def write(place: Path, live_id: str = ID, ago: float = 0, **changes: object) -> Path:
    """A session last written so many seconds ago."""
    folder = place / live_id
    folder.mkdir(exist_ok=True)
    (folder / "508.jpg").write_bytes(JPEG)
    (folder / STATE).write_text(json.dumps(RUNNING | changes))
    then = time.time() - ago
    os.utime(folder / STATE, (then, then))
    return folder


def test_without_sessions_there_is_no_link(client):
    assert ">Live</a>" not in client.get("/").text
    page = client.get("/live")
    assert "No live session is running" in page.text and "--share" in page.text
    assert "/live" in client.get("/help").text


def test_slow_machines_are_reported(client, place):
    words = "this machine is too slow for the source"
    for scored, dropped, warning in (
        (508, 4, False),
        (2, 16, False),
        (10, 17, True),
        (100, 100, False),
        (10, 46, True),
    ):
        write(place, scored=scored, dropped=dropped)
        assert (words in client.get(f"/live/{ID}").text) == warning, (scored, dropped)


def test_a_running_session(client, place):
    write(place)
    assert ">Live</a>" in client.get("/").text
    listing = client.get("/live").text
    assert f'href="/live/{ID}"' in listing and "Running" in listing
    page = client.get(f"/live/{ID}")
    assert "script-src" not in page.headers["Content-Security-Policy"] and " style=" not in page.text
    assert f'src="/live/{ID}/pictures/508.jpg"' in page.text
    for words in (
        "Live: rtsp://cam.example",
        "tracks are not joined to persons",
        "upload the recording",
        "00:01:03.500",
        "0.10 s",
        "Track 1 · &gt;\u00a00.99, flagged",
        "Track 2 · not judged",
        "flagged since",
        "00:01:02.000",
        "00:00:03.160 – 00:00:05.880",
        "Score 0.97, strong signs of manipulation",
        "above the dashed line, 0.65",
    ):
        assert words in page.text, words
    assert not re.search(r"\breal\b|fake|%(?! ?\d)[^\"]*\bfake", page.text)
    assert '<g class="live-flagged">' in page.text and '<g class="live-unjudged">' in page.text


def test_updated_parts(client, place):
    write(place)
    page, answer = client.get(f"/live/{ID}").text, client.get(f"/live/{ID}/parts").text
    assert 'data-standing="running" data-segments="1"' in answer
    assert f'data-picture="/live/{ID}/pictures/508.jpg"' in answer
    parts = dict(re.findall(r'<div data-part="(\w+)">(.*?)</div>\n(?=  <div data|</div>)', answer, re.DOTALL))
    assert set(parts) == {"standing", "boxes", "lanes", "segments"}
    for part in parts.values():
        assert part.strip() and part.strip() in page


def test_positions_of_boxes_and_lines(place):
    write(place)
    session = sessions.get_session(place, ID)
    first, second = session.faces
    assert (first.left, first.top, first.width, first.height, first.kind) == (10, 10, 10, 20, "flagged")
    assert first.label_above and not first.label_ends and first.label_at == 10
    assert second.kind == "unjudged" and not second.label_above
    assert second.label_ends and second.label_at == 80
    here, gone = session.lanes
    assert (here.track, here.seen_until, here.flagged_since, here.latest) == (1, None, 62.0, 0.9)
    # Three seconds without a score are not bridged by a line.
    assert here.line == "M565.0 10.0h0L566.2 20.0M600.0 10.0h0"
    closed, opened = here.bands
    assert (round(closed.start, 3), round(closed.width, 3)) == (0, 23.8)
    assert (round(opened.start, 3), round(opened.width, 3)) == (585, 15)
    assert (gone.track, gone.seen_until) == (0, 10.0)


def test_an_ended_session(client, place):
    write(place, ago=3600, ended="the source ended", open=[])
    page = client.get(f"/live/{ID}").text
    assert "Ended" in page and "The source ended. Kept until" in page and "js/live/live.js" not in page
    assert "00:00:03.160" in page
    assert 'data-standing="ended"' in client.get(f"/live/{ID}/parts").text


def test_a_silent_session(client, place):
    write(place, ago=60)
    page = client.get(f"/live/{ID}").text
    assert "Not responding" in page and "Last update" in page and "js/live/live.js" in page


def test_before_the_first_frame(client, place):
    write(place, picture=None, lanes=[], open=[], segments=[], segments_in_all=0, delay=None)
    page = client.get(f"/live/{ID}").text
    assert "No frame has come yet" in page and "No segment has closed yet" in page
    assert "data-picture" not in client.get(f"/live/{ID}/parts").text


def test_running_sessions_are_listed_first(client, place):
    ids = [digit * 32 for digit in "abc"]
    write(place, ids[0], ago=1)
    write(place, ids[1], ended="stopped")
    write(place, ids[2], ago=600)
    (place / "notes").mkdir()
    (place / ("d" * 32)).mkdir()  # about to be written
    assert [session.id for session in sessions.list_sessions(place)] == ids
    assert client.get("/live").status_code == 200


def test_sessions_are_removed_after_a_day(app, client, place):
    day = timedelta(days=1).total_seconds()
    kept, old = write(place, ID, ago=day - 60, ended="stopped"), write(place, "a" * 32, ago=day + 60)
    other = place / "notes"
    other.mkdir()
    os.utime(other, (0, 0))
    (place / ("b" * 32)).symlink_to(other)
    empty = place / ("c" * 32)
    empty.mkdir()
    os.utime(empty, (0, 0))
    ahead = write(place, "e" * 32, ago=-2 * day)  # by a clock that was wrong
    os.utime(write(place, "f" * 32) / STATE, (0, 2**40))  # beyond what a calendar can hold
    for live_id in ("a" * 32, "e" * 32, "f" * 32):
        assert client.get(f"/live/{live_id}").status_code == 404
    sweep(app.extensions["database"], app.extensions["settings"], lambda _id: None)
    assert kept.is_dir() and other.is_dir()
    assert not old.exists() and not empty.exists() and not ahead.exists()
    assert not (place / ("f" * 32)).exists()


@pytest.mark.parametrize(
    "live_id", ["x", "0" * 31, "0" * 33, "A" * 32, "..", "%2e%2e", "0" * 31 + "%00", "0" * 32]
)
def test_invalid_ids(client, place, live_id):
    (place.parent / STATE).write_text(json.dumps(RUNNING))
    for path in ("", "/parts", "/pictures/508.jpg"):
        assert client.get(f"/live/{live_id}{path}").status_code == 404


def test_a_picture(client, place):
    folder = write(place)
    answer = client.get(f"/live/{ID}/pictures/508.jpg")
    assert (answer.status_code, answer.mimetype, answer.data) == (200, "image/jpeg", JPEG)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    (folder / "1.jpg").write_bytes(b"<html>")
    (folder / "2.jpg").symlink_to(folder / "508.jpg")
    for name in (
        "1.jpg",
        "2.jpg",
        "3.jpg",
        "-1.jpg",
        "508.png",
        "x.jpg",
        "9" * 400 + ".jpg",
        "..%2fstate.json",
    ):
        assert client.get(f"/live/{ID}/pictures/{name}").status_code == 404, name


@pytest.mark.parametrize(
    "text", ['{"version": 1', "[" * 100_000, json.dumps(RUNNING | {"time": -1}), "x" * 2_000_000]
)
def test_unreadable_sessions_are_not_listed(client, place, text):
    (write(place) / STATE).write_text(text)
    for path in (f"/live/{ID}", f"/live/{ID}/parts"):
        assert client.get(path).status_code == 404
    assert client.get("/live").status_code == 200


def test_hostile_texts_are_escaped(client, place):
    words = '<script>alert(1)</script>\u202e"><img src=x onerror=alert(1)>'
    write(place, source=words, model=words, ended=words)
    for path in ("/live", f"/live/{ID}", f"/live/{ID}/parts"):
        text = client.get(path).text
        assert "<script>alert" not in text and "<img src=x" not in text and "\u202e" not in text


def test_permissions(tmp_path):
    app = with_login(tmp_path / "data", [])
    place = Folders.local(app.extensions["settings"].data).live
    write(place)
    for role, status in ((Role.READER, 403), (Role.REVIEWER, 403), (Role.EXAMINER, 200)):
        account(app, f"the-{role}", role)
        client = signed_in(app, f"the-{role}")
        for path in ("/live", f"/live/{ID}", f"/live/{ID}/parts", f"/live/{ID}/pictures/508.jpg"):
            assert client.get(path).status_code == status, (role, path)
        assert (">Live</a>" in client.get("/analyses").text) == (status == 200)
        assert str(place) not in client.get("/live").text
    app.extensions["database"].close()


def test_polling_does_not_extend_a_session(tmp_path):
    app = with_login(tmp_path / "data", [])
    write(Folders.local(app.extensions["settings"].data).live)
    account(app, "ada", Role.EXAMINER)
    client = signed_in(app, "ada")

    def seen():
        with app.extensions["database"].begin() as session:
            return session.scalars(select(SessionRow.seen)).one()

    with app.extensions["database"].begin() as session:
        row = session.scalars(select(SessionRow)).one()
        row.seen -= timedelta(minutes=10)
    before = seen()
    client.get(f"/live/{ID}/parts")
    client.get(f"/live/{ID}/pictures/508.jpg")
    assert client.get(f"/api/v1/analyses/{hand_in(app).id}").status_code == 404  # of somebody else
    assert seen() == before
    client.get(f"/live/{ID}")
    assert seen() > before
    app.extensions["database"].close()
