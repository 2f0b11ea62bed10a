"""Threads that native libraries start, on which depends whether a process may be forked.

A fork takes one thread along and the locks of all, and pools of threads that OpenMP, OpenCV or OpenBLAS
believe to be there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

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
def no_openblas_pool() -> Iterator[None]:
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
