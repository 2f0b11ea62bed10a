"""How this Reelproof is doing, as one value: for the page of operations, the metrics and the alerts."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from detector.version import __version__
from webapp.custody import log_queries, self_check
from webapp.custody.self_check import LastCheck
from webapp.jobs import heartbeat
from webapp.jobs import queue as job_queue
from webapp.jobs.heartbeat import AliveWorker
from webapp.settings import Settings
from webapp.storage.database import REVISION, Database
from webapp.storage.tables import JOBS, Condition, Delivery, Exhibit, State, now


@dataclass(frozen=True)
class Operations:
    """Everything there is to watch over, at one moment."""

    moment: datetime
    states: dict[str, dict[str, int]]  # by kind of job, then by state
    oldest: datetime | None  # since when that job waits which has been waiting longest
    workers: Sequence[AliveWorker]
    disk_free: int
    disk_size: int
    exhibits: int
    exhibit_bytes: int
    messages: int  # of webhooks, not delivered yet
    backup: datetime | None
    integrity: datetime | None  # the last run over all exhibits
    damaged: int  # exhibits whose file is not what was handed in
    custody: LastCheck
    entries: int  # of the custody log

    @property
    def waited(self) -> timedelta:
        """How long a job has been waiting, at most."""
        return self.moment - self.oldest if self.oldest else timedelta()


def gather(settings: Settings, database: Database) -> Operations:
    """Ask rows, workers and disk."""
    states: dict[str, dict[str, int]] = {}
    with database.begin() as session:
        for table in JOBS:
            counted = session.execute(select(table.state, func.count()).group_by(table.state))
            of_state = {str(state): count for state, count in counted}
            states[table.__tablename__] = {str(state): of_state.get(str(state), 0) for state in State}
        oldest = job_queue.waiting_since(session)
        exhibits, size = session.execute(select(func.count(), func.sum(Exhibit.bytes))).one()
        waiting = select(func.count()).select_from(Delivery).where(Delivery.due.is_not(None))
        not_so = Exhibit.condition.is_not(None) & (Exhibit.condition != Condition.FITS)
        backup, run = log_queries.latest_backup(session), log_queries.latest_integrity_check(session)
        found = {
            "messages": session.scalar(waiting) or 0,
            "damaged": session.scalar(select(func.count()).select_from(Exhibit).where(not_so)) or 0,
            "entries": log_queries.head(session).count,
        }
        custody = self_check.last(session)
    disk = shutil.disk_usage(settings.data)
    return Operations(
        moment=now(),
        states=states,
        oldest=oldest,
        workers=heartbeat.alive(database),
        disk_free=disk.free,
        disk_size=disk.total,
        exhibits=exhibits,
        exhibit_bytes=size or 0,
        backup=log_queries.made_at(backup) if backup else None,
        integrity=log_queries.made_at(run) if run else None,
        custody=custody,
        **found,
    )


def versions(database: Database) -> dict[str, str]:
    """What runs here."""
    return {
        "Reelproof": __version__,
        "tables": REVISION,
        "database": database.engine.dialect.name,
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }
