"""What tests of several processes share: made once a run, by whichever needs it first."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

of_this_run: list[pytest.TempPathFactory] = []
"""The factory, for what is made outside of fixtures (:func:`made_anywhere`)."""


def made_anywhere(name: str, make: Callable[[Path], None]) -> Path:
    """As :func:`made_once`, for functions that tests call."""
    return made_once(of_this_run[0], name, make)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder ``make`` filled, for tests of all processes of this run; nobody changes what is in it."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    made = shared / f"once-{name}"
    with (shared / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            # What breaks off half-way is made anew by the next.
            half = factory.mktemp("half")
            make(half)
            half.rename(made)
    return made
