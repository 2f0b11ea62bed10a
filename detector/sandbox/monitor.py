"""Watch a confined process from outside: its messages, its resource use and how it ended."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from detector.errors import ReelproofError
from detector.process import signals
from detector.process.resources import memory_of
from detector.sandbox.kernel import MEGABYTE, Limits
from detector.schema.formatting import N_

_LOOK_EVERY = 0.05  # seconds
_WEIGH_EVERY = 1.0  # seconds between two looks at how much was written
_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 26  # bytes of one message: more is no message but an attempt on this process's memory
# Of the memory limit: a process that crashes this close to it most likely met it.
_CLOSE = 0.9
_OF_TORCH = ("can't allocate memory", "not enough memory", "bad_alloc", "out of memory")


class LimitError(ReelproofError):
    """A confined process used more of something than it may; ``remedy`` says what to do about it."""

    def __init__(self, error: str, remedy: str, *, of_time: bool = False) -> None:
        super().__init__(f"{error} {remedy}")
        self.error, self.remedy, self.of_time = error, remedy, of_time


class CrashError(ReelproofError):
    """What read the file crashed. Its traceback, as in a log, names the signal."""

    def __init__(self, signal_number: int = 0) -> None:
        if signal_number:
            self.add_note(f"It ended by signal {signal_number}, {signal.strsignal(signal_number)}.")
        super().__init__(
            N_(
                "The file made the decoder crash. It is damaged or was built to do this. Play it in a video "
                "program, save it anew from there if that works, and use that; keep the original as it is."
            )
        )


class KilledError(ReelproofError):
    """The process was ended by somebody else, most often a machine out of memory."""

    def __init__(self) -> None:
        super().__init__(
            N_(
                "The process that read the file was ended from outside, most often because the machine ran "
                "out of memory. Close other programs and try again."
            )
        )


def too_much_memory(limits: Limits) -> LimitError:
    """What to say when the memory limit was met."""
    return LimitError(
        N_("The analysis needed more memory than the %(memory)s MB allowed.")
        % {"memory": f"{limits.memory // MEGABYTE:,}"},
        N_("Hand in a shorter or smaller version, or raise REELPROOF_MEMORY_LIMIT_MB."),
    )


def too_much_processor(limits: Limits) -> LimitError:
    """The same of processor time."""
    return LimitError(
        N_("The analysis needed more processor time than the one second allowed.")
        if limits.cpu == 1
        else N_("The analysis needed more processor time than the %(cpu)s seconds allowed.")
        % {"cpu": f"{limits.cpu:,}"},
        N_("Cut out the part in question and hand that in, or raise REELPROOF_CPU_LIMIT."),
    )


def too_long(limits: Limits) -> LimitError:
    """The same of time on the clock."""
    return LimitError(
        N_("The analysis took longer than the one second allowed.")
        if limits.wall == 1
        else N_("The analysis took longer than the %(wall)s seconds allowed.")
        % {"wall": f"{limits.wall:,g}"},
        N_("Cut out the part in question and hand that in, or raise REELPROOF_TIME_LIMIT."),
        of_time=True,
    )


def too_much_written(limits: Limits) -> LimitError:
    """The same of what it wrote."""
    return LimitError(
        N_("The analysis wrote more than the %(written)s MB allowed.")
        % {"written": f"{limits.written // MEGABYTE:,}"},
        N_("Hand in a shorter or smaller version, or raise REELPROOF_TEMP_LIMIT_MB."),
    )


class Monitor:
    """What a confined process uses from now on, held against its ``limits``.

    The kernel holds the process to most limits by itself. Watched here is what it does not count: memory
    shared with nobody, the sizes of the files and folders ``writable`` together, and the clock.
    """

    def __init__(self, process: int, limits: Limits, writable: tuple[Path, ...]) -> None:
        self.limits = limits
        self.peak = self._data = 0  # bytes
        self._process, self._writable = process, writable
        self._until = time.monotonic() + limits.wall
        self._weighed = time.monotonic()

    def check_limits(self) -> None:
        """Raise :class:`LimitError` if it uses more than its limits now."""
        now = time.monotonic()
        if now > self._until:
            raise too_long(self.limits)
        used = self._memory()
        self.peak = max(self.peak, used)
        if used > self.limits.memory:
            raise too_much_memory(self.limits)
        if now - self._weighed >= _WEIGH_EVERY:
            self._weighed = now
            if sum(map(_weight, self._writable)) > self.limits.written:
                raise too_much_written(self.limits)

    def ending(self, status: int) -> ReelproofError | None:
        """What the wait status of a process means that ended without a word; None for nothing special."""
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number == signal.SIGXCPU:
                return too_much_processor(self.limits)
            if number == signal.SIGXFSZ:
                return too_much_written(self.limits)
            if number in signals.EXTERNAL_SIGNALS:
                return KilledError()
            if self._data < _CLOSE * self.limits.memory:
                return CrashError(number)
        if status and self._data >= _CLOSE * self.limits.memory:
            return too_much_memory(self.limits)
        return CrashError() if status else None

    def _memory(self) -> int:
        """Bytes in memory that are its own; also notes what RLIMIT_DATA counts."""
        sizes = memory_of(f"/proc/{self._process}/status")  # empty when it has ended
        self._data = sizes.get("VmData") or self._data
        return sizes.get("RssAnon", 0) + sizes.get("RssShmem", 0)


def read_lines(pipe: int, watch: Monitor) -> Iterator[bytes]:
    """What comes out of a process's ``pipe``, line by line, and b"" a few times a second in between.

    Ends when the pipe does. Raises :class:`LimitError` as soon as the process uses too much.
    """
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    rest = b""
    looked = float("-inf")
    while True:
        ready = poll.poll(_LOOK_EVERY * 1000)
        if time.monotonic() - looked >= _LOOK_EVERY:
            watch.check_limits()
            looked = time.monotonic()
            yield b""
        if not ready:
            continue
        got = os.read(pipe, _CHUNK)
        if not got:
            return
        *whole, rest = (rest + got).split(b"\n")
        yield from filter(None, whole)
        if len(rest) > _LONGEST_LINE:
            raise CrashError()


def _weight(place: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    total = 0
    try:
        if not place.is_dir():
            return place.stat().st_size
    except OSError:
        return 0
    for folder, _, names in os.walk(place):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether an exception of any of the libraries means that memory could not be had."""
    if isinstance(problem, MemoryError) or getattr(problem, "code", None) == -4:  # OpenCV's StsNoMem
        return True
    if isinstance(problem, OSError) and problem.errno == errno.ENOMEM:
        return True
    if isinstance(problem, ImportError) and "failed to map segment" in str(problem):  # said by the loader
        return True
    # Torch raises RuntimeError for everything.
    return isinstance(problem, RuntimeError) and any(words in str(problem) for words in _OF_TORCH)
