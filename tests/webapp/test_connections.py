"""Sockets that say nothing, or little at a time, neither stop the service nor stay."""

from __future__ import annotations

import errno
import http.client
import socket
import tempfile
import threading
import time
from contextlib import ExitStack

import pytest
from waiting import PATIENCE

from webapp import server as webapp_server
from webapp.server import listen
from webapp.settings import SettingError

OWN = ("127.0.0.1", 0)


@pytest.fixture
def port(app, monkeypatch):
    monkeypatch.setattr(webapp_server, "MAX_CONNECTIONS", 30)
    monkeypatch.setattr(webapp_server, "MAX_CONNECTIONS_PER_ADDRESS", 10)
    monkeypatch.setattr(tempfile, "tempdir", None)  # put back what listen sets
    server = listen(app, app.extensions["settings"].model_copy(update={"port": 0}))
    server.adj.cleanup_interval = 0.05
    stopping = threading.Event()

    def run() -> None:
        while not stopping.is_set():
            server.asyncore.loop(timeout=0.05, use_poll=True, map=server._map, count=1)
        server.asyncore.close_all(server._map)

    thread = threading.Thread(target=run)
    thread.start()
    yield int(server.effective_port)
    stopping.set()
    thread.join()
    server.task_dispatcher.shutdown()


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (OSError(errno.EACCES, "Permission denied"), "Permission denied"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "Cannot assign requested address"),
        (ValueError("Invalid host/port specified."), "no such address"),
    ],
)
def test_an_unusable_address_is_named(app, monkeypatch, problem, reason):
    def create_server(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr("webapp.server.create_server", create_server)  # waitress leaves its sockets open then
    monkeypatch.setattr(tempfile, "tempdir", None)
    settings = app.extensions["settings"].model_copy(update={"port": 80})
    words = f"Port 80 of 127.0.0.1 cannot be listened on: {reason}. Set PORT .*REELPROOF_HOST"
    with pytest.raises(SettingError, match=words):
        listen(app, settings)


def opened(stack: ExitStack, port: int, says: bytes = b"", source=OWN) -> socket.socket:
    made = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE, source))
    made.sendall(says)
    return made


def closed(made: socket.socket, within: float = PATIENCE) -> bool:
    made.settimeout(within)
    try:
        return made.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def works(port: int) -> bool:
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    asking.request("GET", "/healthz")
    status = asking.getresponse().status
    asking.close()
    return status == 200


def test_idle_sockets_give_way_the_oldest_first(port, monkeypatch):
    monkeypatch.setattr(webapp_server, "HEADERS_TIMEOUT", 600.0)  # none closes for having waited too long
    with ExitStack() as stack:
        body = opened(stack, port, b"POST /analyses HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        many = [opened(stack, port) for _ in range(24)]
        assert works(port)
        assert all(closed(connection) for connection in many[:14]) and not closed(body, 0.1)
        assert not closed(many[-1], 0.1)
        # Many addresses, each with a few: beyond what there may be in all.
        others = [opened(stack, port, source=(f"127.0.1.{n // 5}", 0)) for n in range(5, 55)]
        assert works(port) and closed(others[0]) and not closed(others[-1], 0.1)


def test_setting_the_clock_forward_ends_no_connection(port, monkeypatch):
    real = time.time
    with ExitStack() as stack:
        asking = opened(stack, port, b"GET /healthz HTTP/1.1\r\n")
        monkeypatch.setattr(time, "time", lambda: real() + 200)  # beyond 300 seconds waitress ends idle ones
        assert not closed(asking, 0.5)
        asking.sendall(b"Host: localhost\r\n\r\n")
        asking.settimeout(10)
        assert b"200 OK" in asking.recv(65536)


def test_slow_headers_and_bodies_end_a_connection_and_steady_ones_do_not(port, monkeypatch):
    monkeypatch.setattr(webapp_server, "HEADERS_TIMEOUT", 0.4)
    monkeypatch.setattr(webapp_server, "KEEP_ALIVE_TIMEOUT", 60.0)
    monkeypatch.setattr(webapp_server, "BODY_TIMEOUT", 0.4)
    with ExitStack() as stack:
        silent = opened(stack, port)
        trickling = opened(stack, port, b"GET /healthz HTTP/1.1\r\n")
        blank = opened(stack, port, b"\r\n")
        body = opened(stack, port, b"POST /login HTTP/1.1\r\nContent-Length: 5000\r\n\r\n")
        head = b"POST /login HTTP/1.1\r\nContent-Length: 500000\r\n\r\n"
        fast = opened(stack, port, head + bytes(60 * int(webapp_server.MIN_BODY_RATE)))  # a minute ahead
        ends = time.monotonic() + 0.8
        while time.monotonic() < ends:
            for connection, more in (
                (trickling, b"A: b\r\n"),
                (blank, b"\r\n"),
                (body, b"x"),
                (fast, bytes(5000)),
            ):
                try:
                    connection.sendall(more)
                except OSError:
                    assert connection is not fast
            time.sleep(0.05)
        assert all(closed(connection) for connection in (silent, trickling, blank, body))
        assert not closed(fast, 0.1)
        asking = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        monkeypatch.setattr(webapp_server, "HEADERS_TIMEOUT", 20.0)
        again = opened(stack, port, asking)
        again.settimeout(PATIENCE)
        answers = b""

        def read(count: int) -> None:
            nonlocal answers
            while answers.count(b"200 OK") < count:
                assert (more := again.recv(65536)), answers
                answers += more

        read(1)
        monkeypatch.setattr(webapp_server, "HEADERS_TIMEOUT", 0.4)
        time.sleep(0.5)  # longer than headers may take, shorter than the next request may
        monkeypatch.setattr(webapp_server, "HEADERS_TIMEOUT", 20.0)
        again.sendall(asking)
        read(2)
        assert works(port)
