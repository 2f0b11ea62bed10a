"""What Linux says of memory, and what its C library is asked to keep of it."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path

_ARENA_MAX = -8  # M_ARENA_MAX of mallopt(3)
_ARENAS = 2


def share_arenas() -> None:
    """Have all threads that begin from now on share two heaps; does nothing without glibc.

    It would give each its own, up to eight a core, and what one has given back the others cannot use:
    frames, crops and tensors pass through four threads (docs/performance.md).
    """
    _ask_glibc("mallopt", _ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Let the system have the pages that the C library holds free; does nothing without glibc.

    What many small things have left between them fits nothing large.
    """
    _ask_glibc("malloc_trim", 0)


def _ask_glibc(function: str, *arguments: int) -> None:
    try:
        called = getattr(ctypes.CDLL(None), function)
    except (AttributeError, OSError, TypeError):
        return
    called(*arguments)


def memory_of(place: str) -> dict[str, int]:
    """Bytes by name, of a file such as ``/proc/self/status``; empty where there is none."""
    try:
        lines = Path(place).read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if line.endswith(" kB"))
    return {name: int(rest.split()[0]) * 1024 for name, rest in pairs}


def peak_memory() -> int:
    """Resident bytes that this process has held at most.

    Linux counts them for the program that runs. ``getrusage``, the way elsewhere, begins on Linux with what
    the process had that started this one, so that a small program seems to need what its large parent did.
    """
    counted = memory_of("/proc/self/status").get("VmHWM")
    return counted or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
