"""Run one task in a confined process with a scratch folder of its own."""

from __future__ import annotations

import contextlib
import errno
import gc
import hashlib
import importlib
import json
import os
import pickle
import select
import shutil
import signal
import stat
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from detector import errors
from detector.errors import ReelproofError
from detector.files import is_disk_full
from detector.process.resources import NO_OPENBLAS_POOL, gc_paused, native_threads
from detector.process.signals import end_with_parent_process
from detector.progress import Progress
from detector.sandbox.kernel import AllowedPaths, Limits, capabilities, confine
from detector.sandbox.monitor import (
    CrashError,
    Monitor,
    is_out_of_memory,
    read_lines,
    too_much_memory,
    too_much_written,
)
from detector.schema.causes.cause import Cause, render
from detector.schema.causes.failures import cause_of

_PREFIX = ".reelproof-"  # followed by namespace, id and start time of the process that made the folder
_ABANDONED_SECONDS = 24 * 3600  # seconds without a change after which a process elsewhere is taken to be gone


def folder_of_this_process(scratch: Path | None) -> Path:
    """Create a folder for temporary files below ``scratch``; remove those that killed processes left."""
    remove_abandoned(scratch)
    number = os.getpid()
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{_namespace()}-{number}-{_started(number)}-", dir=scratch))


def remove_abandoned(scratch: Path | None) -> None:
    """Remove folders for temporary files below ``scratch`` whose processes are gone.

    Folders of other machines, containers and system starts are removed after a day without changes.
    """
    own_namespace = _namespace()
    for folder in Path(scratch or tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        namespace, number, started, *_ = *folder.name.removeprefix(_PREFIX).split("-"), "", ""
        if own_namespace and namespace == own_namespace:
            is_abandoned = _started(number) != started
        else:
            is_abandoned = _is_forgotten(folder)
        if is_abandoned:
            shutil.rmtree(folder, ignore_errors=True)


def _namespace() -> str:
    """Return a name for the PID namespace of this process on this machine since its start, if possible."""
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text()
        # It begins with a letter: earlier versions, which may run at the same time, take a digit for a
        # process id.
        return "n" + hashlib.sha256(f"{booted}{os.readlink('/proc/self/ns/pid')}".encode()).hexdigest()[:12]
    except OSError:
        return ""


def _started(number: int | str) -> str:
    """Return the start time of a process in ticks, which identifies it; empty once it is gone."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _is_forgotten(folder: Path) -> bool:
    try:
        return (
            time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            > _ABANDONED_SECONDS
        )
    except OSError:  # it is being removed
        return False


# Program of a new Python process: it needs the module path before it can read the job.
_NEW_PROCESS = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from detector.sandbox.confined_process import run_confined
run_confined(pickle.load(sys.stdin.buffer), int(sys.argv[1]))
"""
_RAISED = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, ReelproofError)
}


class UnexpectedError(Exception):
    """An unforeseen error in a confined process; the message is its traceback."""


class Sandbox:
    """Runs ``target(*arguments, report)`` in a confined process, which ends with the ``with`` block.

    ``report(stage, fraction)`` is passed after ``arguments``. The result must be JSON, because nothing else
    from the process is trusted. ``modules`` are imported before it is confined, ``files`` are descriptors
    that stay open in it, and ``nice`` lowers its priority. If this process has several threads, target and
    arguments must be picklable.
    """

    def __init__(
        self,
        target: Callable[..., Any],
        *arguments: Any,
        limits: Limits,
        places: AllowedPaths,
        scratch: Path | None = None,
        modules: tuple[str, ...] = (),
        files: tuple[int, ...] = (),
        nice: int = 0,
    ) -> None:
        self._scratch = folder_of_this_process(scratch)
        self._limits = limits
        job = _Job(
            target,
            arguments,
            modules,
            files,
            nice,
            limits,
            places,
            scratch=self._scratch,
            parent=os.getpid(),
            own_network=capabilities().network,
        )
        self._pipe, writer = os.pipe()
        try:
            self._process = _fork(job, writer) if native_threads() == 1 else _spawn(job, writer)
        except BaseException:
            os.close(self._pipe)
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise
        finally:
            os.close(writer)
        self._status: int | None = None
        self._watch = Monitor(self._process, limits, (*places.writable, self._scratch))

    @property
    def peak(self) -> int:
        """Largest observed private memory of the process, in bytes."""
        return self._watch.peak

    def check_limits(self) -> None:
        """Raise :class:`~detector.sandbox.monitor.LimitError` if the process exceeds a limit.

        For callers that do not wait for :meth:`result`, which does the same.
        """
        self._watch.check_limits()

    def restart(self, writable: tuple[Path, ...]) -> None:
        """Restart the clock, with new names of writable folders, for a process that was started early.

        Returns once the process has sent its first message and so is confined, or has ended.
        """
        select.select([self._pipe], [], [])
        self._watch = Monitor(self._process, self._limits, (*writable, self._scratch))

    def result(self, report: Progress | None = None) -> Any:
        """Wait for the result of the target.

        ``report`` is called with its progress, and repeatedly many times a second; an exception in it ends
        the process. Raises what the target raised if that is one of :mod:`detector.errors`,
        :class:`~detector.sandbox.monitor.LimitError` beyond a limit, ``CrashError`` and ``KilledError`` if
        the process broke, ``OSError`` for a full disk, and :class:`UnexpectedError` otherwise.
        """
        progress = ("starting", 0.0)
        for line in read_lines(self._pipe, self._watch):
            message = json.loads(line) if line else {}
            if "result" in message:
                return message["result"]
            if "error" in message:
                raise self._error(message)
            if "stage" in message:
                progress = (str(message["stage"]), float(message["fraction"]))
                with contextlib.suppress(OSError):
                    os.utime(self._scratch)  # shows workers elsewhere that the folder is in use
            if report is not None:
                report(*progress)
        raise self._watch.ending(self._wait()) or UnexpectedError("it ended without a result")

    def close(self) -> None:
        """End the process if it still runs, and remove its files."""
        with contextlib.suppress(ProcessLookupError):
            if self._status is None:
                os.kill(self._process, signal.SIGKILL)
        self._wait()
        with contextlib.suppress(OSError):
            os.close(self._pipe)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self) -> int:
        if self._status is None:
            self._status = os.waitpid(self._process, 0)[1]
        return self._status

    def _error(self, message: dict[str, Any]) -> Exception:
        kind, words = str(message.get("error")), str(message.get("words"))
        if kind == "memory":
            return too_much_memory(self._limits)
        if kind == "size":
            return too_much_written(self._limits)
        if kind == "disk":
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if kind in _RAISED:
            with contextlib.suppress(KeyError, RecursionError, TypeError, ValueError):  # of another version
                words = render(Cause.model_validate(message.get("message")))
            return _RAISED[kind](words)
        return UnexpectedError(words)


