"""Whole videos and photos, several at a time, each in a confined process of its own.

A few worker processes take one file after the other from this one. Each has a file analysed in
a confined process forked from it (:mod:`detector.batch.confined_file`). Everything is forked from
this process, which has imported and loaded what an analysis needs: it is in memory once, and a file
costs no start. That takes a process with a single thread; where there are more, workers are started
afresh and load for themselves.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from importlib import import_module
from itertools import chain, islice
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from detector.backends import selection as backends
from detector.batch.confined_file import MODULES, AnalysisSettings, MoreFields, Work, line_of, loaded
from detector.batch.input_files import File
from detector.batch.other_model_names import ALONE, OtherModelNames
from detector.batch.result_line import ResultLine
from detector.models.card_files import with_absolute_path
from detector.models.loaded import LoadedModel
from detector.process.gc_pause import gc_paused
from detector.process.native_threads import native_threads, no_openblas_pool
from detector.process.parent import end_with
from detector.sandbox import KilledError, capabilities
from detector.sandbox.scratch import remove_abandoned
from detector.sandboxed_engine import limits_of_environment
from detector.schema.analysis import Parameters

# For heatmaps: torch and more, a second or two that is worth it before several files.
_FOR_SEVERAL = ("detector.explain.grad_cam", "timm")
_STOPPING = {signal.SIGINT, signal.SIGTERM}
_PATIENCE = 5.0  # seconds all workers are given to end their confined processes and remove their folders


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0))


def score_files(
    files: Iterable[File],
    model: str | None,
    parameters: Parameters,
    workers: int | None = None,
    more: MoreFields | None = None,
    others: OtherModelNames = ALONE,
) -> Generator[tuple[File, ResultLine]]:
    """Analyse ``files`` in ``workers`` processes (default: one a core); lines come as they are finished.

    Of ``files`` only as many are taken at a time as there are processes. Unpacked copies are removed.
    ``more``, a function of a module, says what else of an analysis its line is to hold, as JSON; ``others``
    judge the same faces beside ``model``.
    Closing the iterator ends all processes. Raises :class:`~detector.errors.ModelError` for a model
    that cannot be used; what is wrong with a file becomes its line's ``error``.
    """
    waiting = iter(files)
    most = workers or cores()
    first = list(islice(waiting, max(2, most)))
    if not first:
        return
    named = [str(with_absolute_path(one)) for one in others.models]
    asked = AnalysisSettings(with_absolute_path(model), parameters, OtherModelNames(named, others.rule))
    with _WorkerPool(asked, min(most, len(first)), len(first) > 1, more) as pool:
        yield from pool.lines(chain(first, waiting))


class _Worker:
    def __init__(self, context: Any, work: Work) -> None:
        self.pipe, theirs = context.Pipe()
        self.file: File | None = None
        self.process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        # A Ctrl-C goes to all processes of a terminal: a worker must not get one before it ignores them,
        # nor a SIGTERM before it heeds that in its own way; while it is forked, one would be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            self.process.start()
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)

    def give(self, file: File) -> None:
        self.file = file
        with contextlib.suppress(OSError):  # it is dead, which is seen when its line is taken
            self.pipe.send(file)

    def take(self) -> tuple[File, ResultLine | None]:
        """The file it had and its line, None if the worker itself was killed."""
        assert self.file is not None
        file, self.file = self.file, None
        try:
            return file, self.pipe.recv()
        except (EOFError, OSError):
            return file, None

    def close(self, until: float) -> None:
        self.process.join(max(0.0, until - time.monotonic()))
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


class _WorkerPool:
    def __init__(self, asked: AnalysisSettings, most: int, several: bool, more: MoreFields | None) -> None:
        threads = max(1, cores() // most)
        self._work = Work(asked, limits_of_environment(), threads, os.getpid(), more)
        self._context = multiprocessing.get_context("fork" if _prepare(asked.models, several) else "spawn")
        self._workers: list[_Worker] = []
        self._most = most

    def lines(self, files: Iterator[File]) -> Iterator[tuple[File, ResultLine]]:
        """A line for each of ``files``."""
        for _ in range(self._most):
            self._workers.append(_Worker(self._context, self._work))
        idle = list(self._workers)
        while True:
            while idle and (file := next(files, None)) is not None:
                if file.error:
                    yield file, {"file": file.name, "error": file.error}
                else:
                    idle[-1].give(file)
                    idle.pop()
            busy = {worker.pipe: worker for worker in self._workers if worker.file is not None}
            if not busy:
                return
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                worker = busy[pipe]
                file, line = worker.take()
                if line is None:
                    worker.close(time.monotonic() + _PATIENCE)
                    self._workers.remove(worker)
                    worker = _Worker(self._context, self._work)
                    self._workers.append(worker)
                    line = {"file": file.name, "error": str(KilledError())}
                idle.append(worker)
                if file.unpacked:
                    file.path.unlink(missing_ok=True)
                yield file, line

    def __enter__(self) -> _WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.terminate()
        until = time.monotonic() + _PATIENCE
        for worker in self._workers:
            worker.close(until)
        remove_abandoned(None)  # of those that had to be killed


def _prepare(models: Sequence[str | None], several: bool) -> bool:
    """Import and load what all files need; whether workers may be forked from this process."""
    with no_openblas_pool(), gc_paused():
        for name in (*MODULES, *(_FOR_SEVERAL if several else ())):
            import_module(name)
    for model in map(loaded, models):
        if backends.needs_torch(model):
            if native_threads() == 1:
                _one_thread()  # folding a network into another computes, which would start more
            from detector.backends.torch import fused_network

            fused_network(model)  # made here, all have it
        if several:
            _make_networks(model)
    capabilities()
    return native_threads() == 1


def _make_networks(model: LoadedModel) -> None:
    """Make the networks that heatmaps need, a third of a second for each file with a finding."""
    if native_threads() == 1:
        _one_thread()
    model.make_networks()


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _serve(pipe: Connection, work: Work) -> None:
    """The whole life of a worker: a line for each file that comes through ``pipe``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    end_with(work.parent)
    while True:
        try:
            file = pipe.recv()
        except EOFError:
            return
        pipe.send(line_of(file, work))


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)  # through all `with` blocks: the confined process ends, its folder goes
