"""Standard streams of a command, and advice on errors of the operating system."""

from __future__ import annotations

import errno
import io
import os
import sys


def prepare_standard_files() -> None:
    """Have something open where one was closed (``>&-``), and print what an encoding lacks as an escape.

    The next file to be opened would get the number of the closed one, and be taken for it. That a name has
    letters which a terminal cannot show must not end a command whose work is done.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - as long as the process
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does by itself


def print_json(text: str) -> None:
    """A JSON document on standard output, byte for byte: it is UTF-8 whatever the terminal's encoding is."""
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
    """One line on ``error``; without a name it is about what the command prints, or reads or writes."""
    number = error.errno or 0
    name = error.filename
    if not isinstance(name, str):
        name = "output" if number in _OUTPUT else "reading or writing"
    what = (error.strerror or str(error)).rstrip(".")
    return f"{name}: {what}. {_ADVICE.get(number, '')}".rstrip()
