"""An app on PostgreSQL and Redis, and workers beside it, for tests of several machines on one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """A list of processes; what still runs of them at the end is killed, with its children."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        yield started
    finally:
        for process in started:
            kill(process)


def run(
    started: list[subprocess.Popen[bytes]], *command: str, environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """Start a Python program in a session of its own."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    started.append(process)
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process at once."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
