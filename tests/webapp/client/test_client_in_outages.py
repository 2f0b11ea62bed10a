"""The Python client while nobody answers, and where an answer breaks off."""

from __future__ import annotations

import pytest
from client_connections import breaking_off, clock, failing
from made_results import finished

from webapp.client import Client, ClientError, NotReached, Problem, TooOften, connection

# Answers of which the rest never comes.
_HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{"
_REFUSED = b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{"

_OUTAGE = (
    NotReached("nobody answers"),
    TooOften(429, {}, 3.0),
    Problem(502, {}),
    Problem(503, {}, 5.0),
    Problem(504, {}),
)


def test_reading_requests_are_repeated_during_an_outage(app, live, tmp_path, monkeypatch, quick_reports):
    row, reelproof, pauses = finished(app), Client(live), []
    monkeypatch.setattr(connection, "time", clock(pauses.append))
    for ending, read in (
        (row.id, lambda: reelproof.get(row.id)),
        ("analyses", lambda: list(reelproof.analyses())),
        ("models", reelproof.models),
        ("exports/csv", lambda: reelproof.download(row.id, "exports/csv", tmp_path / "s.csv")),
        ("segments", lambda: reelproof.segments(row.id)),
    ):
        to_come = failing(monkeypatch, reelproof, "GET", ending, *_OUTAGE)
        assert read() and to_come == []
        assert pauses == [1, 3.0, 2, 5.0, 4]
        pauses.clear()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["s.csv"]


def test_waiting_goes_on_through_outages(app, live, monkeypatch):
    """However often nobody answers, until the caller's own time is over."""
    row, reelproof = finished(app), Client(live)
    monkeypatch.setattr(connection, "time", clock(lambda _seconds: None))
    to_come = failing(monkeypatch, reelproof, "GET", row.id, *_OUTAGE * 3)
    assert reelproof.wait(row.id, timeout=60)["state"] == "done" and to_come == []
    failing(monkeypatch, reelproof, "GET", row.id, *_OUTAGE * 3)
    assert reelproof.wait(row.id)["state"] == "done"
    failing(monkeypatch, reelproof, "GET", row.id, *_OUTAGE)
    with pytest.raises(NotReached):
        reelproof.wait(row.id, timeout=0.5)


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("answer", [b"", b"no HTTP\r\n\r\n", _HALF, _CHUNKED, _REFUSED])
def test_a_response_that_breaks_off_raises_not_reached(tmp_path, monkeypatch, answer, reset):
    """However it breaks off, the client raises one of its own errors, and leaves no part of a file."""
    monkeypatch.setattr(connection, "time", clock(lambda _seconds: None))
    with breaking_off(answer, reset=reset) as address:
        with pytest.raises(ClientError):
            Client(address).models()
        with pytest.raises(ClientError):
            Client(address).download("0" * 32, "report.pdf", tmp_path / "report.pdf")
    assert not list(tmp_path.iterdir())
