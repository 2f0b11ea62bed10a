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
_inside = 0
_was = False


@contextmanager
def gc_paused() -> Iterator[None]:
    """Garbage in circles is left until after the block; threads may be inside at the same time.

    For work that makes much and throws little away, such as reading an analysis of hundreds of
    thousands of scores: looking through what is kept takes most of its time. Of importing the engine, or
    the web app, it takes a seventh.
    """
    global _inside, _was
    with _lock:
        if not _inside:
            _was = gc.isenabled()
            gc.disable()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _was:
                gc.enable()


_ARENA_MAX = -8  # M_ARENA_MAX of mallopt(3)
_ARENAS = 2


def share_arenas() -> None:
    """Have all threads that begin from now on share two heaps; does nothing without glibc.

    It would give each its own, up to eight a core, and what one has given back the others cannot use:
    frames, crops and tensors pass through four threads (docs/performance.md).
    """
    _ask_glibc("mallopt", _ARENA_MAX, _ARENAS)


def release_memory() -> None:
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


NO_OPENBLAS_POOL = {"OPENBLAS_NUM_THREADS": "1"}
"""The environment in which OpenBLAS starts no threads when NumPy is imported, as it would otherwise."""


def native_threads() -> int:
    """Threads of this process, of whatever made; only with a single one may it be forked."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def stay_forkable() -> None:
    """Have OpenBLAS start no threads, unless the environment says how many: before NumPy is imported."""
    for name, value in NO_OPENBLAS_POOL.items():
        os.environ.setdefault(name, value)


@contextmanager
def without_openblas_pool() -> Iterator[None]:
    """What is imported in the ``with`` block starts no pool of OpenBLAS; then all is as before."""
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
    """Where ``names`` are not imported yet, empty modules take their places for a while."""
    put = [name for name in names if name not in sys.modules]
    sys.modules.update((name, _StandIn(name)) for name in put)
    try:
        yield
    finally:
        for name in put:
            del sys.modules[name]
