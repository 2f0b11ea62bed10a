"""What a command shows of its progress, and where."""

from __future__ import annotations

import io

import pytest

from cli.common import print_line, progress_bar, progress_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_shows_stage_and_monotone_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress_bar() as show:
        show("first pass", 0.5)
        show("second pass", 0.25)
    last = terminal.getvalue().rstrip().rsplit("\r", 1)[-1]
    assert last.startswith("second pass") and " 50 %" in last


def test_no_bar_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as show:
        show("first pass", 0.5)
    progress_line("crops measured")
    assert capsys.readouterr() == ("", "crops measured\n")


def test_names_cannot_add_or_hide_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("a\nb\x1b[8m\x9b8m\u202e\u2028\udcff ü.mp4")
    assert capsys.readouterr().out == r"a\nb\x1b[8m\x9b8m\u202e\u2028\udcff ü.mp4" + "\n"
