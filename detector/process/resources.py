"""Memory, garbage collection, threads and unneeded imports of a process."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import ModuleType

_lock = Lock()
_pauses = 0
_was_enabled = False


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause cyclic garbage collection; several threads may do so at the same time.

    For work that creates many objects and discards few, such as reading an analysis with hundreds of
    thousands of scores, most of whose time the collector would take. It takes a seventh of importing the
    engine or the web application.
    """
    global _pauses, _was_enabled
    with _lock:
        if not _pauses:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if not _pauses and _was_enabled:
                gc.enable()


_ARENA_MAX = -8  # M_ARENA_MAX of mallopt(3)
_ARENAS = 2


def share_arenas() -> None:
    """Make threads that start from now on share two heaps; does nothing without glibc.

    By default each gets its own, up to eight a core, and no other thread can use what one has freed. Frames,
    crops and tensors pass through four threads.
    """
    _ask_glibc("mallopt", _ARENA_MAX, _ARENAS)


def release_memory() -> None:
    """Return pages that the C library holds free to the system; does nothing without glibc.

    The gaps that many small objects leave are useless for large ones.
    """
    _ask_glibc("malloc_trim", 0)


def _ask_glibc(function: str, *arguments: int) -> None:
    try:
        glibc_function = getattr(ctypes.CDLL(None), function)
    except (AttributeError, OSError, TypeError):
        return
    glibc_function(*arguments)


def memory_of(place: str) -> dict[str, int]:
    """Return the sizes in a file such as ``/proc/self/status``, in bytes by name; empty without the file."""
    try:
        lines = Path(place).read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if line.endswith(" kB"))
    return {name: int(rest.split()[0]) * 1024 for name, rest in pairs}


def peak_memory() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    # On Linux ``getrusage`` starts with the size of the parent process, so a small program would seem large.
    peak = memory_of("/proc/self/status").get("VmHWM")
    return peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# With this environment OpenBLAS starts no threads when NumPy is imported.
NO_OPENBLAS_POOL = {"OPENBLAS_NUM_THREADS": "1"}


def native_threads() -> int:
    """Count the threads of this process, native ones included. Only with a single one may it be forked."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def stay_forkable() -> None:
    """Keep OpenBLAS from starting threads unless the environment sets their number; before NumPy's import."""
    for name, value in NO_OPENBLAS_POOL.items():
        os.environ.setdefault(name, value)


@contextmanager
def without_openblas_pool() -> Iterator[None]:
    """Keep imports in the ``with`` block from starting OpenBLAS threads."""
    before = {name: os.environ.get(name) for name in NO_OPENBLAS_POOL}
    os.environ |= NO_OPENBLAS_POOL
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


@contextmanager
def without_modules(*names: str) -> Iterator[None]:
    """Stand in empty modules for ``names``, to import packages without parts that are never used."""
    missing = [name for name in names if name not in sys.modules]
    sys.modules.update((name, _StandIn(name)) for name in missing)
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]
