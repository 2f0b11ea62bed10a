"""Exhibits and previews for players: byte ranges, types, and threads."""

from __future__ import annotations

import contextlib
import dataclasses
import socket

import pytest
from http_servers import served
from made_results import finished, hand_in
from waiting import PATIENCE

from webapp.exhibits.media import playback
from webapp.exhibits.media.playback import Playback
from webapp.storage.tables import AnalysisRow


@pytest.fixture
def playing(app, folders) -> str:
    """Id of a finished analysis whose exhibit, 1,000 meaningless bytes, counts as playable."""
    row = finished(app)
    place = folders.data / row.exhibit.path
    place.chmod(0o640)
    place.write_bytes(bytes(i % 251 for i in range(1000)))
    playback.save_playback(folders, row.exhibit.sha256, Playback("exhibit", "video/mp4", 0.5, 160, 96, ""))
    return row.id


def test_media_is_served_whole_and_in_parts(client, playing):
    address = f"/analyses/{playing}/media"
    whole = client.get(address)
    content = bytes(i % 251 for i in range(1000))
    assert (whole.status_code, whole.mimetype, whole.data) == (200, "video/mp4", content)
    assert whole.headers["Accept-Ranges"] == "bytes" and whole.content_length == 1000
    for asked, (start, stop) in {
        "bytes=0-": (0, 1000),
        "bytes=100-199": (100, 200),
        "bytes=990-": (990, 1000),
        "bytes=-10": (990, 1000),
        "bytes=5-5": (5, 6),
        "bytes=900-5000": (900, 1000),
    }.items():
        part = client.get(address, headers={"Range": asked})
        assert part.data == content[start:stop], asked
        assert part.content_length == stop - start
        if asked != "bytes=0-":
            assert part.status_code == 206
            assert part.headers["Content-Range"] == f"bytes {start}-{stop - 1}/1000"
    assert client.get(address, headers={"Range": "bytes=1000-"}).status_code == 416
    for odd in ("bytes=1-2,5-6", "lines=1-2", "nonsense"):
        assert client.get(address, headers={"Range": odd}).data == content
    head = client.head(address)
    assert head.status_code == 200 and head.content_length == 1000 and head.data == b""


def test_ranges_of_another_version_are_not_served(client, playing):
    address = f"/analyses/{playing}/media"
    tag = client.get(address).headers["ETag"]
    part = {"Range": "bytes=10-19"}
    assert client.get(address, headers=part | {"If-Range": tag}).status_code == 206
    assert client.get(address, headers=part | {"If-Range": '"other"'}).status_code == 200


def test_media_cannot_run_as_a_page(client, playing):
    headers = client.get(f"/analyses/{playing}/media").headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_a_preview_is_served_instead_of_the_exhibit(app, client, folders):
    row = finished(app)
    assert client.get(f"/analyses/{row.id}/media").status_code == 404  # an older analysis
    folders.preview(row.exhibit.sha256).write_bytes(b"preview")
    made = Playback("preview", "video/mp4", 0.0, 4, 4, "why")
    playback.save_playback(folders, row.exhibit.sha256, made)
    assert playback.read_playback(folders, row) == made
    answer = client.get(f"/analyses/{row.id}/media")
    assert (answer.data, answer.mimetype) == (b"preview", "video/mp4")
    playback.save_playback(folders, row.exhibit.sha256, dataclasses.replace(made, source="none"))
    assert client.get(f"/analyses/{row.id}/media").status_code == 404
    assert client.get(f"/analyses/{hand_in(app, b'other').id}/media").status_code == 409
    folders.playback(row.exhibit.sha256).write_text("{}")
    assert playback.read_playback(folders, row) is None


def test_stalled_players_hold_no_thread(app, playing, folders):
    """With forty paused videos and twenty-four threads, other requests are still answered."""
    with app.extensions["database"].begin() as session:
        place = folders.data / session.get_one(AnalysisRow, playing).exhibit.path
    place.write_bytes(bytes(24_000_000))
    with served(app) as address, contextlib.ExitStack() as links:

        def ask(path: str, more: str = "") -> socket.socket:
            port = int(address.rpartition(":")[2])
            link = links.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
            link.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())
            return link

        stalled = [ask(f"/analyses/{playing}/media", "Range: bytes=1-\r\n") for _ in range(40)]
        assert all(player.recv(12) == b"HTTP/1.1 206" for player in stalled)
        assert ask("/healthz").recv(12) == b"HTTP/1.1 200", "it would wait until a player reads on"
        rest = 0
        while rest < 23_999_999:
            rest += len(stalled[0].recv(1 << 20))
