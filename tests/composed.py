"""docs/compose.yaml as podman runs it: every key becomes an argument, and an unknown one an error.

podman knows no compose file by itself, and what does is not on every machine. Where the images that the file
names cannot be fetched, ``python -m tests.composed`` makes stand-ins from Debian's packages: the base
by debootstrap, the two servers with start scripts that do what those of the official images do.

``PODMAN`` holds the command with options that a machine needs (``podman --root DIR``).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "compose.yaml"
BASE, SERVERS = "debian:12-slim", {"postgres:15": "postgresql-15", "redis:7": "redis-server"}
_LIBRARY = "docker.io/library/"
_PATIENCE = 600.0
_MIRROR = "http://deb.debian.org/debian"
_ASKED = re.compile(r"\$\{(\w+):(\?|-)\}")
_SERVICE = {
    "build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init", "ports",
    "restart", "security_opt", "stop_grace_period", "volumes",
}  # fmt: skip

# What the official image does: a first start without TCP, in which the database is made, then the server.
_POSTGRES = """#!/bin/sh
set -eu
export PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data
as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
if [ ! -s $PGDATA/PG_VERSION ]; then
    chown postgres $PGDATA && chmod 700 $PGDATA
    printf %s "$POSTGRES_PASSWORD" > /tmp/password && chown postgres /tmp/password
    as initdb -U "$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 -E UTF8
    rm /tmp/password
    echo 'host all all all scram-sha-256' >> $PGDATA/pg_hba.conf
    as pg_ctl -o "-c listen_addresses=''" -w start
    [ "$POSTGRES_DB" = postgres ] || as createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
    as pg_ctl -m fast -w stop
fi
exec setpriv --reuid postgres --regid postgres --clear-groups postgres -c listen_addresses='*'
"""
_REDIS = """#!/bin/sh
set -eu
cd /data
exec "$@"
"""


def podman() -> list[str]:
    """The command."""
    return shlex.split(os.environ.get("PODMAN", "podman"))


def missing() -> list[str]:
    """What a start would lack: podman, or images."""
    if shutil.which(podman()[0]) is None:
        return ["podman"]
    names = (_LIBRARY + name for name in (BASE, *SERVERS))
    return [name for name in names if _podman("image", "exists", name, check=False).returncode]


def composed(values: Mapping[str, str], file: Path = FILE) -> dict[str, Any]:
    """The file with ``${NAME:?}`` and ``${NAME:-}`` replaced as by docker; an unknown key is an error."""

    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replaced(part) for key, part in value.items()}
        if isinstance(value, list):
            return [replaced(part) for part in value]
        if not isinstance(value, str):
            return value
        done = _ASKED.sub(
            lambda match: values[match[1]] if match[2] == "?" else values.get(match[1], ""), value
        )
        assert "$" not in done, f"what is to be put into {value}?"
        return done

    read = replaced(yaml.safe_load(file.read_text()))
    assert {key for key in read if not key.startswith("x-")} == {"name", "services", "volumes"}
    for name, service in read["services"].items():
        assert not service.keys() - _SERVICE, f"{name}: {service.keys() - _SERVICE}"
    return dict(read)


class Composition:
    """The services of the file on a network of their own; ``ports`` replaces ports of this machine."""

    def __init__(self, values: Mapping[str, str], project: str, ports: Mapping[str, int]) -> None:
        self.project, self._ports = project, ports
        self._file = composed(values)
        self.services: dict[str, dict[str, Any]] = self._file["services"]

    def build(self) -> None:
        """The images that are built, each once, and the network."""
        _podman("network", "create", self.project)
        for build, tag in {(shlex.join(s["build"].values()), self._image(s)) for s in self._built()}:
            context, dockerfile = shlex.split(build)
            there = (FILE.parent / context).resolve()  # a Dockerfile lies in its context
            _podman("build", "-q", "-t", tag, "-f", str(there / dockerfile), str(there), patience=3600)

    def up(self) -> None:
        """Start all, each once those it depends on are as it says."""
        waiting = dict(self.services)
        while waiting:
            ready = [
                name for name, s in waiting.items() if not s.get("depends_on", {}).keys() & waiting.keys()
            ]
            assert ready, f"{', '.join(waiting)} depend on each other"
            for name in ready:
                service = waiting.pop(name)
                for other, condition in service.get("depends_on", {}).items():
                    assert condition == {"condition": "service_healthy"}
                    self.wait(other)
                self._start(name, service)

    def wait(self, name: str) -> None:
        """Return once the service's own check says that it is healthy; podman itself needs systemd for it."""
        check = self.services[name]["healthcheck"]
        assert check["test"][0] == "CMD"
        until = time.monotonic() + _PATIENCE
        while _podman("exec", self._name(name), *check["test"][1:], check=False).returncode:
            assert time.monotonic() < until, self.logs(name)
            time.sleep(float(check["interval"].removesuffix("s")))

    def run(self, name: str, *command: str, given: str = "") -> str:
        """``docker compose run --rm``: a command in a container of its own; what it prints."""
        service = self.services[name]
        for other in service.get("depends_on", {}):
            self._start(other, self.services[other])
            self.wait(other)
        asked = ["run", "--rm", "-i", *self._arguments(service), self._image(service), *command]
        return _podman(*asked, given=given).stdout

    def inside(self, name: str, *command: str) -> str:
        """What a command prints that is run in the container of a service."""
        return _podman("exec", self._name(name), *command).stdout

    def published(self, port: str) -> int:
        """Where a port that the file publishes on this machine is in truth."""
        return self._ports[port]

    def logs(self, name: str) -> str:
        """What a service has printed."""
        result = _podman("logs", self._name(name), check=False)
        return result.stdout + result.stderr

    def stop(self) -> None:
        """``docker compose down``: volumes stay."""
        for name, service in reversed(self.services.items()):
            grace = service.get("stop_grace_period", "10s").removesuffix("s")
            _podman("stop", "-t", grace, self._name(name), check=False)
            _podman("rm", "-f", "-v", "-t", "0", self._name(name), check=False)

    def remove(self) -> None:
        """Stop it, and remove volumes and network."""
        self.stop()
        for name in self._file["volumes"]:
            _podman("volume", "rm", "-f", f"{self.project}_{name}", check=False)
        _podman("network", "rm", "-f", self.project, check=False)

    def _built(self) -> list[dict[str, Any]]:
        return [service for service in self.services.values() if "build" in service]

    def _image(self, service: dict[str, Any]) -> str:
        return f"localhost/{self.project}" if "build" in service else _LIBRARY + service["image"]

    def _name(self, name: str) -> str:
        return f"{self.project}-{name}"

    def _start(self, name: str, service: dict[str, Any]) -> None:
        if not _podman("container", "exists", self._name(name), check=False).returncode:
            return
        more = ["--name", self._name(name), "--network-alias", name, "--restart", service["restart"]]
        for port in service.get("ports", []):
            address, _, inside = port.rpartition(":")
            host, _, outside = address.rpartition(":")
            more += ["-p", f"{host}:{self._ports[outside]}:{inside}"]
        command = service.get("command", [])
        _podman("run", "-d", *more, *self._arguments(service), self._image(service), *command)

    def _arguments(self, service: dict[str, Any]) -> list[str]:
        """Of ``podman run``, without name and ports: what containers for one command have as well."""
        arguments = ["--network", self.project, "--pull", "never"]
        arguments += [f"--env={name}={value}" for name, value in service.get("environment", {}).items()]
        arguments += [f"--cap-drop={option}" for option in service.get("cap_drop", [])]
        arguments += [f"--security-opt={option}" for option in service.get("security_opt", [])]
        for volume in service.get("volumes", []):
            name, _, inside = volume.partition(":")
            assert name in self._file["volumes"]
            arguments += ["-v", f"{self.project}_{name}:{inside}"]
        return [*arguments, "--init"] if service.get("init") else arguments


