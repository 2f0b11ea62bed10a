"""Celery, which carries analysis ids from the web process to workers and nothing else."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

from celery import Celery
from kombu.transport import filesystem

from webapp.folders import Folders
from webapp.settings import Settings

ANALYSE = "reelproof.analyse"
SAMPLE = "reelproof.sample"
QUEUE = "reelproof"
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
    app = Celery("reelproof", broker=_EMBEDDED, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,  # the database row says how a task ended
        task_default_queue=QUEUE,
        task_soft_time_limit=settings.time_limit,
        task_time_limit=settings.time_limit + GRACE,
        worker_concurrency=settings.workers,
        worker_max_tasks_per_child=1,  # what a file did to its process ends with it
        worker_prefetch_multiplier=1,
        # Short, or billiard mixes up which signal ended a child when the next one is recycled meanwhile.
        # A child that had finished after all has a row that says so, and nothing happens to it.
        worker_lost_wait=0.1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
    )
    root = Folders(settings.data).broker
    folders = {name: root / name for name in ("messages", "aside", "control")}
    for folder in folders.values():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    app.conf.broker_transport = f"{Transport.__module__}:{Transport.__name__}"
    app.conf.broker_transport_options = {
        "data_folder_in": str(folders["messages"]),
        "data_folder_out": str(folders["messages"]),
        "processed_folder": str(folders["aside"]),
        "control_folder": str(folders["control"]),
        "polling_interval": 0.2,
    }
    return app


def empty(settings: Settings) -> None:
    """Forget all messages: at start every queued row is sent anew."""
    for message in Folders(settings.data).broker.glob("*/*.msg"):
        message.unlink(missing_ok=True)
