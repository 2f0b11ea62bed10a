"""``python -m webapp`` as a process of its own, for tests that use it in a browser, kill it or load it."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from waiting import PATIENCE, until

from detector.files import ROOT
from webapp.exhibits.uploads.sample import SAMPLE_ADDED

_PATIENCE = 1800.0  # seconds: a machine may have much else to do


class App:
    """``python -m webapp`` on one data folder, started once or again and again."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data, self.address, self._settings = data, "", settings
        # Beside the folder, which the first start makes.
        self._errors = data.with_name(f"{data.name}.stderr.log")
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with self._errors.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "webapp"],
                cwd=ROOT,
                env=os.environ | {"PORT": "0", "REELPROOF_DATA": str(self.data)} | self._settings,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        match = re.search(r"http://[^ ]+", self.process.stdout.readline())
        assert match, self._errors.read_text()[-2000:]
        self.address = match[0]

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()  # type: ignore[union-attr]

    def stop(self) -> None:
        """End it as a person does, if it still runs."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=PATIENCE)

    def group(self) -> set[int]:
        """This process and everything below it that still runs."""
        assert self.process is not None
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
        processes = {self.process.pid} & set(parents)
        while more := {child for child, parent in parents.items() if parent in processes} - processes:
            processes |= more
        return processes

    def rows(self) -> dict[str, tuple[str, str, int]]:
        """State, stage and attempt by id, read past the app."""
        with sqlite3.connect(f"file:{self.data}/reelproof.sqlite3?mode=ro", uri=True, timeout=30) as database:
            records = database.execute("SELECT id, state, stage, attempt FROM analyses").fetchall()
        return {row[0]: (row[1], row[2], row[3]) for row in records}

    def idle(self) -> bool:
        """Whether all there is has been done."""
        return all(state == "done" for state, _, _ in self.rows().values())

    def upload(self, clip: Path, slowly: bool, parameters: str = "") -> str:
        """Hand in a clip; the id from the address the app answers with.

        ``parameters`` are JSON.
        """
        part = '--x\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}'
        frame = part.format("parameters", "", f"{parameters}\r\n") if parameters else ""
        frame += part.format("file", f'; filename="{clip.name}"', "")
        body = frame.encode() + clip.read_bytes() + b"\r\n--x--\r\n"

        def parts():
            for start in range(0, len(body), 4096):
                if slowly:
                    time.sleep(0.02)
                yield body[start : start + 4096]

        request = urllib.request.Request(
            f"{self.address}/api/v1/analyses",
            data=parts(),
            headers={
                "Content-Type": "multipart/form-data; boundary=x",
                "Content-Length": str(len(body)),
                "Accept": "application/json",
                "Origin": self.address,
            },
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            return str(answer.headers["Location"]).rpartition("/")[2]


def wait(condition: Callable[[], bool]) -> None:
    until(condition, "took too long", seconds=_PATIENCE)


def skip_sample(data: Path) -> None:
    """Make a data folder one that had its sample, so that nothing else is in the queue."""
    from webapp import create_app
    from webapp.storage.tables import Milestone, now

    app = create_app({"REELPROOF_DATA": data})
    with app.extensions["database"].begin() as session:
        session.add(Milestone(name=SAMPLE_ADDED, reached=now()))
    app.extensions["database"].close()
