"""Fifty browsers that poll while ten files of 100 MB come in at once: no error, quick pages, flat memory.

How quick they are is judged where others leave the processors idle, what they cost the server always.
``make test-load`` runs it; ``docs/reliability.md`` holds what it found.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from app_process import App, skip_sample
from made_results import finished, hand_in

from webapp import create_app

pytestmark = [pytest.mark.slow, pytest.mark.fresh]  # a fork of the tests would count their memory too

_BROWSERS, _UPLOADS = 50, 10
_SIZE = 100_000_000  # bytes of an upload
_POLL = 0.6  # seconds between two questions of a page that waits: as static/js/analyses/follow.js has it
_PAGE_EVERY = 8  # questions between two pages
_ROUNDS = 3  # of all uploads, one after the other
_QUICK = 0.2  # seconds
_CHEAP = 0.03, 3.0  # seconds of the server's processor time for an answer, and for an upload
_MUCH_ELSE = 0.15  # of the processors: what others may take where answers are to be quick
_LONGEST = 1800  # seconds, on a machine that has much else to do
_BLOCK = 1 << 20


class Browser:
    """Asks for the page of an analysis that waits, and now and then for another page.

    As often as that page asks for its state alone, which is less work.
    """

    def __init__(self, address: str, state: str, pages: list[str], end: threading.Event) -> None:
        self._host = address.removeprefix("http://")
        self._state, self._pages, self._end = state, pages, end
        self.pages: list[float] = []  # seconds
        self.questions: list[float] = []
        self.errors: list[str] = []

    def run(self, seed: int) -> None:
        chance = random.Random(seed)
        self._end.wait(chance.uniform(0, _POLL))
        with closing(http.client.HTTPConnection(self._host, timeout=_LONGEST)) as connection:
            asked = chance.randrange(_PAGE_EVERY)
            while not self._end.is_set():
                asked += 1
                if asked % _PAGE_EVERY:
                    self.questions.append(self._ask(connection, self._state, "application/json"))
                else:
                    self.pages.append(self._ask(connection, chance.choice(self._pages), "text/html"))
                self._end.wait(_POLL)

    def _ask(self, connection: http.client.HTTPConnection, path: str, kind: str) -> float:
        began = time.monotonic()
        try:
            connection.request("GET", path, headers={"Accept": kind})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                self.errors.append(f"{path}: {answer.status}")
        except OSError as problem:
            self.errors.append(f"{path}: {problem!r}")
            connection.close()
        return time.monotonic() - began


def body(number: int) -> Iterator[bytes]:
    """A form with a file that begins as an mp4, no two of them alike."""
    yield f'--x\r\nContent-Disposition: form-data; name="file"; filename="{number}.mp4"\r\n\r\n'.encode()
    begin = b"\0\0\0\x18ftypisom" + number.to_bytes(8, "big")
    yield begin
    block = os.urandom(_BLOCK)
    for start in range(len(begin), _SIZE, _BLOCK):
        yield block[: min(_BLOCK, _SIZE - start)]
    yield b"\r\n--x--\r\n"


def upload(address: str, number: int) -> int:
    """Hand in one file; the status of the answer."""
    size = sum(map(len, body(number)))
    host = address.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=_LONGEST)) as connection:
        headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(size)}
        headers |= {"Accept": "text/html", "Origin": address}
        connection.request("POST", "/analyses", body(number), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def resident(process: int) -> int:
    """Memory in use, in bytes."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def spent(process: int) -> float:
    """Seconds of processor time that a process took."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy() -> float:
    """Seconds of processor time that all processes took."""
    user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


def at(sorted_seconds: list[float], share: float) -> float:
    return sorted_seconds[min(len(sorted_seconds) - 1, int(share * len(sorted_seconds)))]


def test_fifty_browsers_and_ten_uploads(tmp_path):
    data = tmp_path / "data"
    made = create_app({"TESTING": True, "REELPROOF_DATA": data, "SEND": lambda _id: None})
    done = [finished(made, file=f"clip {number}.mp4", segments=3).id for number in range(60)]
    waiting = [hand_in(made, f"waiting {number}".encode()).id for number in range(_BROWSERS)]
    made.extensions["database"].close()
    skip_sample(data)
    # No workers: what they do to the pages depends on the files, what the server does not.
    app = App(data, REELPROOF_WORKERS="0")
    app.start()
    assert app.process is not None
    try:
        end = threading.Event()
        pages = ["/", "/analyses", *(f"/analyses/{analysis_id}" for analysis_id in done[:10])]
        browsers = [Browser(app.address, f"/analyses/{analysis_id}", pages, end) for analysis_id in waiting]
        memory: list[int] = []
        before = busy(), time.process_time(), spent(app.process.pid), time.monotonic()
        with ThreadPoolExecutor(_BROWSERS + _UPLOADS) as pool:
            for number, browser in enumerate(browsers):
                pool.submit(browser.run, number)
            time.sleep(10)
            memory.append(resident(app.process.pid))
            began = time.monotonic()
            for turn in range(_ROUNDS):
                numbers = range(turn * _UPLOADS, (turn + 1) * _UPLOADS)
                statuses = list(pool.map(lambda number: upload(app.address, number), numbers))
                assert statuses == [303] * _UPLOADS
                memory.append(resident(app.process.pid))
            took = time.monotonic() - began
            end.set()
        server = spent(app.process.pid) - before[2]
        others = busy() - before[0] - (time.process_time() - before[1]) - server
        share = others / ((time.monotonic() - before[3]) * (os.cpu_count() or 1))
        errors = [error for browser in browsers for error in browser.errors]
        seen = sorted(second for browser in browsers for second in browser.pages)
        asked = sorted(second for browser in browsers for second in browser.questions)
        figures = {
            "uploads, seconds a round": round(took / _ROUNDS, 1),
            "pages": len(seen),
            "pages, median and p95 in ms": [round(1000 * at(seen, share)) for share in (0.5, 0.95)],
            "questions": len(asked),
            "questions, median and p95 in ms": [round(1000 * at(asked, share)) for share in (0.5, 0.95)],
            "memory in MB, before and after each round": [round(size / 1e6) for size in memory],
            "seconds of the server": round(server, 1),
            "share of the processors that others took": round(share, 2),
            "errors": len(errors),
        }
        print(f"\n{json.dumps(figures)}")
        assert errors == []
        assert server < _CHEAP[0] * (len(seen) + len(asked)) + _CHEAP[1] * _ROUNDS * _UPLOADS
        assert len(seen) > 50 and (at(seen, 0.95) < _QUICK or share > _MUCH_ELSE)
        assert memory[-1] - memory[1] < 20_000_000
    finally:
        app.kill()
