"""The distributions: dependencies, files, and an environment with the wheel alone that serves the sample."""

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
import tarfile
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
    """Import hatch_build.py, which is not in a package."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_dependencies_and_extras():
    base, extras = hook().dependencies((ROOT / "requirements.txt").read_text())
    names = {
        extra: {re.split(r"[>\[]", line)[0].lower() for line in lines}
        for extra, lines in {"": base, **extras}.items()
    }
    assert {"torch", "weasyprint", "scikit-learn"} <= names[""]
    assert {"flask", "pyotp", "authlib"} <= names["web"]
    assert names["marks"] == {"resemble-perth"}
    assert names["s3"] == {"s3fs"} and names["postgres"] == {"psycopg", "redis"}
    assert {"pytest", "ruff", "mypy", "hatchling"} <= names["dev"] and "onnxscript" in names["training"]
    assert sum(map(len, names.values())) == len(set().union(*names.values()))


@pytest.mark.parametrize(
    ("pin", "expected"),
    [
        ("flask==3.1.3", "flask>=3.1.3,<4"),
        ("timm==0.29.1", "timm>=0.29.1,<0.30"),
        ("psycopg[binary]==3.3.9", "psycopg[binary]>=3.3.9,<4"),
        ("weasyprint==70.0", "weasyprint>=70.0,<71"),
    ],
)
def test_pins_become_ranges(pin, expected):
    assert hook().version_range(pin) == expected


def test_the_files_of_the_wheel_exist():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert all((ROOT / name).exists() for name in wheel["force-include"])
    assert FILES == ROOT  # of the sources
    for package in (*wheel["only-include"], "webapp/client"):
        assert (ROOT / package / "py.typed").is_file()  # type checkers read our annotations (PEP 561)
    for command in PROJECT["project"]["scripts"].values():
        module, _, function = command.partition(":")
        source = ROOT / "packaging" / module / "__init__.py"
        assert re.search(rf"^def {function}\(", source.read_text(), re.MULTILINE), command


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Return the programs of an environment with the libraries and the wheel, but without the sources."""
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(place)], cwd=ROOT, check=True)
    (sdist,) = place.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"training/__init__.py", "tests/conftest.py", "requirements.txt", "models/reelproof.json"} <= names
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
    assert files.stdout.strip().endswith("site-packages/reelproof/reelproof_files")
    packages = Path(files.stdout.strip()).parent
    for typed in ("cli", "detector", "language", "reports", "verification", "webapp", "webapp/client"):
        assert (packages / typed / "py.typed").is_file()
    for name in ("reelproof", "reelproof-reports", "reelproof-web"):
        done = subprocess.run(
            [str(installed / name), "--help"], cwd=tmp_path, env=environment, capture_output=True
        )
        assert done.returncode == 0 and b"usage" in done.stdout
    with (tmp_path / "stderr").open("w") as log:
        app = subprocess.Popen(
            [str(installed / "reelproof"), "serve"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        match = re.search(r"http://[^ ]+", app.stdout.readline())
        assert match, (tmp_path / "stderr").read_text()
        sample = finished(match[0])
        assert sample["verdict"] == "manipulated", (sample, (tmp_path / "stderr").read_text()[-2000:])
        report = body(f"{match[0]}/analyses/{sample['id']}/report.html")
        assert b"Reelproof sample" in report and b"<style" in report
        assert body(f"{match[0]}/analyses/{sample['id']}/bundle.zip")[:2] == b"PK"
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
