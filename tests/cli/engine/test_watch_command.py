"""The command ``watch``: what it prints, how it ends, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from waiting import until
from warm import Script

from cli.engine.main import main
from detector.batch.watch_folder import LOG
from detector.files import ROOT

# As `python -m detector watch`, but for its patience: tests/detector/batch/test_watch_folder.py has that.
IMPATIENT = Script("""
import sys
from detector.batch import watch_folder
from cli.engine.main import main
watch_folder.LOOK_EVERY, watch_folder.STILL_FOR = 0.05, 0.1
sys.exit(main(["watch", *sys.argv[1:]]))
""")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_ends_cleanly(tmp_path, sample, number):
    """Stopped while it analyses: nothing half-made stays, and the next start does it all."""
    shutil.copy(sample, tmp_path / "a.mp4")
    command = [sys.executable, "-c", IMPATIENT, str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    results = tmp_path / "reelproof-results"
    until(lambda: list(results.glob(".watch-*")), "it does not begin", process=process)
    time.sleep(0.5)
    process.send_signal(number)
    out, error = process.communicate(timeout=200)
    assert process.returncode == 0 and out == "" and "stopped" in error and "Traceback" not in error
    assert {path.name: path.stat().st_size for path in results.iterdir()} == {LOG: 0}


def test_help_says_that_subfolders_are_ignored(capsys):
    with pytest.raises(SystemExit):
        main(["watch", "--help"])
    assert "subfolders are ignored" in " ".join(capsys.readouterr().out.split())


def test_missing_model_is_reported_before_the_first_file(tmp_path, capsys):
    (tmp_path / "a.mp4").write_bytes(b"one")
    assert main(["watch", str(tmp_path), "--once", "--model", "reelprof"]) == 2
    output = capsys.readouterr()
    assert "reelprof" in output.err and output.out == ""


def test_command_with_once(tmp_path):
    name = os.fsdecode(b"text\xff.mp4")  # no UTF-8, as names of other systems may be
    (tmp_path / name).write_text("no video")
    ended = subprocess.run(
        [sys.executable, "-c", IMPATIENT, str(tmp_path), "--once", "--out", str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 1, ended.stderr
    line = json.loads(ended.stdout)
    assert line["file"] == name and "cannot be read" in line["error"]
    assert json.loads((tmp_path / "out" / LOG).read_text()) == line
