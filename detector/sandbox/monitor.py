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
from detector.schema.causes.cause import Cause
from detector.schema.causes.failures import FailureCode, remedy_of
from detector.schema.formatting import N_, sentences

_CHECK_INTERVAL = 0.05  # seconds
_WRITTEN_INTERVAL = 1.0  # seconds between two checks of how much was written
_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 26  # bytes; a longer message is an attack on this process's memory
# Share of the memory limit; a process that crashes this close to it most likely reached it.
_NEAR_LIMIT = 0.9
_TORCH_MEMORY_ERRORS = ("can't allocate memory", "not enough memory", "bad_alloc", "out of memory")


class LimitError(ReelproofError):
    """A confined process exceeded a limit; ``remedy`` says what to do about it."""

    def __init__(self, cause: Cause, *, is_time_limit: bool = False) -> None:
        self.cause, self.remedy, self.is_time_limit = cause, remedy_of(cause), is_time_limit
        super().__init__(sentences(cause.text, self.remedy))


class CrashError(ReelproofError):
    """The process that read the file crashed. A note on the exception names the signal."""

    def __init__(self, signal_number: int = 0) -> None:
        if signal_number:
            self.add_note(f"It ended by signal {signal_number}, {signal.strsignal(signal_number)}.")
        super().__init__(
            N_(
                "The file crashed the decoder. It is damaged or was built to do this. Play it in a "
                "video program, save it again from there if that works, and use that; keep the "
                "original."
            )
        )


class KilledError(ReelproofError):
    """The process was ended from outside, most often because the machine ran out of memory."""

    def __init__(self) -> None:
        super().__init__(
            N_(
                "The process that read the file was killed, most often because the machine ran out of "
                "memory. Close other programs and try again."
            )
        )


def too_much_memory(limits: Limits) -> LimitError:
    """Return the error for the memory limit."""
    return LimitError(FailureCode.MEMORY_LIMIT.cause(megabytes=limits.memory // MEGABYTE))


def too_much_processor(limits: Limits) -> LimitError:
    """Return the error for the limit of processor time."""
    if limits.cpu == 1:
        return LimitError(FailureCode.PROCESSOR_SECOND.cause())
    return LimitError(FailureCode.PROCESSOR_LIMIT.cause(processor_seconds=limits.cpu))


def too_long(limits: Limits) -> LimitError:
    """Return the error for the limit of elapsed time."""
    if limits.wall == 1:
        return LimitError(FailureCode.WALL_SECOND.cause(), is_time_limit=True)
    return LimitError(FailureCode.WALL_LIMIT.cause(wall_seconds=limits.wall), is_time_limit=True)


def too_much_written(limits: Limits) -> LimitError:
    """Return the error for the limit of written bytes."""
    return LimitError(FailureCode.WRITTEN_LIMIT.cause(megabytes=limits.written // MEGABYTE))


class Monitor:
    """Checks the resource use of a confined process against its ``limits``, from now on.

    The kernel enforces most limits. This checks what it does not count: private memory, the total size of the
    files and folders ``writable``, and elapsed time.
    """

    def __init__(self, process: int, limits: Limits, writable: tuple[Path, ...]) -> None:
        self.limits = limits
        self.peak = self._data = 0  # bytes
        self._process, self._writable = process, writable
        self._deadline = time.monotonic() + limits.wall
        self._written_checked = time.monotonic()

    def check_limits(self) -> None:
        """Raise :class:`LimitError` if the process exceeds a limit now."""
        now = time.monotonic()
        if now > self._deadline:
            raise too_long(self.limits)
        used = self._memory()
        self.peak = max(self.peak, used)
        if used > self.limits.memory:
            raise too_much_memory(self.limits)
        if now - self._written_checked >= _WRITTEN_INTERVAL:
            self._written_checked = now
            if sum(map(_size, self._writable)) > self.limits.written:
                raise too_much_written(self.limits)

    def ending(self, status: int) -> ReelproofError | None:
        """Return the error for the wait status of a process that ended without a message, if any."""
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number == signal.SIGXCPU:
                return too_much_processor(self.limits)
            if number == signal.SIGXFSZ:
                return too_much_written(self.limits)
            if number in signals.EXTERNAL_SIGNALS:
                return KilledError()
            if self._data < _NEAR_LIMIT * self.limits.memory:
                return CrashError(number)
        if status and self._data >= _NEAR_LIMIT * self.limits.memory:
            return too_much_memory(self.limits)
        return CrashError() if status else None

    def _memory(self) -> int:
        """Return the private memory in bytes; also record what RLIMIT_DATA counts."""
        sizes = memory_of(f"/proc/{self._process}/status")  # empty once the process has ended
        self._data = sizes.get("VmData") or self._data
        return sizes.get("RssAnon", 0) + sizes.get("RssShmem", 0)


def read_lines(pipe: int, watch: Monitor) -> Iterator[bytes]:
    """Yield the lines that a process writes to ``pipe``, and b"" several times a second in between.

    Ends with the pipe. Raises :class:`LimitError` as soon as the process exceeds a limit.
    """
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    rest = b""
    checked = float("-inf")
    while True:
        ready = poll.poll(_CHECK_INTERVAL * 1000)
        if time.monotonic() - checked >= _CHECK_INTERVAL:
            watch.check_limits()
            checked = time.monotonic()
            yield b""
        if not ready:
            continue
        data = os.read(pipe, _CHUNK)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from filter(None, lines)
        if len(rest) > _LONGEST_LINE:
            raise CrashError()


def _size(place: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
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
    """Return whether an exception of any library means that memory could not be allocated."""
    if isinstance(problem, MemoryError) or getattr(problem, "code", None) == -4:  # OpenCV's StsNoMem
        return True
    if isinstance(problem, OSError) and problem.errno == errno.ENOMEM:
        return True
    if isinstance(problem, ImportError) and "failed to map segment" in str(problem):  # dynamic loader
        return True
    # Torch raises RuntimeError for everything.
    return isinstance(problem, RuntimeError) and any(words in str(problem) for words in _TORCH_MEMORY_ERRORS)
