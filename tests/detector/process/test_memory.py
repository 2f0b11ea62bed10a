"""Memory of a process is measured, and freed memory returned to the system."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

MEGABYTE = 1 << 20
HELD = 300 * MEGABYTE
PROGRAM = f"""
from detector.process.resources import peak_memory
print(peak_memory())
held = b"x" * {HELD}
print(peak_memory())
del held
print(peak_memory())
"""


def test_peak_memory_counts_freed_memory_but_not_the_parents():
    held = b"x" * HELD
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    before, most, after = map(int, done.stdout.split())
    assert before < len(held)
    # The system counts in steps, which differ a little from one question to the next.
    assert most - before > HELD - 10 * MEGABYTE
    assert after > most - 10 * MEGABYTE


_HEAPS = """
import ctypes, sys, threading
from detector.process.resources import share_arenas
if sys.argv[1] == "shared":
    share_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
here = threading.Barrier(6)
def hold():
    libc.malloc(1000)
    here.wait()
threads = [threading.Thread(target=hold) for _ in range(6)]
for each in threads: each.start()
for each in threads: each.join()
libc.fopen.restype = ctypes.c_void_p
file = libc.fopen(sys.argv[2].encode(), b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_threads_share_heaps(tmp_path: Path) -> None:
    counts = {}
    for how in ("shared", "each"):
        report = tmp_path / how
        subprocess.run([sys.executable, "-c", _HEAPS, how, str(report)], check=True)
        counts[how] = report.read_text().count("<heap nr=")
    assert counts["shared"] <= 2 < counts["each"]


_SCATTERED = """
import ctypes
from detector.process.resources import memory_of, release_memory
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
pieces = []
for _ in range(3000):  # large ones with small ones between that are kept
    pieces.append(libc.malloc(100_000))
    ctypes.memset(pieces[-1], 1, 100_000)
    libc.malloc(100)
resident = lambda: memory_of("/proc/self/status")["VmRSS"]
for piece in pieces: libc.free(ctypes.c_void_p(piece))
before = resident()
release_memory()
print(before, resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_free_memory_between_small_objects_is_released() -> None:
    command = [sys.executable, "-c", _SCATTERED]
    before, after = map(int, subprocess.run(command, capture_output=True, check=True).stdout.split())
    assert before - after > 100 * MEGABYTE
