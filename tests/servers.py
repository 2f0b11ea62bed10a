"""PostgreSQL and Redis from Debian's packages, started on loopback for the tests that need them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import NullPool, create_engine
from waiting import until

_USER = "postgres"  # of Debian's package; the server refuses to run as root
_BINARIES = Path("/usr/lib/postgresql")


def free_port() -> int:
    """A port nobody listens on at the moment."""
    with socket.socket() as endpoint:
        endpoint.bind(("127.0.0.1", 0))
        return int(endpoint.getsockname()[1])


def listening(port: int) -> None:
    """Return once somebody listens on a port."""

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    _wait_for(answers)


class PostgreSQL:
    """A cluster of its own, with the database ``reelproof``; removed when it is closed."""

    def __init__(self) -> None:
        # Not among pytest's temporary folders: they are for root alone, which the server is not.
        self._place, self._port = Path(tempfile.mkdtemp(prefix="reelproof-postgresql-")), free_port()
        self._folder = self._place / "cluster"
        self.url = f"postgresql+psycopg://{_USER}@127.0.0.1:{self._port}/reelproof"
        if os.geteuid() == 0:
            shutil.chown(self._place, _USER)
        self._run("initdb", "-D", str(self._folder), "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", _USER, "reelproof")

    def empty(self) -> None:
        """Remove all tables, whoever uses them."""
        with create_engine(self.url, poolclass=NullPool).begin() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def close(self) -> None:
        """Stop it and remove all it kept."""
        self.stop()
        shutil.rmtree(self._place, ignore_errors=True)

    def start(self) -> None:
        """Start, and return once it answers."""
        settings = ("unix_socket_directories=''", "max_connections=200", "fsync=off")
        options = f"-p {self._port} -h 127.0.0.1 " + " ".join(f"-c {setting}" for setting in settings)
        log = self._folder.parent / "log"
        self._run("pg_ctl", "-D", str(self._folder), "-o", options, "-l", str(log), "-w", "start")

    def stop(self) -> None:
        """Stop at once, whoever is connected."""
        self._run("pg_ctl", "-D", str(self._folder), "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(_newest() / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", _USER, "--", *command]
        done = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr


class Redis:
    """A server that keeps what it holds in ``folder`` over a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        """Start, and return once it answers."""
        place = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["redis-server", *place, "--appendonly", "yes", "--save", ""], stdout=log, stderr=log
            )
        _wait_for(self._answers)

    def stop(self) -> None:
        """Kill it, as a machine that loses power would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def missing() -> list[str]:
    """What of the two is not installed."""
    absent = [] if _BINARIES.is_dir() and any(_BINARIES.iterdir()) else ["postgresql"]
    return absent if shutil.which("redis-server") else [*absent, "redis-server"]


def _newest() -> Path:
    return max(_BINARIES.iterdir(), key=lambda folder: float(folder.name)) / "bin"


def _wait_for(answers: Callable[[], bool]) -> None:
    until(answers, "the server does not answer")
