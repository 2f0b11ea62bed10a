"""Commands whose output cannot be written: a reader that is gone, a disk that is full."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys

import pytest
from sqlalchemy import select

from cli.web import main as cli
from detector.files import ROOT
from webapp.storage.tables import ApiToken


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.fresh
def test_a_closed_pipe_is_reported_in_one_line():
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "webapp", "settings-doc"],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (2, "reelproof: [Errno 32] Broken pipe\n")


def test_a_full_disk_is_reported_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Full())
    assert cli.run(["settings-doc"]) == 2
    assert capsys.readouterr().err == "reelproof: [Errno 28] No space left on device\n"


def test_a_token_that_could_not_be_shown_does_not_work(app, monkeypatch):
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))
    with monkeypatch.context() as full:
        full.setattr(sys, "stdout", Full())
        assert cli.run(["add-token", "--name", "ci", "--scope", "read"]) == 2
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(ApiToken)).all() == []
