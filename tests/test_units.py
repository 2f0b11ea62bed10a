"""The units for systemd in docs/deployment: systemd reads them, and what they start exists."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import main
from detector.files import ROOT
from webapp.settings import SETTINGS

FOLDER = ROOT / "docs" / "deployment"
UNITS = sorted(path.name for path in FOLDER.iterdir())
SERVICES = [name for name in UNITS if name.endswith(".service")]


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None, strict=True)
    read.optionxform = str  # type: ignore[assignment, method-assign]
    read.read(FOLDER / name)
    return read


@pytest.mark.parametrize("name", SERVICES)
def test_commands_and_settings_exist(name, capsys):
    service = unit(name)["Service"]
    commands = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    program, *words = re.search(r"/opt/reelproof/bin/(\S+) (\S+)", service["ExecStart"]).groups()
    assert program in commands
    with pytest.raises(SystemExit) as ended:
        main([words[0], "--help"])
    assert ended.value.code == 0
    setting, _, folder = service["Environment"].partition("=")
    assert setting in {option.name for option in SETTINGS} and folder == service["WorkingDirectory"]
    assert service["EnvironmentFile"] == "-/etc/reelproof.env" and service["NoNewPrivileges"] == "yes"
    if "ReadWritePaths" in service:  # all else is read-only there
        assert folder in service["ReadWritePaths"].split()
    else:
        assert folder == f"/var/lib/{service['StateDirectory']}"


def test_the_first_account_is_made_as_the_service_runs():
    service = unit("reelproof.service")["Service"]
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8").replace("\\\n", "")
    (words,) = (line.split() for line in text.splitlines() if line.startswith("    systemd-run "))
    assert f"--uid={service['User']}" in words and f"--gid={service['Group']}" in words
    given = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "-p")
    assert given == {name: service[name] for name in given} and "EnvironmentFile" in given
    assert service["ExecStart"].split()[0] in words


@pytest.fixture
def backup_as_by_systemd(tmp_path: Path) -> Callable[[str], None]:
    """Runs a line of the backup's unit on a folder ``kept``, with a program that notes its words."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "program").write_text(
        '#!/bin/sh\necho "$@" >> ../words; mkdir "$2"; touch "$2/backup.json"\n'
    )
    (tmp_path / "program").chmod(0o755)

    def run(line: str) -> None:
        text = unit("reelproof-backup.service")["Service"][line].replace("$$", "$").replace("%%", "%")
        text = text.replace("/srv/backups/reelproof", str(tmp_path / "kept"))
        text = text.replace("/opt/reelproof/bin/reelproof", str(tmp_path / "program"))
        subprocess.run(shlex.split(text), check=True)

    return run


def whole_backup(place: Path, age: int) -> None:
    place.mkdir()
    (place / "backup.json").touch()
    os.utime(place / "backup.json", (1e9 - age, 1e9 - age))


def test_a_nightly_backup_links_to_the_newest_whole_one(backup_as_by_systemd, tmp_path):
    backup_as_by_systemd("ExecStart")
    (made,) = (tmp_path / "kept").iterdir()
    assert (tmp_path / "words").read_text() == f"backup {made.name}\n"
    made.rename(made.with_name("2026-11-22"))
    whole_backup(tmp_path / "kept" / "2026-11-23-030000", 5)  # put there later, and older
    (tmp_path / "kept" / "2026-11-24-030000").mkdir()  # interrupted
    backup_as_by_systemd("ExecStart")
    last = (tmp_path / "words").read_text().splitlines()[-1]
    assert re.fullmatch(r"backup \d{4}-\d\d-\d\d-\d{6} --earlier 2026-11-22", last)


def test_old_backups_are_removed_and_nothing_else(backup_as_by_systemd, tmp_path):
    for age in range(33):
        whole_backup(tmp_path / "kept" / f"b{age:02}", age)
    (tmp_path / "kept" / "interrupted").mkdir()
    backup_as_by_systemd("ExecStartPost")
    left = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert left == [*(f"b{age:02}" for age in range(30)), "interrupted"]


def test_nginx_reads_the_proxy_of_the_guide(tmp_path: Path):
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None or shutil.which("openssl") is None:
        pytest.skip("without nginx or openssl")
    guide = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```nginx$(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    key, certificate, made = tmp_path / "key", tmp_path / "certificate", tmp_path / "nginx.conf"
    asked = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=reelproof.example"]
    subprocess.run([*asked, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    block = block.replace("/etc/ssl/certs/reelproof.pem", str(certificate))
    block = block.replace("/etc/ssl/private/reelproof.key", str(key))
    block = block.replace("listen 443", "listen 127.0.0.1:44300")
    made.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{block}}}\n")
    done = subprocess.run(
        [nginx, "-t", "-q", "-c", made, "-e", tmp_path / "log"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_systemd_reads_them(tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("without systemd-analyze (Debian: systemd)")
    for name in UNITS:
        # The package need not be installed here.
        text = re.sub(r"/opt/reelproof/bin/\S+", "/bin/true", (FOLDER / name).read_text())
        (tmp_path / name).write_text(text)
    asked = ["systemd-analyze", "verify", *(f"./{name}" for name in UNITS)]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
