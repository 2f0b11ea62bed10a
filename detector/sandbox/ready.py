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

_QUIET = 1.0  # seconds without a job before it gets ready: where jobs wait, it would only be in the way
_LONGER = 5.0  # and before it does what takes longer, during which a job would have to wait
_GIVEN, _RESULT = "given", "result"


class NotReadyError(Exception):
    """The process has done nothing: its time to wait was over, or the file lies on another file system."""


class ReadySandbox:
    """``work(prepare(*given), path, *arguments, report)`` in a confined process that starts now.

    ``prepare`` runs as soon as a second has passed without a job, ``work`` once :meth:`hand` says on what.
    What only some jobs need is for ``prepare_more``, which is given what ``prepare`` returned once there has
    been no job for longer. After ``patience`` seconds without one the process ends and gives its memory back.
    ``readable`` is what it may read beside the file it is handed; its folders are made below ``folder``,
    which has to lie on the same file system as the files and results of its job. All else is as in
    :class:`~detector.sandbox.confined_process.Sandbox`.
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
            what = (_wait_and_work, reader, prepare, prepare_more, work, given, patience)
            self._sandbox = Sandbox(*what, limits=limits, places=places, scratch=folder, files=(reader,))
        except BaseException:
            os.close(self._writer)
            shutil.rmtree(self._place, ignore_errors=True)
            raise
        finally:
            os.close(reader)

    def hand(self, path: Path, folder: Path, *arguments: Any, report: Progress | None = None) -> Any:
        """Have it do its job on the file ``path``; what it writes lies in ``folder``, an empty one so far.

        ``work`` is called with the name by which it reads the file, the folder and the ``arguments``, which
        pickle has to be able to hold. Returns and raises what
        :meth:`~detector.sandbox.confined_process.Sandbox.result` does, and :class:`NotReadyError`.
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
            with os.fdopen(os.dup(self._writer), "wb") as told:
                told.write(len(job).to_bytes(8) + job)
        except BrokenPipeError:
            raise NotReadyError from None
        did, result = self._sandbox.result(report)
        if not did:
            raise NotReadyError
        return result

    def close(self) -> None:
        """End the process, if it still runs, and remove what it left behind; again, if you like."""
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
    report("getting ready", 0.0)  # a folder may be renamed once its rules hold, not before
    _waits(reader, min(_QUIET, patience))
    prepared = prepare(*given)
    if not _waits(reader, min(_LONGER, patience)):
        prepare_more(prepared)
        if not _waits(reader, patience):
            return False, None
    with os.fdopen(reader, "rb") as told:
        job = told.read(int.from_bytes(told.read(8)))
    return (True, work(prepared, *pickle.loads(job), report)) if job else (False, None)


def _waits(reader: int, seconds: float) -> bool:
    """Whether a job, or the end of who would send one, comes within so many seconds."""
    return bool(select.select([reader], [], [], seconds)[0])
