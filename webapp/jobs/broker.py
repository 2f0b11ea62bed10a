"""Celery as the broker: its messages wake up workers, the database decides which job runs."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from celery import Celery
from kombu import Queue
from kombu.transport import filesystem

from webapp.settings import QUEUES, Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import JOBS, AnalysisRow

ANALYSE = "reelproof.analyse"  # run the job that comes first, of any kind
SAMPLE = "reelproof.sample"
FINGERPRINTS = "reelproof.fingerprints"
_PREFIX = "reelproof."  # of queue names
_CPU, _GPU = QUEUES
_EMBEDDED = "filesystem://localhost"  # a folder; kombu requires a host in any URL
# Seconds between the soft time limit, which asks a task to stop, and the hard one, which kills it.
GRACE = 30


class Channel(filesystem.Channel):
    """Kombu's folder channel with atomic writes.

    The original writes under the final name: a reader at the wrong moment takes an empty message, which is
    lost (measured: 5 of 6,000 under load).
    """

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        # Readers sort by name; wall-clock time keeps the order across a restart of the machine.
        name = f"{time.time_ns():020d}_{secrets.token_hex(8)}.{queue}.msg"
        aside = Path(self.processed_folder, name)
        aside.write_text(json.dumps(payload))
        aside.rename(Path(self.data_folder_out, name))


class Transport(filesystem.Transport):
    """The folder transport with atomic writes."""

    Channel = Channel


def make_celery(settings: Settings) -> Celery:
    """Create the Celery app, the same in the web process and in workers."""
    app = Celery("reelproof", broker=settings.broker or _EMBEDDED, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,  # results are in the database
        task_default_queue=_PREFIX + _CPU,
        task_queues=[Queue(_PREFIX + name) for name in settings.queues],
        task_soft_time_limit=settings.time_limit,
        task_time_limit=settings.time_limit + GRACE,
        worker_concurrency=max(1, settings.workers),
        worker_max_tasks_per_child=1,  # a file may have damaged the process that decoded it
        worker_prefetch_multiplier=1,
        # With a longer wait, billiard confuses which signal ended a child while the next one is recycled.
        # If the child had finished its job, the row says so and nothing happens to it.
        worker_lost_wait=0.1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # never give up
        task_publish_retry=False,  # a page must not wait for the broker; the sweep sends again
    )
    if settings.broker:
        app.conf.broker_transport_options = {
            "socket_connect_timeout": 2,
            "socket_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "max_retries": 0,  # per request, such as a page's; workers reconnect for ever
        }
        return app
    root = Folders.local(settings.data).broker
    folders = {name: root / name for name in ("messages", "aside", "control")}
    for folder in folders.values():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    app.conf.broker_transport = f"{Transport.__module__}:{Transport.__name__}"
    app.conf.broker_transport_options = {
        "data_folder_in": str(folders["messages"]),
        "data_folder_out": str(folders["messages"]),
        "processed_folder": str(folders["aside"]),
        "control_folder": str(folders["control"]),
        "polling_interval": 0.05,  # seconds, the delay of a job at most
    }
    return app


class Sender:
    """Sends ids of queued jobs to the workers. Celery is loaded with the first one."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._app: Celery | None = None

    @property
    def app(self) -> Celery:
        """The Celery app used for sending."""
        if self._app is None:
            self._app = make_celery(self._settings)
        return self._app

    def __call__(self, job_id: str) -> None:
        """Send the id to its queue. Raises if the broker cannot be reached."""
        self.app.send_task(ANALYSE, args=[job_id], queue=_PREFIX + self._queue(job_id))

    def _queue(self, job_id: str) -> str:
        """Return the queue of a job; its first message chooses one by the size of the exhibit."""
        with self._database.begin() as session:
            row = next((row for table in JOBS if (row := session.get(table, job_id)) is not None), None)
            if row is None:
                return _CPU
            if row.queue is None:
                # Of all jobs, only analyses run networks, which a GPU accelerates.
                minimum = self._settings.gpu_from
                is_large = (
                    isinstance(row, AnalysisRow) and minimum is not None and row.exhibit.bytes >= minimum
                )
                row.queue = _GPU if is_large else _CPU
            return row.queue


def count_messages(app: Celery, queues: Iterable[str] = QUEUES) -> dict[str, int]:
    """Count the waiting messages in each queue on Redis. Raises if Redis cannot be reached."""
    with app.connection_for_read() as connection, connection.channel() as channel:
        return {name: channel.client.llen(_PREFIX + name) for name in queues}


def discard_messages(settings: Settings) -> None:
    """Discard all messages of the embedded broker; the start sends every queued row again."""
    for message in Folders.local(settings.data).broker.glob("*/*.msg"):
        message.unlink(missing_ok=True)
