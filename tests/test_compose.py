"""docs/compose.yaml and docs/Dockerfile: what they name exists, and all of it started, used and stopped."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from composed import FILE, ROOT, Composition, composed, missing
from servers import free_port

from detector.environment import commit
from webapp.client import Client, ClientError
from webapp.settings import SETTINGS, read_settings
from webapp.worker import standalone

VALUES = {"POSTGRES_PASSWORD": "Rows7", "REDIS_PASSWORD": "Ids8"}
_PATIENCE = 1800.0


def test_settings_and_commands_of_the_file_exist():
    services = composed(VALUES)["services"]
    for name in ("pages", "workers"):
        given = services[name]["environment"]
        assert not given.keys() - {setting.name for setting in SETTINGS}
        settings = read_settings(given)
        assert settings.shared and settings.workers == (name == "workers")
    assert services["workers"]["command"][1:] == ["-m", standalone.__name__]
    pages = read_settings(services["pages"]["environment"])
    assert pages.login and pages.proxy == ""
    behind = {"REELPROOF_PROXY": "172.18.0.1", "REELPROOF_ALLOWED_HOSTS": "lab.example"}
    pages = read_settings(composed(VALUES | behind)["services"]["pages"]["environment"])
    assert pages.proxy == "172.18.0.1" and "lab.example" in pages.allowed_hosts


def test_what_others_wait_for_has_time_for_its_first_start():
    """Without ``start_period`` Docker gives a container up after three checks, which are 15 seconds."""
    services = composed(VALUES)["services"]
    for name in ("pages", "database"):
        assert services[name]["healthcheck"].get("start_period") == "120s", name


def test_the_dockerfile_copies_what_there_is():
    text = FILE.with_name("Dockerfile").read_text()
    (first,) = re.findall(r"^COPY (.*) \./$", text, re.MULTILINE)
    assert all((ROOT / name).is_file() for name in first.split())
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    ignored = {line for line in lines if not line.startswith("#")}
    assert {".venv", "instance", "out"} <= ignored  # environments and evidence are no part of an image
    assert not {"models", "docs", "templates", "static", ".git"} & ignored
    assert text.index("COPY . .") < text.index("chmod a+rX") < text.index("USER reelproof")
    commands = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert "--create-home" not in commands and "--directory" in commands  # restore wants an empty volume


@pytest.fixture
def composition():
    """All of it built; its volumes are removed afterwards."""
    if absent := missing():
        pytest.skip(f"without {', '.join(absent)}; images are made by python -m tests.composed")
    made = Composition(VALUES, "reelproof-test", {"8000": free_port()})
    made.remove()
    made.build()
    yield made
    made.remove()


@pytest.mark.slow
def test_started_used_and_started_again(composition: Composition, sample: Path, tmp_path: Path):
    address = f"http://127.0.0.1:{composition.published('8000')}"
    program = [".venv/bin/python", "-m", "webapp"]
    add = [*program, "add-user", "ada", "--role", "administrator", "--password-file", "/dev/stdin"]
    assert "can sign in" in composition.run("pages", *add, given="otter velvet ladder 93\n")
    composition.up()
    scopes = [word for scope in ("read", "analyse", "export") for word in ("--scope", scope)]
    made = composition.inside("pages", *program, "add-token", "--user", "ada", "--name", "test", *scopes)
    client = Client(address, token=re.search(r"\S{30,}", made)[0])

    done = finished(client, client.create(sample)["id"], composition)
    assert done["verdict"] == "manipulated", composition.logs("workers")
    report = client.download(done["id"], "report.pdf", tmp_path / "report.pdf")
    bundle = client.download(done["id"], "bundle.zip", tmp_path / "bundle.zip")
    for file in (report, bundle):
        verify = [sys.executable, "-m", "reports", "verify", str(file)]
        checked = subprocess.run(verify, cwd=ROOT, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    software = client.analysis(done["id"])["software"]
    print(json.dumps({name: software[name] for name in ("commit", "backend", "system")}))
    if (ROOT / ".git").is_dir():
        assert software["commit"] == commit(ROOT)
    assert "is whole" in composition.inside("pages", *program, "verify-log")

    composition.stop()
    composition.up()  # of the volumes alone
    assert client.get(done["id"])["state"] == "done"
    again = client.download(done["id"], "report.pdf", tmp_path / "again.pdf")
    assert again.read_bytes() == report.read_bytes()
    second = client.again(done["id"], parameters={"enter_threshold": 0.9})
    finished(client, second["id"], composition)


def finished(client: Client, id_: str, composition: Composition) -> dict:
    """The analysis once it has ended."""
    wait_for(lambda: client.get(id_)["state"] in ("done", "failed"))
    analysis = client.get(id_)
    assert analysis["state"] == "done", (analysis, composition.logs("workers"))
    return analysis


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            if condition():
                return
        except ClientError:  # not up yet
            pass
        assert time.monotonic() < until, "took too long"
        time.sleep(1)
