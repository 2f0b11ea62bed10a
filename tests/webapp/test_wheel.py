"""The wheel: what it depends on, and that an environment with nothing else serves the sample."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import tomllib
import urllib.request
import venv
from pathlib import Path

import pytest

from detector.files import FILES, ROOT

_PATIENCE = 1200.0
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def hook():
    """hatch_build.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_depends_on_what_running_needs():
    needed = hook().requirements((ROOT / "requirements.txt").read_text())
    names = {re.split(r"[=\[]", line)[0].lower() for line in needed}
    assert {"torch", "flask", "weasyprint", "pyotp", "authlib"} <= names
    assert not names & {"pytest", "ruff", "mypy", "playwright", "moto", "hatchling"}
    assert all("==" in line for line in needed)


def test_its_files_are_there():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert all((ROOT / name).exists() for name in wheel["force-include"])
    assert FILES == ROOT  # of the sources
    for package in (*wheel["packages"], "webapp/client"):
        assert (ROOT / package / "py.typed").is_file()  # type checkers read our annotations (PEP 561)
    for command in PROJECT["project"]["scripts"].values():
        module, _, function = command.partition(":")
        source = ROOT.joinpath(*module.split(".")).with_suffix(".py")
        assert re.search(rf"^def {function}\(", source.read_text(), re.MULTILINE), command


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The programs of an environment that has the libraries and the wheel, and no way to the sources."""
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(place), str(ROOT)]
    subprocess.run([*pip, *build], check=True)
    venv.create(place / "venv", with_pip=False)
    here = Path(sysconfig.get_path("purelib")).resolve()
    there = place / "venv" / here.relative_to(Path(sys.prefix).resolve())

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:  # another disk
            shutil.copy2(source, target)

    # Confined processes read what lies in the environment itself, so nothing may be led elsewhere.
    shutil.copytree(here, there, copy_function=link, dirs_exist_ok=True, symlinks=True)
    (wheel,) = place.glob("*.whl")
    install = ["install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, "--python", str(place / "venv/bin/python"), *install], check=True)
    return place / "venv" / "bin"


@pytest.mark.slow
@pytest.mark.fresh
def test_an_environment_with_the_wheel_alone_serves_the_sample(installed, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PORT": "0", "REELPROOF_DATA": str(tmp_path / "data")}
    where = [str(installed / "python"), "-c", "import detector.files as p; print(p.FILES)"]
    files = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert files.stdout.strip().endswith("site-packages/reelproof_files")
    packages = Path(files.stdout.strip()).parent
    for typed in ("detector", "reports", "webapp", "webapp/client"):
        assert (packages / typed / "py.typed").is_file()
    for name in ("reelproof", "reelproof-reports"):
        done = subprocess.run(
            [str(installed / name), "--help"], cwd=tmp_path, env=environment, capture_output=True
        )
        assert done.returncode == 0 and b"usage" in done.stdout
    with (tmp_path / "stderr").open("w") as said:
        app = subprocess.Popen(
            [str(installed / "reelproof-web")],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,
        )
    try:
        found = re.search(r"http://[^ ]+", app.stdout.readline())
        assert found, (tmp_path / "stderr").read_text()
        sample = finished(found[0])
        assert sample["verdict"] == "manipulated", (sample, (tmp_path / "stderr").read_text()[-2000:])
        report = body(f"{found[0]}/analyses/{sample['id']}/report.html")
        assert b"Reelproof sample" in report and b"<style" in report
        assert body(f"{found[0]}/analyses/{sample['id']}/bundle.zip")[:2] == b"PK"
    finally:
        os.killpg(app.pid, signal.SIGKILL)
        app.wait()
        app.stdout.close()


def body(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_PATIENCE) as answer:
        return answer.read()


def finished(address: str) -> dict:
    """The sample once it is analysed, as the API has it."""
    until = time.monotonic() + _PATIENCE
    while True:
        listed = json.loads(body(f"{address}/api/v1/analyses"))["items"]
        if listed and listed[0]["state"] in ("done", "failed"):
            return listed[0]
        assert time.monotonic() < until, listed
        time.sleep(1)
