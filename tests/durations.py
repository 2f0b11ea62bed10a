"""How long tests take, in seconds of processor time with that of their child processes.

``make durations`` measures all of them anew, and writes two lists. ``durations.txt`` has each file: those
that take longest begin first, so that no process of a run is left with one at its end. ``long.txt`` has the
tests that ``make check`` leaves out: all but the quickest that together fit into its time, as functions, or
as files where nothing of a file is left. A test in neither list, such as a new one, counts as quick.
"""

from __future__ import annotations

import itertools
import os
import resource
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PLACE, LONG = Path(__file__).with_name("durations.txt"), Path(__file__).with_name("long.txt")
_TICKS = os.sysconf("SC_CLK_TCK")  # of a second, in which /proc counts
CHECK = 40.0  # seconds that what `make check` runs takes together
# Fixtures made once a run, by whichever test asks first: no test of `make check` does.
COSTLY = {"sample", "analysed_sample", "scanned_alone", "flagged_and_told", "workbench"}


def read() -> dict[str, float]:
    """Seconds by path from the root of the repository."""
    pairs = (line.split(maxsplit=1) for line in PLACE.read_text("utf-8").splitlines())
    return {path: float(seconds) for seconds, path in pairs}


def long() -> set[str]:
    """Files, and functions as pytest names them without parameters, that take long."""
    return set(LONG.read_text("utf-8").splitlines())


def write(measured: Mapping[str, float], times: Mapping[str, int]) -> None:
    """Write both lists from the seconds of each function, and how many times it ran with other parameters."""
    files: Counter[str] = Counter()
    for name, seconds in measured.items():
        files[_file(name)] += seconds  # type: ignore[assignment]
    ordered = sorted(files.items(), key=lambda pair: (-round(pair[1], 1), pair[0]))
    lines = (f"{seconds:.1f} {path}\n" for path, seconds in ordered if seconds >= 0.1)
    PLACE.write_text("".join(lines), "utf-8")

    ascending = sorted(measured, key=lambda name: (measured[name] / times[name], name))
    together = itertools.accumulate(measured[name] for name in ascending)
    slow = {name for name, sofar in zip(ascending, together, strict=True) if sofar > CHECK}
    partly = {_file(name) for name in measured.keys() - slow}
    listed = {name if _file(name) in partly else _file(name) for name in slow}
    LONG.write_text("".join(f"{name}\n" for name in sorted(listed)), "utf-8")


@contextmanager
def measured(name: str, into: Counter[str]) -> Iterator[None]:
    """Add what the ``with`` block takes."""
    before = _used()
    yield
    # Below 0 where a process has ended that was counted before, and another than this one waited for it.
    into[name] += max(0.0, _used() - before)  # type: ignore[assignment]


def _file(name: str) -> str:
    return name.partition("::")[0]


def _used() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both) + _still_running()


def _still_running() -> float:
    """Of processes begun that have not ended, such as a browser that all tests use."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text("utf-8", "replace")
        except OSError:  # it has ended
            continue
        fields = text.rpartition(")")[2].split()
        number = int(stat.parent.name)
        children.setdefault(int(fields[1]), []).append(number)
        used[number] = sum(map(int, fields[11:15])) / _TICKS
    waiting, total = list(children.get(os.getpid(), ())), 0.0
    while waiting:
        number = waiting.pop()
        total += used[number]
        waiting += children.get(number, ())
    return total