def refuse_links(folder: Path) -> None:
    """Raise ``CrashError`` if a confined process wrote anything but files and folders below ``folder``.

    Without Landlock it could create links, which a reader of the result would follow.
    """
    for path in folder.rglob("*"):
        if not stat.S_ISREG(mode := path.lstat().st_mode) and not stat.S_ISDIR(mode):
            raise CrashError()


@dataclass(frozen=True)
class _Job:
    """The task of a confined process, and its restrictions."""

    target: Callable[..., Any]
    arguments: tuple[Any, ...]
    modules: tuple[str, ...]
    files: tuple[int, ...]
    nice: int
    limits: Limits
    places: AllowedPaths
    scratch: Path
    parent: int
    own_network: bool  # whether the kernel offers it a network namespace


def _fork(job: _Job, writer: int) -> int:
    """Fork a process that does the job; return its id."""
    sys.stdout.flush()
    sys.stderr.flush()
    if not (process := os.fork()):
        gc.freeze()  # never finalise objects of the parent here, where its files are closed
        run_confined(job, writer)
    return process


def _spawn(job: _Job, writer: int) -> int:
    """Start a new Python process, with the same module path, that does the job; return its id."""
    with tempfile.TemporaryFile() as pickled:
        pickle.dump(sys.path, pickled)
        pickle.dump(job, pickled)
        pickled.seek(0)
        actions = [(os.POSIX_SPAWN_DUP2, pickled.fileno(), 0)]
        actions += [(os.POSIX_SPAWN_DUP2, file, file) for file in (writer, *job.files)]
        command = [sys.executable, "-c", _NEW_PROCESS, str(writer)]
        return os.posix_spawn(sys.executable, command, os.environ | NO_OPENBLAS_POOL, file_actions=actions)


def run_confined(job: _Job, writer: int) -> NoReturn:
    """Prepare, confine and run a job in this process, and exit."""
    status = 1
    try:
        _forget_parent({writer, *job.files})
        # Landlock restricts only the calling thread and its later children, so no thread may start before.
        os.environ |= NO_OPENBLAS_POOL
        if job.nice:
            os.nice(job.nice)
        with gc_paused():
            for name in job.modules:
                importlib.import_module(name)
        confine(job.limits, job.places, job.scratch, network=job.own_network)
        end_with_parent_process(job.parent)
        lock = threading.Lock()

        def report(stage: str, fraction: float) -> None:
            with lock:
                _send(writer, {"stage": stage, "fraction": fraction})

        _send(writer, {"result": job.target(*job.arguments, report)})
        status = 0
    except BaseException as problem:
        with contextlib.suppress(BaseException):
            _send(writer, _describe(problem))
            status = 0
    finally:
        os._exit(status)


def _forget_parent(kept: set[int]) -> None:
    """Reset signal handlers, detach from the terminal, and close all files but those in ``kept``."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            # Ctrl-C goes to all processes of a terminal, but this one ends when its parent wants it to. With
            # SIGXFSZ ignored, exceeding the file size limit is an error that can be reported.
            ignored = number in (signal.SIGINT, signal.SIGXFSZ, signal.SIGPIPE)
            signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.set_wakeup_fd(-1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _send(writer: int, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(writer, data) :]


def _describe(problem: BaseException) -> dict[str, Any]:
    """Describe an exception for the parent process by the name of its class and its message."""
    if isinstance(problem, ReelproofError):
        for kind in type(problem).__mro__:
            if _RAISED.get(kind.__name__) is kind:
                words = str(problem)
                return {"error": kind.__name__, "words": words, "message": cause_of(words).model_dump()}
    if is_out_of_memory(problem):
        return {"error": "memory", "words": ""}
    if isinstance(problem, OSError) and problem.errno == errno.EFBIG:
        return {"error": "size", "words": ""}
    if is_disk_full(problem):
        return {"error": "disk", "words": ""}
    return {"error": "unexpected", "words": "".join(traceback.format_exception(problem))[-8000:]}
