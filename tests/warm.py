"""Commands and confined processes without the seconds it takes to import the engine.

Where a test, or what it tests, starts ``python -m detector …`` or the like, :class:`Popen` has it forked
from a process that has imported the engine already (:mod:`warm_server`). It is a process of its own with
its own environment, folder, signals and standard files, and a child of the one that asked for it. A
confined process is made in the same way where it would otherwise have been started afresh.

Whatever is not alike (another interpreter, options such as ``-I``, another folder, other settings of
libraries) is started as ever. A test marked ``fresh`` has everything started as ever.

The processes of a parallel run are forked so as well, and each leaves a fork of its own behind
(:func:`fork_server`): the engine is imported once a run, not twice for each of them.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import warm_server

from detector.files import ROOT
from detector.process.resources import NO_OPENBLAS_POOL
from detector.sandbox import confined_process as sandbox_process

_PACKAGES = ("cli", "detector", "language", "reports", "verification", "webapp", "tests")
_TESTS = os.path.dirname(__file__) + os.sep
_PYTHON = sys.executable  # tests put others in its place
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
# Read by the interpreter and by libraries when they are loaded.
_EARLY = ("PYTHON", "LD_", "OMP_", "MKL_", "OPENBLAS_", "OPENCV_", "ATEN_", "TORCH", "MPL")
_LATE = ("PYTHONPATH",)  # heeded by what is forked
TEST_WORKER = "import sys;exec(eval(sys.stdin.readline()))"
"""What execnet starts a process of a parallel run with."""
_START = "import sys; sys.path[:0] = {paths!r}; import warm_server; warm_server.main({number})"

_spawn = sandbox_process._spawn
_OriginalPopen = subprocess.Popen


class Script(str):
    """Code for ``-c`` that may run in a forked process."""


class Server:
    """The process that forks, started when it is first needed."""

    def __init__(self) -> None:
        self.on = True
        self._asking: socket.socket | None = None
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self.early = _early(os.environ)

    def begin(self, fresh: bool) -> None:
        """A test begins: what it changes of such settings from now on is heeded.

        OpenCV, torch and others have set some of their own when they were loaded.
        """
        self.on, self.early = not fresh, _early(os.environ)

    def fork(self, request: dict[str, Any], files: Sequence[int]) -> int:
        """The id of a child of this process that does what is asked for, with these open files."""
        message = pickle.dumps(request)
        with self._lock:
            if self._asking is None:
                self._asking = self._started()
            _reap_orphans(True)
            try:
                socket.send_fds(self._asking, [struct.pack("I", len(message))], files)
                self._asking.sendall(message)
                answer = self._asking.recv(4)
            finally:
                _reap_orphans(False)
        assert answer, "the process that forks has ended"
        return int(struct.unpack("I", answer)[0])

    def usable(self) -> bool:
        """Whether this process is the one it was made in: forks of it have no share in its socket."""
        return self.on and os.getpid() == self._owner

    def attach(self, asking: socket.socket) -> None:
        """Take over a socket at whose other end a fork of this process listens."""
        self._asking, self._owner, self._lock = asking, os.getpid(), threading.Lock()

    def close(self) -> None:
        """Let it end."""
        if self._asking is not None and os.getpid() == self._owner:
            self._asking.close()
            self._asking = None

    def _started(self) -> socket.socket:
        parent_end, child_end = socket.socketpair()
        paths = [os.path.dirname(__file__), str(ROOT)]
        with child_end:
            _OriginalPopen(
                [sys.executable, "-c", _START.format(paths=paths, number=child_end.fileno())],
                cwd=ROOT,
                env=os.environ | NO_OPENBLAS_POOL,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[child_end.fileno()],
            ).returncode = 0  # ends when this process does; nobody waits for it
        return parent_end


def _early(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in environment.items() if name.startswith(_EARLY) and name not in _LATE
    }


server = Server()


class Popen(subprocess.Popen):
    """:class:`subprocess.Popen` that has what may be forked forked."""

    def _execute_child(  # type: ignore[no-untyped-def]
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest
    ):
        (_startup, _flags, shell, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *others) = rest
        _restore_signals, gid, gids, uid, umask, start_new_session, process_group = others
        environment = dict(os.environ if env is None else env)
        plain = (executable, preexec_fn, gid, gids, uid) == (None,) * 5 and umask == process_group == -1
        asked = [args[0], "-c", Script(TEST_WORKER)] if _is_test_worker(args) else args
        if shell or not plain or not close_fds or not _may_be_forked(asked, cwd, environment):
            return super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest)
        folder = os.path.abspath(cwd or os.getcwd())
        first = {"-m": folder, "-c": ""}.get(asked[1], os.path.dirname(asked[1]))
        given = [0 if p2cread == -1 else p2cread, 1 if c2pwrite == -1 else c2pwrite]
        given.append(2 if errwrite == -1 else errwrite)
        self.pid = server.fork(
            {
                "arguments": [os.fspath(argument) for argument in asked[1:]],
                "folder": folder,
                "environment": environment,
                "session": start_new_session,
                "files": [0, 1, 2, *pass_fds],
                "path": [first, *_search_path(environment)],
            },
            [*given, *pass_fds],
        )
        self._child_created = True
        devnull = getattr(self, "_devnull", None)
        for mine, child_end in ((p2cwrite, p2cread), (c2pread, c2pwrite), (errread, errwrite)):
            if child_end != -1 and mine != -1 and child_end != devnull:
                os.close(child_end)
        if devnull is not None:
            os.close(devnull)
        self._closed_child_pipe_fds = True
        return None


def confined(job: Any, writer: int) -> int:
    """Stands in for what starts a confined process afresh."""
    if not server.usable():
        return _spawn(job, writer)
    request = {
        "job": pickle.dumps(job),
        "folder": os.getcwd(),
        "environment": os.environ | NO_OPENBLAS_POOL,
        "session": False,
        "files": [2, *job.files, 499],
        "path": sys.path[:],
    }
    return server.fork(request, [2, *job.files, writer])


def install() -> None:
    """From now on this process forks what may be forked."""
    subprocess.Popen = Popen  # type: ignore[misc]
    sandbox_process._spawn = confined
    wait_for_no_disk()


def wait_for_no_disk() -> None:
    """No test outlives a power cut, and thousands of files are written: nothing waits for the disk."""
    os.fsync = lambda descriptor: None  # type: ignore[assignment]


def fork_server() -> None:
    """Leave a fork behind that forks for this process, which is about to start threads."""
    parent_end, child_end = socket.socketpair()
    if not os.fork():
        parent_end.close()
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        warm_server.serve(child_end)
    child_end.close()
    server.attach(parent_end)
    server.begin(fresh=False)
    install()


def _is_test_worker(args: Any) -> bool:
    return isinstance(args, list) and args[1:] == ["-u", "-c", TEST_WORKER]


def _may_be_forked(args: Any, cwd: Any, environment: dict[str, str]) -> bool:
    if not server.usable() or not isinstance(args, list | tuple) or len(args) < 2 or args[0] != _PYTHON:
        return False
    if cwd is not None and not os.path.isdir(cwd):
        return False
    option, what = args[1], args[-1] if len(args) == 2 else args[2]
    if option == "-m":
        known = what.partition(".")[0] in _PACKAGES
    elif option == "-c":
        known = isinstance(what, Script)
    else:
        known = str(option).startswith(_TESTS)
    at_home = os.path.realpath(cwd or os.getcwd()) == str(ROOT)
    return known and at_home and _early(environment) == server.early


def _search_path(environment: dict[str, str]) -> list[str]:
    """Where a new interpreter looks for modules, beside its first place."""
    added = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return [*added, *(entry for entry in _PLAIN_PATH if entry not in added)]


def _plain_path() -> list[str]:
    return [entry for entry in sys.path if entry.startswith((sys.prefix, sys.base_prefix))]


_PLAIN_PATH = _plain_path()


def _reap_orphans(on: bool) -> None:
    ctypes.CDLL(None).prctl(_SUBREAPER, ctypes.c_ulong(on), 0, 0, 0)
