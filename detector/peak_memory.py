"""The most memory that this process has held."""

from __future__ import annotations

import re
import resource
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory() -> int:
    """Resident bytes at most so far.

    Linux counts them for the program that runs. ``getrusage``, the way elsewhere, begins on Linux with what
    the process had that started this one, so that a small program seems to need what its large parent did.
    """
    if _STATUS.exists():
        found = re.search(r"^VmHWM:\s*(\d+) kB$", _STATUS.read_text("ascii", "replace"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
