"""Standard streams of a command, and advice on errors of the operating system."""

from __future__ import annotations

import errno
import io
import os
import sys


def prepare_standard_files() -> None:
    """Open the null device for closed standard streams (``>&-``); print unencodable characters as escapes."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # Takes the lowest free number. Otherwise the next opened file would, and be taken for the stream.
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - open as long as the process lives
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As standard error does: a file name that the terminal cannot show must not end a command.
        sys.stdout.reconfigure(errors="backslashreplace")


def print_json(text: str) -> None:
    """Write a JSON document to standard output in UTF-8, whatever the terminal's encoding is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())


_SPACE = "Free some space, or name a place on another disk."
_ACCESS = "Give yourself access to it, or name a place where you have it."
_ADVICE = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.EROFS: "Name a place that can be written to.",
    errno.ENOENT: "Look for a mistake in its name or folder.",
    errno.ENOTDIR: "What stands before the last / is a file: name a folder there.",
    errno.EISDIR: "Name a file in it.",
    errno.ENAMETOOLONG: "Name a shorter one.",
    errno.EPIPE: "The program that read it has ended: let that one read to the end, or write to a file.",
}
_OUTPUT = frozenset({errno.EPIPE, errno.ENOSPC})


def describe_os_error(error: OSError) -> str:
    """Describe an error of the operating system in one line, with advice."""
    number = error.errno or 0
    name = error.filename
    if not isinstance(name, str):
        name = "output" if number in _OUTPUT else "reading or writing"
    reason = (error.strerror or str(error)).rstrip(".")
    return f"{name}: {reason}. {_ADVICE.get(number, '')}".rstrip()
