"""Connections of the Python client: clocks that do not wait, requests that fail, answers that break off."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from webapp.client import Client

CONTENT = bytes(range(256)) * 4000


def clock(pause: Callable[[float], object]) -> SimpleNamespace:
    """In place of ``time``: who would sleep, calls ``pause``."""
    return SimpleNamespace(sleep=pause, monotonic=time.monotonic)


def failing(
    monkeypatch: pytest.MonkeyPatch, reelproof: Client, method: str, ending: str, *problems: Exception
) -> list[Exception]:
    """The next requests of this kind end so, before they arrive; which of them did not come yet."""
    through, to_come = reelproof._open, list(problems)

    def out(asked: str, path: str, *more: object) -> object:
        if asked == method and path.endswith(ending) and to_come:
            raise to_come.pop(0)
        return through(asked, path, *more)

    monkeypatch.setattr(reelproof, "_open", out)
    return to_come


@contextlib.contextmanager
def breaking_off(answer: bytes, *, reset: bool) -> Iterator[str]:
    """Gives this answer to every request and closes the connection, politely or by resetting it."""

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                if reset:
                    time.sleep(0.05)  # or what was sent is thrown away with the connection
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


class Relay:
    """Passes bytes on to a port, and cuts every third connection when 50,000 of a request have passed."""

    def __init__(self, port: int) -> None:
        self._port, self.cut, self._count = port, 0, 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._count += 1
            threading.Thread(target=self._relay, args=(connection, self._count % 3 == 0), daemon=True).start()

    def _relay(self, near: socket.socket, cutting: bool) -> None:
        with near, socket.create_connection(("127.0.0.1", self._port)) as far:
            threading.Thread(target=self._back, args=(far, near), daemon=True).start()
            passed = 0
            while True:
                try:
                    data = near.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                passed += len(data)
                if cutting and passed > 50_000:
                    self.cut += 1
                    near.shutdown(socket.SHUT_RDWR)
                    return
                far.sendall(data)

    @staticmethod
    def _back(far: socket.socket, near: socket.socket) -> None:
        try:
            while data := far.recv(65536):
                near.sendall(data)
            near.shutdown(socket.SHUT_WR)
        except OSError:
            return
