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
from webapp.analyses.uploads import resumable
from webapp.custody import custody_log
from webapp.jobs import queue as job_queue
from webapp.jobs import recovery
from webapp.jobs import recovery as jobs_recovery
from webapp.live import sessions
from webapp.operations import alerts
from webapp.rest import idempotency
from webapp.settings import QUEUES, Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database

log = logging.getLogger(__name__)

WORKER = ["-m", "webapp.worker.celery_worker"]
SENDER = ["-m", "webapp.webhooks.delivery"]
_LOOK_EVERY = 0.25  # seconds
_SWEEP_EVERY = 5.0
_UNRESPONSIVE_AFTER = 20.0
_WORKED = 0.1  # seconds of processor time; of children that only wait it is next to none
_RESTART_AFTER = 2.0


class ChildProcess:
    """A process of this app's own, in a group of its own so that all of it can be ended at once."""

    def __init__(self, settings: Settings, what: Sequence[str], *, wanted: bool) -> None:
        """``what`` are the arguments of Python; one that is not ``wanted`` is never started."""
        self._what, self._wanted = what, wanted
        self.started_by = f"{os.getpid()}-{time.time_ns():x}"
        self._environment = environment_of_child() | {
            "REELPROOF_DATA": str(settings.data),
            custody_log.STARTED_BY: self.started_by,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._started = float("-inf")

    def keep_running(self) -> bool:
        """Start it if it does not run; True if that was a restart after it died."""
        if not self._wanted:
            return False
        died = self._process is not None and self._process.poll() is not None
        if self._process is not None and not died:
            return False
        if time.monotonic() - self._started < _RESTART_AFTER:
            return False  # one that dies at once must not be started in a tight loop
        if died:
            log.warning("%s ended by itself; starting another one", self._what[-1])
            self.stop()
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *self._what],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is for the main process alone
        )
        return died

    def stop(self) -> None:
        """End it and all its children, at once.

        Nothing in them is worth waiting for: rows are authoritative, and unfinished
        results are removed at the next start.
        """
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def webhook_sender(settings: Settings) -> ChildProcess:
    """The process that sends the messages due to webhooks, run where any are allowed."""
    return ChildProcess(settings, SENDER, wanted=bool(settings.webhooks))


