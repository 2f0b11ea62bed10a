"""The processes of ``python -m webapp``: this one serves pages, one more runs the worker.

The main thread watches: it restarts a worker that died, sends again what got lost, and
at the end stops everything it started.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from webapp import jobs
from webapp.database import Database
from webapp.settings import SettingError, Settings
from webapp.worker_process import PARENT

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.25  # seconds
_SWEEP_EVERY = 5.0
_RESTART_AFTER = 2.0
_ROOT = Path(__file__).resolve().parent.parent


class Worker:
    """The worker process, in a group of its own so that all of it can be ended at once."""

    def __init__(self, settings: Settings) -> None:
        self._environment = os.environ | {"REELPROOF_DATA": str(settings.data), PARENT: str(os.getpid())}
        self._process: subprocess.Popen[bytes] | None = None
        self._started = float("-inf")

    def keep_running(self) -> bool:
        """Start the worker if it does not run; True if that was a restart after it died."""
        died = self._process is not None and self._process.poll() is not None
        if self._process is not None and not died:
            return False
        if time.monotonic() - self._started < _RESTART_AFTER:
            return False  # one that dies at once must not be started in a tight loop
        if died:
            log.warning("the worker ended by itself; starting another one")
            self.stop()
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "webapp.worker"],
            cwd=_ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is for the main process alone
        )
        return died

    def stop(self) -> None:
        """End the worker and all its children, at once.

        Nothing in them is worth waiting for: rows are the truth, and unfinished results
        are removed at the next start.
        """
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def lock(data: Path) -> TextIO:
    """Hold the data folder for this process; raises :class:`SettingError` if another one has it."""
    file = (data / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise SettingError(
            f"Another Reelproof already uses {data}. Stop it, or set REELPROOF_DATA to another folder."
        ) from None
    return file


def watch(
    worker: Worker,
    database: Database,
    settings: Settings,
    send: Callable[[str], None],
    stopping: Callable[[], bool],
) -> None:
    """Look after the worker and the queue until ``stopping`` says so."""
    # The wall clock, as in heartbeats: the monotonic one stands still while the machine sleeps.
    last_sweep, woke = time.time(), 0.0
    while not stopping():
        time.sleep(_LOOK_EVERY)
        try:
            if worker.keep_running():
                jobs.recover(database, count_attempt=True)
            elapsed = time.time() - last_sweep
            if 0 <= elapsed < _SWEEP_EVERY:
                continue
            last_sweep = time.time()
            if not 0 <= elapsed < 2 * _SWEEP_EVERY:
                woke = last_sweep  # or the clock was set: heartbeats look stale though every worker is well
            sweep(database, settings, send, silent_too=last_sweep - woke >= jobs.STALE_AFTER.total_seconds())
        except Exception as problem:  # a watcher that ends leaves the queue to itself
            log.warning("looking after the queue failed, trying again: %s", problem)


def sweep(
    database: Database, settings: Settings, send: Callable[[str], None], *, silent_too: bool = True
) -> None:
    """Queue analyses whose worker went silent, and send queued ones whose message was lost."""
    if silent_too:
        jobs.requeue_stale(database)
    for analysis_id in jobs.unheard(database, settings.workers):
        send(analysis_id)
