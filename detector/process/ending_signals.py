"""Which signals tell that a process crashed, and which that somebody else ended it.

There are others: of limits that it met, of timers. A confined process that one of those ends is taken to have
crashed (:mod:`detector.sandbox.monitor`); a worker's job is tried again unless the worker surely crashed.
"""

from __future__ import annotations

import signal

# Raised by what a process does itself.
CRASH = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS}
)
# Sent by a service that stops, a closed terminal, Ctrl-C, a machine without memory (SIGKILL). None says
# anything about the file that was at work.
FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
