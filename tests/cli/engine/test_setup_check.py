"""What the setup check finds missing, and that it runs where next to nothing is installed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from cli.engine import setup_check
from cli.engine.main import main
from cli.engine.setup_check import Finding, check_setup, table
from detector.files import ROOT
from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER, SECOND_LOOK_FOLDER
from reports import fonts


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.txt"
    pydantic = importlib.metadata.version("pydantic")
    path.write_text(
        f"# words\npydantic=={pydantic}\nno-such-package==1.2  # why\nnumpy==0.1\n\n"
        f"# [dev] Tests and checks\npytest==0.1\n"
    )
    return path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    for suffix in (".json", ".safetensors"):
        shutil.copy(MODELS_FOLDER / f"{DEFAULT_MODEL}{suffix}", folder)
    return folder


def states(findings: list[Finding]) -> dict[str, str]:
    return {finding.name: finding.state for finding in findings}


def test_this_machine_is_complete() -> None:
    """The tests could not run otherwise; a busy disk or a fresh pin is said here in words."""
    findings = check_setup()
    missing = [f for f in findings if f.state == "missing" and not f.name.startswith(("disk", "package "))]
    assert not missing
    assert {f"decoder {name}" for name in setup_check.DECODERS} < states(findings).keys()
    assert f"model {DEFAULT_MODEL}" in states(findings) and "GPU" in states(findings)


def test_requirements_have_a_section_for_developers() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    at = lines.index(setup_check.DEVELOPERS_PART)
    assert any(line.startswith("pytest==") for line in lines[at:])
    assert any(line.startswith("torch==") for line in lines[:at])


def test_packages(requirements: Path) -> None:
    findings = {f.name: f for f in setup_check._packages(requirements)}
    assert findings["package no-such-package"].state == "missing"
    assert findings["package no-such-package"].words == "1.2 is not installed"
    assert (
        findings["package numpy"].state == "missing" and "0.1 was tested" in findings["package numpy"].words
    )
    assert findings["package pytest"].state == "optional"
    assert findings["packages"].words == "1 of 4 are installed as pinned"
    assert {f.state for f in setup_check._packages(requirements.with_name("gone.txt"))} == {"missing"}


def test_local_version_label_is_ignored(requirements: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.2+cpu")
    assert "package no-such-package" not in {f.name for f in setup_check._packages(requirements)}


@pytest.mark.parametrize("package", ["torch", "torchvision"])
def test_torch_missing_or_mismatched(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    finding = setup_check._torch_pair()
    assert finding.state == "missing" and package in finding.words and "same index" in finding.remedy
    assert setup_check._gpu().state in {"optional", "ok"}


def test_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_check, "DECODERS", {"VP9": ("no-such", "vp9"), "AV2": ("av2",)})
    assert states(list(setup_check._decoders())) == {"decoder VP9": "ok", "decoder AV2": "missing"}
    monkeypatch.setitem(sys.modules, "av.codec", None)
    assert states(list(setup_check._decoders())) == {"decoders": "missing"}


def test_report_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    assert setup_check._report_libraries().state == "missing"


def test_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "INSTALLED", ("DejaVu Sans", "No Such Family"))
    (finding,) = setup_check._fonts()
    assert finding.state == "missing" and "No Such Family" in finding.words
    monkeypatch.setenv("PATH", "")
    (finding,) = setup_check._fonts()
    assert finding.state == "missing" and "fc-list" in finding.words
    assert setup_check._chromium().state == "optional"


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "not" / "yet" / "there"
    assert setup_check._disk("disk, data", folder, 1).state == "ok"
    usage = namedtuple("usage", "total used free")(10**9, 10**9, 5 * 10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    finding = setup_check._disk("disk, data", folder, 2 * 10**9)
    assert finding.state == "missing"
    assert "0.5 GB free" in finding.words and "REELPROOF_DATA" in finding.remedy


def test_models(models: Path) -> None:
    assert states(list(setup_check._models(models))) == {f"model {DEFAULT_MODEL}": "ok"}
    (models / "stray.safetensors").write_bytes(b"weights")
    weights = models / f"{DEFAULT_MODEL}.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    findings = {f.name: f for f in setup_check._models(models)}
    assert "SHA-256 differs" in findings[f"model {DEFAULT_MODEL}"].words
    assert "stray.json not found" in findings["model stray"].words
    assert {f.state for f in findings.values()} == {"missing"}
    assert hashlib.sha256(data).hexdigest() not in (models / f"{DEFAULT_MODEL}.json").read_text()


def test_second_look_weights_are_checked(models: Path) -> None:
    shutil.copytree(MODELS_FOLDER / SECOND_LOOK_FOLDER, models / SECOND_LOOK_FOLDER)
    (whole,) = setup_check._models(models)
    assert whole.state == "ok"
    for path in sorted((models / SECOND_LOOK_FOLDER).glob("*.safetensors")):
        data = path.read_bytes()
        path.write_bytes(data[:-1])
        (damaged,) = setup_check._models(models)
        assert damaged.state == "missing" and "SHA-256 differs" in damaged.words
        path.unlink()
        (lacking,) = setup_check._models(models)
        assert lacking.state == "missing" and "is missing beside its card" in lacking.words
        path.write_bytes(data)


def test_missing_default_model(tmp_path: Path) -> None:
    assert states(list(setup_check._models(tmp_path))) == {f"model {DEFAULT_MODEL}": "missing"}


def test_command_reports_missing_parts_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fine, wanting = Finding("a", "ok", "is there", ""), Finding("GPU", "optional", "none", "")
    monkeypatch.setattr(setup_check, "check_setup", lambda: [fine, wanting])
    assert main(["setup-check"]) == 0
    assert "Nothing required is missing." in capsys.readouterr().out
    gone = Finding("long name", "missing", "is not there", "Run: make setup")
    monkeypatch.setattr(setup_check, "check_setup", lambda: [fine, gone])
    assert main(["setup-check"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a          ok        is there"
    assert lines[1] == "long name  MISSING   is not there"
    assert lines[2].strip() == "→ Run: make setup"
    assert lines[-1] == "Missing: long name." == table([gone]).splitlines()[-1]


def test_runs_without_heavy_packages() -> None:
    """A fresh process in which none of them can be imported."""
    heavy = ("torch", "torchvision", "av", "cv2", "numpy", "timm", "weasyprint", "matplotlib", "safetensors")
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({heavy!r}))\n"
        "from cli.engine.main import main\nsys.exit(main(['setup-check']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stderr
    output = " ".join(done.stdout.split())  # columns are as wide as the longest name
    assert "torch and torchvision MISSING" in output
    assert f"model {DEFAULT_MODEL} ok" in output
    assert "decoders MISSING" in output and "PDF reports MISSING" in output
