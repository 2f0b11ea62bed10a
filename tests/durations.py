"""How long files of tests take, in seconds of processor time with that of their child processes.

``durations.txt`` has them, a line a file; ``make durations`` measures all anew and writes it. Files that take
long begin first, so that no process of a run is left with one at its end; and ``make check`` leaves them out.
"""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PLACE = Path(__file__).with_name("durations.txt")
LONG = 6.0  # seconds; what `make check` runs may take a minute and a half together


def read() -> dict[str, float]:
    """Seconds by path from the root of the repository."""
    pairs = (line.split(maxsplit=1) for line in PLACE.read_text("utf-8").splitlines())
    return {path: float(seconds) for seconds, path in pairs}


def write(measured: Mapping[str, float]) -> None:
    """Write those of a second and more, the longest first."""
    ordered = sorted(measured.items(), key=lambda pair: (-round(pair[1]), pair[0]))
    PLACE.write_text("".join(f"{seconds:.0f} {path}\n" for path, seconds in ordered if seconds >= 1), "utf-8")


@contextmanager
def measured(path: str, into: Counter[str]) -> Iterator[None]:
    """Add what the ``with`` block takes."""
    before = _used()
    yield
    into[path] += _used() - before  # type: ignore[assignment]


def _used() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)
