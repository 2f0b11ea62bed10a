"""Start, watch and restart the child processes of ``python -m webapp``."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from detector.files import ROOT
from detector.process.signals import environment_of_child
from webapp.custody import custody_log
from webapp.exhibits.uploads import resumable
from webapp.jobs import queue as job_queue
from webapp.jobs import recovery
from webapp.live import sessions
from webapp.operations import alerts
from webapp.rest import idempotency
from webapp.settings import QUEUES, Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.worker import retention

log = logging.getLogger(__name__)

WORKER = ["-m", "webapp.worker.celery_worker"]
SENDER = ["-m", "webapp.webhooks.delivery"]
_WATCH_INTERVAL = 0.25  # seconds
_SWEEP_INTERVAL = 5.0
_RETENTION_INTERVAL = 600.0
_UNRESPONSIVE_AFTER = 20.0
_BUSY_ABOVE = 0.1  # seconds of processor time; idle children use next to none
_RESTART_AFTER = 2.0  # so that a process that dies at once is not started in a tight loop


class ChildProcess:
    """A process of this app, in a process group of its own so that all of it can be ended at once."""

    def __init__(self, settings: Settings, arguments: Sequence[str], *, enabled: bool) -> None:
        """``arguments`` are those of Python. A process that is not ``enabled`` is never started."""
        self._arguments, self._enabled = arguments, enabled
        self.started_by = f"{os.getpid()}-{time.time_ns():x}"
        self._environment = environment_of_child() | {
            "REELPROOF_DATA": str(settings.data),
            custody_log.STARTED_BY: self.started_by,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._started = float("-inf")

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def keep_running(self) -> bool:
        """Start the process unless it runs; return whether it had died."""
        if not self._enabled or self._is_running() or time.monotonic() - self._started < _RESTART_AFTER:
            return False
        died = self._process is not None
        if died:
            log.warning("%s ended by itself; starting another one", self._arguments[-1])
            self.stop()
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *self._arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for the main process alone
        )
        return died

    def stop(self) -> None:
        """Kill the process and its children.

        Nothing is lost by that: rows are authoritative, and the next start removes unfinished results.
        """
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def webhook_sender(settings: Settings) -> ChildProcess:
    """Return the process that sends messages to webhooks, enabled if any webhooks are allowed."""
    return ChildProcess(settings, SENDER, enabled=bool(settings.webhooks))


class Worker(ChildProcess):
    """The worker process, which takes jobs from the queue."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, WORKER, enabled=settings.workers > 0)
        self._settings = settings
        # Without a shared broker this is the only instance: all running jobs are its own.
        self.name_prefix = custody_log.process_name_prefix(self.started_by) if settings.shared else None
        self._last_active = float("-inf")
        self._processor_times: dict[int, float] = {}  # of its children, when it was last active

    def record_presence(self, database: Database) -> None:
        """Record in the database that the worker runs, if it does."""
        if self._is_running() and self._process is not None:
            recovery.record_worker(
                database, f"{custody_log.process_name_prefix(self.started_by)}{self._process.pid}"
            )

    def stop_and_requeue(self, database: Database) -> None:
        """Kill the worker and queue its jobs again; without a database that happens later."""
        self.stop()
        try:
            recovery.requeue_running(database, count_attempt=False, name_prefix=self.name_prefix)
        except SQLAlchemyError as error:
            log.warning(
                "the worker's jobs are queued again once the database can be written: %s",
                getattr(error, "orig", error),
            )

    def restart_if_unresponsive(self, database: Database) -> None:
        """Kill a worker that takes no job although ids wait on the shared broker; it is started anew.

        After a restart of Redis a Celery worker may be connected again and yet get no messages. A worker that
        is still loading, or that makes the sample or fingerprints, which no row shows, is left alone.
        """
        if self.name_prefix is None or not self._is_running():
            return
        waiting = messages_waiting(self._settings, self._settings.queues)
        if recovery.count_running(database, self.name_prefix) or not any(waiting.values()) or self._is_busy():
            self._last_active = time.monotonic()
        elif time.monotonic() - max(self._last_active, self._started) > _UNRESPONSIVE_AFTER:
            log.warning("the worker takes nothing though analyses wait; starting another one")
            self.stop()
            self._process = None

    def _is_busy(self) -> bool:
        """Tell whether its children have yet to start, or have worked since it was last active."""
        assert self._process is not None
        before, times = self._processor_times, processor_time_below(self._process.pid)
        if (
            not times
            or times.keys() != before.keys()
            or sum(times.values()) > sum(before.values()) + _BUSY_ABOVE
        ):
            self._processor_times = times
            return True
        return False


