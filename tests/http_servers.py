"""A live server on loopback in this process, for tests of what speaks HTTP."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from flask import Flask
from waiting import PATIENCE

from webapp.server import listen


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Address of the app, answered by the server it has in earnest."""
    before = tempfile.tempdir
    server = listen(app, app.extensions["settings"].model_copy(update={"port": 0}))
    tempfile.tempdir = before  # what it set is for a process that serves one app and does nothing else
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()

    def stop() -> None:  # in the thread that reads: closing files under it makes it complain
        for channel in list(server.active_channels.values()):
            channel.handle_close()
        server.close()

    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.task_dispatcher.shutdown(timeout=PATIENCE)  # first those who still answer
        try:
            server.trigger.pull_trigger(stop)
        except OSError:  # once in many runs its pipe is closed by then; why is not known
            stop()
        thread.join(PATIENCE)
    assert not thread.is_alive()


class Receiver(ThreadingHTTPServer):
    """A server that notes what it is sent, and answers what ``answers`` says, one after another."""

    daemon_threads = True

    def __init__(self, *answers: int) -> None:
        super().__init__(("127.0.0.1", 0), _Noting)
        self.answers = list(answers)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()


class _Noting(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.got.append((self.path, dict(self.headers.items()), body))
        status = self.server.answers.pop(0) if self.server.answers else 204
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass
