"""What the web process starts ends with it, also where it is killed and can stop nothing any more."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import until
from warm import Script

from detector.files import ROOT

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")

_CHECK = """
from pathlib import Path
from webapp.installed_models.check import check_model
check_model(Path({folder!r}, "waits.json"))
"""
_SIGN = """
from pathlib import Path
from webapp.custody.signing import _sign
from webapp.settings import read_settings
folder = Path({folder!r})
_sign(read_settings(), folder / "report.pdf", folder / "made")
"""
_SAMPLE = """
from pathlib import Path
from webapp.exhibits.uploads.sample import _create_clip
_create_clip(Path({folder!r}, "made"))
"""


@pytest.mark.parametrize("code", [_CHECK, _SIGN, _SAMPLE], ids=["check", "sign", "sample"])
def test_child_processes_end_with_the_web_process(tmp_path: Path, code: str) -> None:
    os.mkfifo(tmp_path / "waits.json")  # whoever reads it, which the check does once it is confined, waits
    (tmp_path / "report.pdf").write_bytes(b"%PDF-")
    web = subprocess.Popen(
        [sys.executable, "-c", Script(code.format(folder=str(tmp_path)))],
        cwd=ROOT,
        env=os.environ | {"REELPROOF_SIGNING_KEY": str(tmp_path / "waits.json")},
    )
    try:
        (started,) = _wait_for_children(web)
        writer = _writer_of(tmp_path / "waits.json") if code != _SAMPLE else None
    finally:
        web.send_signal(signal.SIGKILL)
        web.wait()
    _wait_until_gone(started)
    if writer is not None:
        os.close(writer)
    assert not (tmp_path / "made").exists()


def _wait_for_children(process: subprocess.Popen[bytes]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    numbers = until(lambda: children.read_text().split(), "it starts no process", process=process)
    return [int(number) for number in numbers]


def _writer_of(fifo: Path) -> int:
    """The pipe, open, as soon as somebody reads from it; nothing is ever written."""

    def opened() -> int | None:
        with contextlib.suppress(OSError):  # nobody reads yet
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        return None

    writer = until(opened, "nobody reads the key")
    assert writer is not None
    return writer


def _wait_until_gone(process: int) -> None:
    try:
        until(lambda: not _runs(process), "it outlived the process that started it")
    except AssertionError:
        os.kill(process, signal.SIGKILL)
        raise


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