def processor_time_below(process: int) -> dict[int, float]:
    """Return the processor time in seconds of each descendant of a process, with its ended children."""
    children: dict[int, list[int]] = {}
    times: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # the process has ended
            # After the name, which may contain anything: state, parent, ...; fields 12 to 15 are times.
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
            number = int(path.parent.name)
            children.setdefault(int(fields[1]), []).append(number)
            times[number] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    descendants: dict[int, float] = {}
    pending = list(children.get(process, ()))
    while pending:
        number = pending.pop()
        descendants[number] = times[number]
        pending += children.get(number, ())
    return descendants


def record_signals() -> list[int]:
    """Return a list to which SIGTERM and SIGINT are appended.

    The handler does nothing else: one that takes a lock may interrupt the code that holds it.
    """
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: signals.append(number))
    return signals


def watch_worker(worker: Worker, database: Database, stopping: Callable[[], bool]) -> None:
    """Watch a worker whose queue another instance watches, until ``stopping`` returns True."""
    last = time.monotonic()
    while not stopping():
        time.sleep(_WATCH_INTERVAL)
        with _logged_errors("looking after the worker"):
            if worker.keep_running():
                recovery.requeue_running(database, count_attempt=True, name_prefix=worker.name_prefix)
            if time.monotonic() - last >= _SWEEP_INTERVAL:
                last = time.monotonic()
                worker.record_presence(database)
                worker.restart_if_unresponsive(database)


def watch(
    worker: Worker,
    sender: ChildProcess,
    database: Database,
    settings: Settings,
    send: Callable[[str], None],
    stopping: Callable[[], bool],
) -> None:
    """Watch the worker, the sender of webhooks and the queue until ``stopping`` returns True."""
    # The wall clock, as in heartbeats: the monotonic one stops while the machine sleeps.
    last_sweep, woke_up, sweep_duration, last_retention = time.time(), 0.0, 0.0, 0.0
    while not stopping():
        time.sleep(_WATCH_INTERVAL)
        with _logged_errors("looking after the worker"):
            sender.keep_running()
            if worker.keep_running():
                recovery.requeue_running(database, count_attempt=True, name_prefix=worker.name_prefix)
        elapsed = time.time() - last_sweep
        if 0 <= elapsed < _SWEEP_INTERVAL:
            continue
        last_sweep, began = time.time(), time.monotonic()
        # After sleep, or after the clock was set, heartbeats look stale though every worker is well.
        if not 0 <= elapsed - sweep_duration < 2 * _SWEEP_INTERVAL:
            woke_up = last_sweep
        requeue_silent = last_sweep - woke_up >= recovery.STALE_AFTER.total_seconds()
        with _logged_errors("looking after the worker"):
            worker.record_presence(database)
            worker.restart_if_unresponsive(database)
        with _logged_errors("looking after the queue"):
            sweep(database, settings, send, requeue_silent=requeue_silent)
        if time.time() - last_retention >= _RETENTION_INTERVAL:
            with _logged_errors("deleting what is past its retention"):
                if retention.delete_due(database, settings) < retention.MOST_AT_ONCE:
                    last_retention = time.time()
        with _logged_errors("looking for what to alert about"):
            alerts.check_alerts(settings, database)
        sweep_duration = time.monotonic() - began  # waiting for a broker is not sleep


@contextlib.contextmanager
def _logged_errors(action: str) -> Iterator[None]:
    """Log errors of the block: a watcher that ends would leave the queue unattended."""
    try:
        yield
    except Exception as error:
        log.warning("%s failed, trying again: %s", action, error)


def sweep(
    database: Database, settings: Settings, send: Callable[[str], None], *, requeue_silent: bool = True
) -> None:
    """Queue jobs of silent workers again, send lost messages, and remove expired data."""
    if requeue_silent:
        recovery.requeue_stale(database)
    folders = Folders.local(settings.data)
    resumable.expire_uploads(database, folders)
    idempotency.delete_expired(database)
    sessions.remove_old_sessions(folders.live)
    # Last, because this raises while the broker cannot be reached.
    if settings.shared:
        lost = job_queue.lost_shared_messages(database, messages_waiting(settings))
    else:
        lost = job_queue.lost_messages(database, settings.workers)
    for job_id in lost:
        send(job_id)


def messages_waiting(settings: Settings, queues: Iterable[str] = QUEUES) -> dict[str, int]:
    """Count the ids that wait on the shared broker in each of ``queues``."""
    from webapp.jobs import broker  # imports Celery

    return broker.count_messages(broker.make_celery(settings), queues)
