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
from webapp.storage.tables import JOBS, AnalysisRow, JobRow

ANALYSE = "reelproof.analyse"  # any job: the one that comes first
SAMPLE = "reelproof.sample"
FINGERPRINTS = "reelproof.fingerprints"
_PREFIX = "reelproof."  # of queues
_CPU, _GPU = QUEUES
_EMBEDDED = "filesystem://localhost"  # a folder; kombu wants a host in any URL
# Beyond the soft limit a task is asked to stop; this many seconds later it is stopped.
GRACE = 30


class Channel(filesystem.Channel):
    """Kombu's folder channel, with messages that appear whole.

    The stock one writes under the final name: a reader that looks at the wrong moment
    takes an empty message, and it is lost (measured: 5 of 6,000 under load).
    """

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        # Readers sort by name: the wall clock keeps the order across a restart of the machine.
        name = f"{time.time_ns():020d}_{secrets.token_hex(8)}.{queue}.msg"
        aside = Path(self.processed_folder, name)
        aside.write_text(json.dumps(payload))
        aside.rename(Path(self.data_folder_out, name))


class Transport(filesystem.Transport):
    """The folder transport with that channel."""

    Channel = Channel


def make_celery(settings: Settings) -> Celery:
    """The Celery app of one set of settings, the same in the web process and in workers."""
    app = Celery("reelproof", broker=settings.broker or _EMBEDDED, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,  # the database row says how a task ended
        task_default_queue=_PREFIX + _CPU,
        task_queues=[Queue(_PREFIX + name) for name in settings.queues],
        task_soft_time_limit=settings.time_limit,
        task_time_limit=settings.time_limit + GRACE,
        worker_concurrency=max(1, settings.workers),
        worker_max_tasks_per_child=1,  # what a file did to its process ends with it
        worker_prefetch_multiplier=1,
        # Short, or billiard mixes up which signal ended a child when the next one is recycled meanwhile.
        # A child that had finished after all has a row that says so, and nothing happens to it.
        worker_lost_wait=0.1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # for as long as it takes
        task_publish_retry=False,  # a page does not wait for a broker; the sweep sends again
    )
    if settings.broker:
        app.conf.broker_transport_options = {
            "socket_connect_timeout": 2,
            "socket_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "max_retries": 0,  # of one request, such as a page's; a worker connects again and again
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
        "polling_interval": 0.05,  # seconds by which a job may begin late
    }
    return app


class Sender:
    """Tells the workers of queued jobs. Celery is loaded with the first one."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._app: Celery | None = None

    @property
    def app(self) -> Celery:
        """The Celery app it sends with."""
        if self._app is None:
            self._app = make_celery(self._settings)
        return self._app

    def __call__(self, job_id: str) -> None:
        """Send the id to its queue; raises if the broker cannot be reached."""
        self.app.send_task(ANALYSE, args=[job_id], queue=_PREFIX + self._queue(job_id))

    def _queue(self, job_id: str) -> str:
        """The queue it is in; with the first message that is the one its exhibit's size belongs in."""
        with self._database.begin() as session:
            row = next((row for table in JOBS if (row := session.get(table, job_id)) is not None), None)
            if row is None:
                return _CPU
            if row.queue is None:
                row.queue = _GPU if self._is_large(row) else _CPU
            return row.queue

    def _is_large(self, row: JobRow) -> bool:
        """Whether a network has so much to judge that a GPU pays; in other jobs than analyses none judges."""
        from_size = self._settings.gpu_from
        return isinstance(row, AnalysisRow) and from_size is not None and row.exhibit.bytes >= from_size


def count_messages(app: Celery, queues: Iterable[str] = QUEUES) -> dict[str, int]:
    """How many messages wait on Redis in each queue; raises if it cannot be reached."""
    with app.connection_for_read() as connection, connection.channel() as channel:
        return {name: channel.client.llen(_PREFIX + name) for name in queues}


def discard_messages(settings: Settings) -> None:
    """Forget all messages of the embedded broker: at start every queued row is sent anew."""
    for message in Folders.local(settings.data).broker.glob("*/*.msg"):
        message.unlink(missing_ok=True)
