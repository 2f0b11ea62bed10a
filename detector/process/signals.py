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

# Caused by the process itself.
CRASH_SIGNALS = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS}
)
# Sent by a stopping service, a closed terminal, Ctrl-C or a machine without memory (SIGKILL). They say
# nothing about the processed file.
EXTERNAL_SIGNALS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


_PR_SET_PDEATHSIG = 1

PARENT_VARIABLE = "REELPROOF_PARENT"
"""Environment variable with the id of the process that a child process must not outlive."""


def environment_of_child() -> dict[str, str]:
    """Return the environment for a program that calls :func:`end_with_named_parent`."""
    return os.environ | {PARENT_VARIABLE: str(os.getpid())}


def end_with_named_parent() -> None:
    """End with the process that :data:`PARENT_VARIABLE` names, if any. Children do not inherit it."""
    if parent := os.environ.pop(PARENT_VARIABLE, None):
        end_with_parent_process(int(parent))


def end_with_parent_process(parent: int) -> None:
    """Make the kernel kill this process when the thread that started it ends, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before the line above
        os._exit(1)


class Terminated(KeyboardInterrupt):
    """Raised by SIGTERM."""


def exit_status(interrupt: KeyboardInterrupt) -> int:
    """Return 128 plus the number of the signal, as shells do: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT)


_PATIENCE = 15  # seconds


@contextlib.contextmanager
def sigterm_ends() -> Iterator[None]:
    """Let SIGTERM end the process within native code too, while nothing has to be cleaned up.

    Python calls handlers between its own instructions only, and loading a model on a busy machine may take
    a minute without one.
    """
    usual = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Make SIGTERM raise :class:`Terminated`, so that ``with`` blocks remove their working folders.

    It is left alone if it is ignored or has a handler already. After some seconds the process ends in any
    case: Python ignores exceptions in finalizers, and a machine may be too busy for what is left.
    """
    main_thread = threading.current_thread() is threading.main_thread()
    if not main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    process = os.getpid()

    def stop(number: int, _frame: FrameType | None) -> None:
        if os.getpid() == process:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(_PATIENCE)
            raise Terminated
        signal.signal(number, signal.SIG_DFL)  # a fork has nothing to clean up; its parent does that
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
