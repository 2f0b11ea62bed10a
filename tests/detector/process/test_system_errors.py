"""Messages about errors of the operating system."""

from __future__ import annotations

import errno
import os

import pytest

from detector.process.console import describe_os_error


@pytest.mark.parametrize(
    ("number", "name", "line"),
    [
        (
            errno.EROFS,
            "/media/cd/a.json",
            "/media/cd/a.json: Read-only file system. Name a place that can be",
        ),
        (errno.EACCES, "a.json", "a.json: Permission denied. Give yourself access to it, or"),
        (errno.ENOSPC, None, "output: No space left on device. Free some space, or"),
        (errno.EPIPE, None, "output: Broken pipe. The program that read it has ended"),
        (errno.ENOENT, "gone.json", "gone.json: No such file or directory. Look for a mistake"),
        (errno.EIO, "a.json", "a.json: Input/output error."),
    ],
)
def test_error_names_the_file_and_gives_advice(number: int, name: str | None, line: str) -> None:
    error = OSError(number, os.strerror(number), name) if name else OSError(number, os.strerror(number))
    assert describe_os_error(error).startswith(line)


def test_bare_message_is_kept() -> None:
    assert describe_os_error(OSError("The disk is gone.")) == "reading or writing: The disk is gone."