def _podman(
    *arguments: str, given: str = "", check: bool = True, patience: float = _PATIENCE
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*podman(), *arguments], input=given, capture_output=True, text=True, timeout=patience
    )
    assert not check or done.returncode == 0, (
        f"{shlex.join(arguments)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    )
    return done


def make_images() -> None:
    """Stand-ins for the images that are not there, from Debian's packages; as root, for debootstrap."""
    absent = missing()
    with tempfile.TemporaryDirectory(prefix="reelproof-images-") as place:
        if _LIBRARY + BASE in absent:
            root = Path(place, "root")
            subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(root), _MIRROR], check=True)
            # A certificate authority of this machine's own counts inside as well.
            for source in map(Path, ("/usr/local/share/ca-certificates", "/etc/pip.conf")):
                target = root / source.relative_to("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                if source.is_dir():
                    shutil.copytree(source, target, dirs_exist_ok=True)
                elif source.exists():
                    shutil.copy(source, target)
            archive = Path(place, "root.tar")
            subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
            _podman("import", str(archive), _LIBRARY + BASE)
        for name in SERVERS.keys() & {image.removeprefix(_LIBRARY) for image in absent}:
            folder = Path(place, name.partition(":")[0])
            folder.mkdir()
            server = name.startswith("postgres")
            (folder / "start").write_text(_POSTGRES if server else _REDIS)
            (folder / "start").chmod(0o755)
            kept = "/var/lib/postgresql/data" if server else "/data"
            (folder / "Dockerfile").write_text(
                f"FROM {_LIBRARY}{BASE}\n"
                "RUN apt-get update && DEBIAN_FRONTEND=noninteractive"
                f" apt-get install -y --no-install-recommends {SERVERS[name]}\n"
                f"RUN mkdir -p {kept} /run/postgresql && chmod 1777 {kept} /run/postgresql\n"
                "ENV PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                f'COPY start /start\nVOLUME {kept}\nENTRYPOINT ["/start"]\nCMD []\n'
            )
            _podman("build", "-q", "-t", _LIBRARY + name, str(folder), patience=1800)
    print(f"Made: {', '.join(absent) or 'nothing, all were there'}", file=sys.stderr)


if __name__ == "__main__":
    make_images()
