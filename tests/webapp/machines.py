"""An app on PostgreSQL and Redis, and workers beside it, for tests of several machines on one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import servers
from clips import write_clip
from skimage import data as pictures

from detector.files import ROOT


def settings(folder: Path, postgresql: servers.PostgreSQL, redis: servers.Redis) -> dict[str, str]:
    """What an app and workers with the data folder ``folder/data`` share."""
    return {
        "REELPROOF_DATA": str(folder / "data"),
        "REELPROOF_DATABASE": postgresql.url,
        "REELPROOF_BROKER": redis.url,
        "REELPROOF_WORKERS": "1",
    }


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


def clip(path: Path, number: int) -> Path:
    """Ten frames of a public-domain portrait that moves; no two below 300 are the same bytes."""
    face = pictures.astronaut()[:256, 96:352]
    shifted = [face[number % 17 : 200 + number % 17, step + number // 17 :][:, :200] for step in range(10)]
    return write_clip(path, shifted)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process at once."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
