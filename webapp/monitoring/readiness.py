"""Whether this Reelproof can do its work now, and if not, why not."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from reports.text.translation.language import N_
from webapp.jobs import heartbeat
from webapp.monitoring.store_probe import probe_of
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import REVISION, Database
from webapp.storage.tables import Milestone, now

_PROBE = "readiness probe"


@dataclass(frozen=True)
class Check:
    """One thing that must be so; ``problem`` is empty where it is."""

    name: str
    problem: str


def checks(settings: Settings, database: Database) -> tuple[Check, ...]:
    """All of them; none raises."""
    every: dict[str, Callable[[Settings, Database], str]] = {
        "database": _writes,
        "migrations": _current,
        "disk": _room,
        "data folder": _folder,
        "worker": _worker,
    }
    if settings.store is not None:
        every["store"] = _store
    return tuple(Check(name, _tried(check, settings, database)) for name, check in every.items())


def _tried(check: Callable[[Settings, Database], str], settings: Settings, database: Database) -> str:
    try:
        return check(settings, database)
    except SQLAlchemyError:
        return N_("The database does not answer, or takes no writes.")
    except OSError as problem:
        return N_("The data folder does not work: %(problem)s.") % {"problem": problem.strerror}


def _writes(_settings: Settings, database: Database) -> str:
    with database.begin() as session:
        name = f"{_PROBE} {secrets.token_hex(4)}"
        session.add(Milestone(name=name, reached=now()))
        session.flush()
        session.execute(delete(Milestone).where(Milestone.name == name))
    return ""


def _current(_settings: Settings, database: Database) -> str:
    found = database.revision()
    if found == REVISION:
        return ""
    return N_("Tables are at %(found)s, this Reelproof needs %(needed)s.") % {
        "found": found or "none",
        "needed": REVISION,
    }


def _room(settings: Settings, _database: Database) -> str:
    free = shutil.disk_usage(settings.data).free
    if free > settings.spare:
        return ""
    return N_("%(free)s MB are free, less than the %(spare)s MB kept spare.") % {
        "free": f"{free / 1e6:,.0f}",
        "spare": f"{settings.spare / 1e6:,.0f}",
    }


def _folder(settings: Settings, _database: Database) -> str:
    place = Folders.local(settings.data).incoming
    if not os.access(place, os.W_OK | os.X_OK):
        return N_("The data folder cannot be written.")
    with tempfile.TemporaryFile(dir=place):  # a disk that became read-only after an error says otherwise
        return ""


def _store(settings: Settings, _database: Database) -> str:
    return probe_of(Folders.of(settings)).problem()


def _worker(settings: Settings, database: Database) -> str:
    if heartbeat.alive(database):
        return ""
    return N_("No worker was heard of for %(seconds)s s; analyses wait.") % {
        "seconds": heartbeat.GONE_AFTER.seconds
    }
