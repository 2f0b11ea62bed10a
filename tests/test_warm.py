"""What :mod:`warm` forks is what ``exec`` would have started."""

from __future__ import annotations

import os
import subprocess
import sys


def test_whoever_started_a_session_may_end_its_group() -> None:
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-m", "detector", "--version"], start_new_session=True
        ) as started:
            assert os.getpgid(started.pid) == started.pid
