"""A confined process that starts before there is a job, prepares for it, and does that one job."""

from __future__ import annotations

import os
import pickle
import select
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detector.progress import Progress
from detector.sandbox.confined_process import Sandbox, folder_of_this_process
from detector.sandbox.kernel import AllowedPaths, Limits
from detector.schema.formatting import N_

_QUIET_SECONDS = (
    1.0  # seconds without a job before it prepares; while jobs are waiting, it would only be in the way
)
_LONG_QUIET_SECONDS = 5.0  # seconds before longer preparations, for which a job would have to wait
_GIVEN, _RESULT = "given", "result"


class NotReadyError(Exception):
    """The process did nothing, because its waiting time was over or the file is on another file system."""


class ReadySandbox:
    """Runs ``work(prepare(*given), path, *arguments, report)`` in a confined process that starts now.

    ``prepare`` runs after a second without a job, ``work`` when :meth:`submit` passes a file.
    ``prepare_more`` gets the result of ``prepare`` after a longer time without a job, for what only some jobs
    need. After ``patience`` seconds the process ends, to release its memory. ``readable`` are paths that it
    may read besides the file of the job. Its folders are made below ``folder``, which must be on the same
    file system as the files and results of its job.
    """

    def __init__(
        self,
        prepare: Callable[..., Any],
        prepare_more: Callable[[Any], None],
        work: Callable[..., Any],
        *given: Any,
        limits: Limits,
        readable: tuple[Path, ...],
        folder: Path,
        patience: float,
    ) -> None:
        self._place = folder_of_this_process(folder)
        for name in (_GIVEN, _RESULT):
            (self._place / name).mkdir(mode=0o700)
        places = AllowedPaths((self._place / _GIVEN, *readable), (self._place / _RESULT,))
        reader, self._writer = os.pipe()
        try:
            task = (_wait_and_work, reader, prepare, prepare_more, work, given, patience)
            self._sandbox = Sandbox(*task, limits=limits, places=places, scratch=folder, files=(reader,))
        except BaseException:
            os.close(self._writer)
            shutil.rmtree(self._place, ignore_errors=True)
            raise
        finally:
            os.close(reader)

    def submit(self, path: Path, folder: Path, *arguments: Any, report: Progress | None = None) -> Any:
        """Run the job on the file ``path``; it writes into ``folder``, which must be empty.

        ``work`` is called with the path by which the process reads the file, the folder, and the picklable
        ``arguments``. Returns and raises what :meth:`~detector.sandbox.confined_process.Sandbox.result` does,
        and raises :class:`NotReadyError`.
        """
        given = self._place / _GIVEN / path.name
        try:
            os.link(path, given)
        except OSError as problem:
            raise NotReadyError from problem
        self._sandbox.restart((folder,))
        os.rename(self._place / _RESULT, folder)
        job = pickle.dumps((given, folder, *arguments))
        try:
            with os.fdopen(os.dup(self._writer), "wb") as pipe:
                pipe.write(len(job).to_bytes(8) + job)
        except BrokenPipeError:
            raise NotReadyError from None
        is_done, result = self._sandbox.result(report)
        if not is_done:
            raise NotReadyError
        return result

    def close(self) -> None:
        """End the process if it still runs, and remove its files. May be called repeatedly."""
        if self._writer >= 0:
            self._sandbox.close()
            os.close(self._writer)
            self._writer = -1
            shutil.rmtree(self._place, ignore_errors=True)


def _wait_and_work(
    reader: int,
    prepare: Callable[..., Any],
    prepare_more: Callable[[Any], None],
    work: Callable[..., Any],
    given: tuple[Any, ...],
    patience: float,
    report: Progress,
) -> tuple[bool, Any]:
    report(N_("getting ready"), 0.0)  # Landlock rules must be in force before the folder is renamed
    _wait_for_job(reader, min(_QUIET_SECONDS, patience))
    prepared = prepare(*given)
    if not _wait_for_job(reader, min(_LONG_QUIET_SECONDS, patience)):
        prepare_more(prepared)
        if not _wait_for_job(reader, patience):
            return False, None
    with os.fdopen(reader, "rb") as pipe:
        job = pipe.read(int.from_bytes(pipe.read(8)))
    return (True, work(prepared, *pickle.loads(job), report)) if job else (False, None)


def _wait_for_job(reader: int, seconds: float) -> bool:
    """Return whether a job arrives, or its sender ends, within so many seconds."""
    return bool(select.select([reader], [], [], seconds)[0])
