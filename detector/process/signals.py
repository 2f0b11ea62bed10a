"""Signals, and processes that end together with their parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

# Raised by what a process does itself.
CRASH_SIGNALS = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS}
)
# Sent by a service that stops, a closed terminal, Ctrl-C, a machine without memory (SIGKILL). None says
# anything about the file that was at work.
EXTERNAL_SIGNALS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


_PR_SET_PDEATHSIG = 1

PARENT_VARIABLE = "REELPROOF_PARENT"
"""In the environment, the id of the process that what is started with it must not outlive."""


def environment_of_child() -> dict[str, str]:
    """The environment of this process, for a program that calls :func:`end_with_starter`."""
    return os.environ | {PARENT_VARIABLE: str(os.getpid())}


def end_with_named_parent() -> None:
    """End with the process that :data:`PARENT` names; where it names none, go on by itself.

    What this process starts later does not inherit the name.
    """
    if parent := os.environ.pop(PARENT_VARIABLE, None):
        end_with_parent_process(int(parent))


def end_with_parent_process(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends; at once if it has ended.

    Only Linux knows this; elsewhere what a killed process started ends by itself, or with the terminal.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(1)


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


def exit_status(stopped: KeyboardInterrupt) -> int:
    """128 and the number of the signal, as shells have it: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT)


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """While it lasts SIGTERM raises :class:`Terminated`, unless it is ignored or has a handler already."""
    main_thread = threading.current_thread() is threading.main_thread()
    if not main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    process = os.getpid()

    def stop(number: int, _frame: FrameType | None) -> None:
        if os.getpid() == process:
            raise Terminated
        signal.signal(number, signal.SIG_DFL)  # a fork has nothing to clean up: its parent does that
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
