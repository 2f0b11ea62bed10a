"""Standard input, output and error of a command, whatever the shell made of them."""

from __future__ import annotations

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
