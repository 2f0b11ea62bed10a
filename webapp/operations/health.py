"""Health endpoints: ``/healthz``, ``/readyz`` with its checks, and ``/metrics``."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import delete, text
from sqlalchemy.exc import SQLAlchemyError

from reports.language.translation import N_
from webapp import context
from webapp.accounts.permissions import Permission, public, require
from webapp.errors import StoreError
from webapp.jobs import recovery
from webapp.operations import metrics
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import REVISION, Database
from webapp.storage.tables import Milestone, now

_WITHIN = 5.0  # seconds for an answer
_KEPT = 5.0  # seconds for which it counts
_SILENT = N_("The store cannot be reached, or failed.")


class StoreProbe:
    """What is wrong with the store of ``folders``, if anything, as it was at most some seconds ago."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._lock = threading.Lock()
        self._asking = False
        self._until = float("-inf")
        self._problem = ""  # the start saw it work, or there would be nobody to ask

    def problem(self) -> str:
        """In words; empty where it answers. Who comes while somebody asks is told what was known before."""
        with self._lock:
            if self._asking or time.monotonic() < self._until:
                return self._problem
            self._asking = True
        answered = threading.Event()
        threading.Thread(target=self._ask, args=(answered,), name="store probe", daemon=True).start()
        answered.wait(_WITHIN)
        with self._lock:
            if self._asking:
                self._problem = _SILENT
            return self._problem

    def _ask(self, answered: threading.Event) -> None:
        problem = _SILENT
        try:
            # A file that is not there: the question is for an answer.
            self._folders.store.size(self._folders.data / "readiness")
            problem = ""
        except StoreError as found:
            problem = found.error
        finally:
            with self._lock:
                self._problem, self._asking = problem, False
                self._until = time.monotonic() + _KEPT
            answered.set()


@lru_cache
def probe_of(folders: Folders) -> StoreProbe:
    """The one of this process."""
    return StoreProbe(folders)


_PROBE = "readiness probe"


@dataclass(frozen=True)
class ReadinessCheck:
    """One thing that must be so; ``problem`` is empty where it is."""

    name: str
    problem: str


def readiness_checks(settings: Settings, database: Database) -> tuple[ReadinessCheck, ...]:
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
    return tuple(ReadinessCheck(name, _tried(check, settings, database)) for name, check in every.items())


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
    if recovery.alive_workers(database):
        return ""
    return N_("No worker was heard of for %(seconds)s s; analyses wait.") % {
        "seconds": recovery.WORKER_TIMEOUT.seconds
    }


blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """Answer 200 when the database answers."""
    with context.database().begin() as session:
        session.execute(text("SELECT 1"))
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    """Answer 200 when analyses can be taken in and made, 503 with the reasons when not."""
    found = readiness_checks(context.settings(), context.database())
    ready = not any(check.problem for check in found)
    response = jsonify(
        status="ready" if ready else "not ready", checks={each.name: each.problem or "ok" for each in found}
    )
    response.status_code = 200 if ready else 503
    return response


@blueprint.get("/metrics")
@require(Permission.AUDIT)
def figures() -> Response:
    """Figures for Prometheus. Behind a proxy everything comes from loopback, so a permission decides."""
    return Response(metrics.render_metrics(current_app), content_type=metrics.CONTENT_TYPE)
