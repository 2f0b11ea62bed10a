"""A PostgreSQL server of a test's own, on a socket in its folder, where the programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL

_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


@contextmanager
def running(folder: Path) -> Iterator[URL]:
    """Address of its database; the test is skipped where there is no PostgreSQL to start."""
    found = shutil.which("initdb", path=os.pathsep.join(map(str, [*_PLACES, os.environ["PATH"]])))
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    programs, data = Path(found).parent, folder / "pg"
    data.mkdir()
    as_user = _user(data)
    initdb = ["initdb", "-D", str(data), "-U", "reelproof", "-A", "trust", "--no-sync", "-E", "UTF8"]
    for command in (
        initdb,
        ["pg_ctl", "-D", str(data), "-w", "-l", str(data / "log"), "start", "-o"]
        + [f"-c listen_addresses='' -c unix_socket_directories='{data}' -c fsync=off"],
    ):
        subprocess.run(
            [programs / command[0], *command[1:]], check=True, stdout=subprocess.DEVNULL, cwd=data, **as_user
        )
    try:
        yield URL.create(
            "postgresql+psycopg", username="reelproof", database="postgres", query={"host": str(data)}
        )
    finally:
        subprocess.run(
            [programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"],
            stdout=subprocess.DEVNULL,
            cwd=data,
            **as_user,
        )


def _user(data: Path) -> dict[str, int]:
    """PostgreSQL refuses to run as root; its own user must reach the folder then."""
    if os.getuid():
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    os.chown(data, user.pw_uid, user.pw_gid)
    for folder in data.parents:
        if folder.stat().st_uid == os.getuid() and folder not in (Path("/"), Path("/tmp")):
            folder.chmod(folder.stat().st_mode | 0o011)
    return {"user": user.pw_uid, "group": user.pw_gid}
