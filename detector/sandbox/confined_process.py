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

_PREFIX = ".reelproof-"  # then the maker: its namespace, its number, and when it started
_FORGOTTEN = 24 * 3600  # seconds without a change after which a maker elsewhere is taken to be gone


def folder_of_this_process(scratch: Path | None) -> Path:
    """A new folder for temporary files below ``scratch``; those that killed processes left are removed."""
    remove_abandoned(scratch)
    number = os.getpid()
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{_namespace()}-{number}-{_started(number)}-", dir=scratch))


def remove_abandoned(scratch: Path | None) -> None:
    """Remove the folders for temporary files below ``scratch`` whose makers are gone.

    Those of other machines, containers and starts of the system go when nothing has changed for a day.
    """
    here = _namespace()
    for folder in Path(scratch or tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        namespace, *maker = folder.name.removeprefix(_PREFIX).split("-")
        if _is_gone(maker) if here and namespace == here else _is_forgotten(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _namespace() -> str:
    """The PID namespace of this process, on this machine since it was started; empty where it has no name.

    It begins with a letter: earlier versions, which may still run beside this one, take what begins with a
    figure for the number of a process.
    """
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text()
        return "n" + hashlib.sha256(f"{booted}{os.readlink('/proc/self/ns/pid')}".encode()).hexdigest()[:12]
    except OSError:
        return ""


def _started(number: int | str) -> str:
    """When a process started, in ticks since the system did; empty when it is gone.

    Another process may have got its number since.
    """
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _is_gone(maker: list[str]) -> bool:
    number, started, *_ = maker
    return _started(number) != started


def _is_forgotten(folder: Path) -> bool:
    try:
        return time.time() - max(each.stat().st_mtime for each in (folder, *folder.iterdir())) > _FORGOTTEN
    except OSError:  # it is being removed
        return False


# What a new Python runs: where modules are has to be known before the job can be read.
_AFRESH = """
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
    """An error in a confined process that nobody foresaw; the message is its traceback."""


class Sandbox:
    """``target(*arguments, report)`` in a confined process that starts now and ends with the ``with`` block.

    ``report(stage, fraction)`` is handed to it beside ``arguments``; what it returns must be
    something JSON can hold, since nothing that comes out of the process is trusted to be more.
    ``modules`` are imported there before it is confined, and ``files`` are numbers of open files that
    stay open there. ``nice`` is by how much it lets others go first. In a process with several threads,
    target and arguments have to be such that pickle can hold them.
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
            self._process = _forked(job, writer) if native_threads() == 1 else _afresh(job, writer)
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
        """The most memory of its own that it was seen to use, in bytes."""
        return self._watch.peak

    def check_limits(self) -> None:
        """Raise :class:`~detector.sandbox.monitor.LimitError` if it uses too much.

        For who waits for something else than its :meth:`result`, which does the same.
        """
        self._watch.check_limits()

    def restart(self, writable: tuple[Path, ...]) -> None:
        """Its time begins now, and what it may write has these names: for one that was started early.

        Returns once it has said a first word and so is confined, or has ended.
        """
        select.select([self._pipe], [], [])
        self._watch = Monitor(self._process, self._limits, (*writable, self._scratch))

    def result(self, report: Progress | None = None) -> Any:
        """Wait for what the target returns.

        ``report`` is called with its progress, and many times a second with the same again while
        there is none; what it raises ends the process. Raises what the target raised where that
        is one of :mod:`detector.errors`, :class:`~detector.sandbox.monitor.LimitError` beyond
        a limit, ``CrashError`` and ``KilledError`` when the process broke, ``OSError`` for a full
        disk, and :class:`UnexpectedError` for all else.
        """
        at = ("starting", 0.0)
        for line in read_lines(self._pipe, self._watch):
            said = json.loads(line) if line else {}
            if "result" in said:
                return said["result"]
            if "error" in said:
                raise self._raised(said)
            if "stage" in said:
                at = (str(said["stage"]), float(said["fraction"]))
                with contextlib.suppress(OSError):
                    os.utime(self._scratch)  # its maker is well, for workers elsewhere (scratch.py)
            if report is not None:
                report(*at)
        raise self._watch.ending(self._wait()) or UnexpectedError("it ended without a result")

    def close(self) -> None:
        """End the process, if it still runs, and remove what it left behind."""
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

    def _raised(self, said: dict[str, Any]) -> Exception:
        kind, words = str(said.get("error")), str(said.get("words"))
        if kind == "memory":
            return too_much_memory(self._limits)
        if kind == "size":
            return too_much_written(self._limits)
        if kind == "disk":
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if kind in _RAISED:
            return _RAISED[kind](words)
        return UnexpectedError(words)


def refuse_links(folder: Path) -> None:
    """Raise ``CrashError`` if a confined process wrote anything but files and folders below ``folder``.

    Landlock keeps it from making links; where there is none, a link would be followed by whoever reads
    the result.
    """
    for path in folder.rglob("*"):
        if not stat.S_ISREG(mode := path.lstat().st_mode) and not stat.S_ISDIR(mode):
            raise CrashError()


@dataclass(frozen=True)
class _Job:
    """What a confined process is to do, and how."""

    target: Callable[..., Any]
    arguments: tuple[Any, ...]
    modules: tuple[str, ...]
    files: tuple[int, ...]
    nice: int
    limits: Limits
    places: AllowedPaths
    scratch: Path
    parent: int
    own_network: bool  # whether the kernel lets it have a network namespace of its own


def _forked(job: _Job, writer: int) -> int:
    """The id of a process that does the job: this one once more."""
    sys.stdout.flush()
    sys.stderr.flush()
    if not (process := os.fork()):
        gc.freeze()  # nothing of the parent's is ever cleaned up here, where its files are closed
        run_confined(job, writer)
    return process


def _afresh(job: _Job, writer: int) -> int:
    """The id of a process that does the job: a new Python that looks for modules where this one does."""
    with tempfile.TemporaryFile() as told:
        pickle.dump(sys.path, told)
        pickle.dump(job, told)
        told.seek(0)
        actions = [(os.POSIX_SPAWN_DUP2, told.fileno(), 0)]
        actions += [(os.POSIX_SPAWN_DUP2, file, file) for file in (writer, *job.files)]
        command = [sys.executable, "-c", _AFRESH, str(writer)]
        return os.posix_spawn(sys.executable, command, os.environ | NO_OPENBLAS_POOL, file_actions=actions)


def run_confined(job: _Job, writer: int) -> NoReturn:
    """The whole life of a confined process."""
    status = 1
    try:
        _forget_parent({writer, *job.files})
        # Landlock holds the thread that asks for it and those it starts: none may be there before.
        os.environ |= NO_OPENBLAS_POOL
        if job.nice:
            os.nice(job.nice)
        with gc_paused():
            for name in job.modules:
                importlib.import_module(name)
        confine(job.limits, job.places, job.scratch, network=job.own_network)
        end_with_parent_process(job.parent)
        _say(writer, {"result": job.target(*job.arguments, _reporter(writer))})
        status = 0
    except BaseException as problem:
        with contextlib.suppress(BaseException):
            _say(writer, _described(problem))
            status = 0
    finally:
        os._exit(status)


def _forget_parent(kept: set[int]) -> None:
    """Signals as they are by default, no terminal to read from, and no open files but those ``kept``."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            # A Ctrl-C goes to all processes of a terminal; this one ends when its parent says so.
            # Beyond the size of a file, writing fails with an error that can be told.
            ignored = number in (signal.SIGINT, signal.SIGXFSZ, signal.SIGPIPE)
            signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.set_wakeup_fd(-1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _reporter(writer: int) -> Progress:
    lock = threading.Lock()

    def report(stage: str, fraction: float) -> None:
        with lock:
            _say(writer, {"stage": stage, "fraction": fraction})

    return report


def _say(writer: int, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(writer, data) :]


def _described(problem: BaseException) -> dict[str, str]:
    """An exception as the parent is told of it: by the name of its kind, and in words."""
    if isinstance(problem, ReelproofError):
        for kind in type(problem).__mro__:
            if _RAISED.get(kind.__name__) is kind:
                return {"error": kind.__name__, "words": str(problem)}
    if is_out_of_memory(problem):
        return {"error": "memory", "words": ""}
    if isinstance(problem, OSError) and problem.errno == errno.EFBIG:
        return {"error": "size", "words": ""}
    if is_disk_full(problem):
        return {"error": "disk", "words": ""}
    return {"error": "unexpected", "words": "".join(traceback.format_exception(problem))[-8000:]}
