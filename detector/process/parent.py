"""Processes that end when the one that started them does, even where that is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

PARENT = "REELPROOF_PARENT"
"""In the environment, the id of the process that what is started with it must not outlive."""


def environment_of_child() -> dict[str, str]:
    """The environment of this process, for a program that calls :func:`end_with_starter`."""
    return os.environ | {PARENT: str(os.getpid())}


def end_with_starter() -> None:
    """End with the process that :data:`PARENT` names; where it names none, go on by itself.

    What this process starts later does not inherit the name.
    """
    if parent := os.environ.pop(PARENT, None):
        end_with(int(parent))


def end_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends; at once if it has ended.

    Only Linux knows this; elsewhere what a killed process started ends by itself, or with the terminal.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(1)