class Worker(ChildProcess):
    """The worker process, which takes jobs from the queue."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, WORKER, wanted=settings.workers > 0)
        self._settings = settings
        # With a broker of its own this is the only instance: whatever runs, runs here.
        self.name_prefix = custody_log.process_name_prefix(self.started_by) if settings.shared else None
        self._heard = float("-inf")
        self._work: dict[int, float] = {}  # of its children, when it was last heard

    def note_presence(self, database: Database) -> None:
        """Say in the database that the worker runs, if it does."""
        if self._process is not None and self._process.poll() is None:
            jobs_recovery.record_worker(
                database, f"{custody_log.process_name_prefix(self.started_by)}{self._process.pid}"
            )

    def stop_and_requeue(self, database: Database) -> None:
        """End it and queue again what it was at; without a database that is found later."""
        self.stop()
        try:
            recovery.requeue_running(database, count_attempt=False, name_prefix=self.name_prefix)
        except SQLAlchemyError as problem:
            log.warning(
                "what the worker was at is queued again once the database can be written: %s",
                getattr(problem, "orig", problem),
            )

    def restart_if_unresponsive(self, database: Database) -> None:
        """End a worker that takes nothing although ids wait on the shared broker; it is started anew.

        After a restart of Redis a Celery worker may be connected again and yet get no messages. One that
        still loads, or makes what no row tells of, the sample or fingerprints, is left alone.
        """
        if self.name_prefix is None or self._process is None or self._process.poll() is not None:
            return
        there = messages_waiting(self._settings, self._settings.queues)
        if recovery.count_running(database, self.name_prefix) or not any(there.values()) or self._works():
            self._heard = time.monotonic()
        elif time.monotonic() - max(self._heard, self._started) > _UNRESPONSIVE_AFTER:
            log.warning("the worker takes nothing though analyses wait; starting another one")
            self.stop()
            self._process = None

    def _works(self) -> bool:
        """Whether it has yet to start its children, or these have worked since it was last heard."""
        assert self._process is not None
        now = processor_time_below(self._process.pid)
        before, self._work = self._work, now
        if not now or now.keys() != before.keys():
            return True
        if sum(now.values()) - sum(before.values()) > _WORKED:
            return True
        self._work = before
        return False


def processor_time_below(process: int) -> dict[int, float]:
    """Seconds that each process below one has computed, with its children that ended; by their ids."""
    below: dict[int, list[int]] = {}
    times: dict[int, float] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it is gone
            # After the name, which may hold anything: state, parent, ..., and the 12th to 15th are times.
            told = place.read_text(errors="replace").rpartition(")")[2].split()
            number = int(place.parent.name)
            below.setdefault(int(told[1]), []).append(number)
            times[number] = sum(map(int, told[11:15])) / os.sysconf("SC_CLK_TCK")
    found: dict[int, float] = {}
    waiting = list(below.get(process, ()))
    while waiting:
        number = waiting.pop()
        found[number] = times[number]
        waiting += below.get(number, ())
    return found


def noted_signals() -> list[int]:
    """A list that SIGTERM and SIGINT are added to.

    Nothing else is done: a handler that takes a lock can meet the code it interrupted holding it.
    """
    noted: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: noted.append(number))
    return noted


def watch_worker(worker: Worker, database: Database, stopping: Callable[[], bool]) -> None:
    """Look after a worker whose queue somebody else looks after."""
    last = time.monotonic()
    while not stopping():
        time.sleep(_LOOK_EVERY)
        try:
            if worker.keep_running():
                recovery.requeue_running(database, count_attempt=True, name_prefix=worker.name_prefix)
            if time.monotonic() - last >= _SWEEP_EVERY:
                last = time.monotonic()
                worker.note_presence(database)
                worker.restart_if_unresponsive(database)
        except Exception as problem:  # what it worked on goes silent, and is found by that
            log.warning("looking after the worker failed, trying again: %s", problem)


def watch(
    worker: Worker,
    sender: ChildProcess,
    database: Database,
    settings: Settings,
    send: Callable[[str], None],
    stopping: Callable[[], bool],
) -> None:
    """Look after the worker, the sender of webhooks and the queue until ``stopping`` says so."""
    # The wall clock, as in heartbeats: the monotonic one stands still while the machine sleeps.
    last_sweep, woke, busy = time.time(), 0.0, 0.0
    while not stopping():
        time.sleep(_LOOK_EVERY)
        with _kept_going("looking after the worker"):
            sender.keep_running()
            if worker.keep_running():
                recovery.requeue_running(database, count_attempt=True, name_prefix=worker.name_prefix)
        elapsed = time.time() - last_sweep
        if 0 <= elapsed < _SWEEP_EVERY:
            continue
        last_sweep, began = time.time(), time.monotonic()
        if not 0 <= elapsed - busy < 2 * _SWEEP_EVERY:
            woke = last_sweep  # or the clock was set: heartbeats look stale though every worker is well
        silent_too = last_sweep - woke >= recovery.STALE_AFTER.total_seconds()
        with _kept_going("looking after the worker"):
            worker.note_presence(database)
            worker.restart_if_unresponsive(database)
        with _kept_going("looking after the queue"):
            sweep(database, settings, send, silent_too=silent_too)
        with _kept_going("looking for what to alert about"):
            alerts.check_alerts(settings, database)
        busy = time.monotonic() - began  # a broker that does not answer is waited for; that is no sleep


@contextlib.contextmanager
def _kept_going(what: str) -> Iterator[None]:
    """Log what goes wrong in the block: a watcher that ends leaves the queue to itself."""
    try:
        yield
    except Exception as problem:
        log.warning("%s failed, trying again: %s", what, problem)


def sweep(
    database: Database, settings: Settings, send: Callable[[str], None], *, silent_too: bool = True
) -> None:
    """Queue jobs whose worker went silent, send those whose message was lost, remove what is old."""
    if silent_too:
        recovery.requeue_stale(database)
    folders = Folders.local(settings.data)
    resumable.expire_uploads(database, folders)
    idempotency.expire(database)
    sessions.remove_old_sessions(folders.live)
    # Last: while the broker cannot be reached this raises, and nothing could be sent.
    if settings.shared:
        lost = job_queue.lost_shared_messages(database, messages_waiting(settings))
    else:
        lost = job_queue.lost_messages(database, settings.workers)
    for job_id in lost:
        send(job_id)


def messages_waiting(settings: Settings, queues: Iterable[str] = QUEUES) -> dict[str, int]:
    """How many ids wait on the shared broker in each of ``queues``."""
    from webapp.jobs import broker  # brings Celery

    return broker.count_messages(broker.make_celery(settings), queues)
