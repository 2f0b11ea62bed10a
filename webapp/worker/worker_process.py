"""What a worker process owes the process that started it: to end with it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

# Set by `python -m webapp` to its own process id: a worker it started must not outlive it.
PARENT = "REELPROOF_PARENT"
_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however that comes about.

    Only Linux knows this; elsewhere a worker whose parent was killed ends with the terminal.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(1)
