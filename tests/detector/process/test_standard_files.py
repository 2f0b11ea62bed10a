"""Standard files that a shell closed."""

from __future__ import annotations

import os
import subprocess
import sys

from detector.files import ROOT

CODE = """
import os, sys
from detector.process.console import prepare_standard_files
prepare_standard_files()
print("nobody reads this")
reader, writer = os.pipe()
print(reader, writer, sys.stdout.name, file=sys.stderr)
"""


def test_next_opened_file_is_not_standard_output() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: (os.close(0), os.close(1)),
    )
    reader, writer, name = done.stderr.split()
    assert done.returncode == 0 and min(int(reader), int(writer)) > 2 and name == os.devnull


def test_command_with_closed_output(tmp_path) -> None:
    """It confines what reads the file, in a process whose standard files are the same ones."""
    done = subprocess.run(
        [sys.executable, "-m", "reports", "verify", __file__],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.close(1),
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "no review bundle" in line
