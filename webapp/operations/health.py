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

from language.translation import N_
from webapp import context
from webapp.accounts.permissions import Permission, public, require
from webapp.errors import StoreError
from webapp.jobs import recovery
from webapp.operations import metrics
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import REVISION, Database
from webapp.storage.tables import Milestone, now

blueprint = Blueprint("health", __name__)

_PROBE = "readiness probe"
_STORE_TIMEOUT = 5.0  # seconds
_STORE_CACHED_FOR = 5.0  # seconds
_STORE_FAILED = N_("The store cannot be reached, or failed.")


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """Answer 200 if the database responds."""
    with context.database().begin() as session:
        session.execute(text("SELECT 1"))
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    """Answer 200 if uploads and analyses work, and 503 with the reasons if not."""
    checks = readiness_checks(context.settings(), context.database())
    ready = not any(check.problem for check in checks)
    response = jsonify(
        status="ready" if ready else "not ready",
        checks={check.name: check.problem or "ok" for check in checks},
    )
    response.status_code = 200 if ready else 503
    return response


@blueprint.get("/metrics")
@require(Permission.AUDIT)
def figures() -> Response:
    """Return the metrics for Prometheus.

    A permission protects them and not the client's address: behind a proxy all requests come from loopback.
    """
    return Response(metrics.render_metrics(current_app), content_type=metrics.CONTENT_TYPE)


@dataclass(frozen=True)
class ReadinessCheck:
    """The result of one check; ``problem`` is empty if it passed."""

    name: str
    problem: str


def readiness_checks(settings: Settings, database: Database) -> tuple[ReadinessCheck, ...]:
    """Run all checks; none raises."""
    checks: dict[str, Callable[[Settings, Database], str]] = {
        "database": _database_problem,
        "migrations": _migrations_problem,
        "disk": _disk_problem,
        "data folder": _data_folder_problem,
        "worker": _worker_problem,
    }
    if settings.store is not None:
        checks["store"] = lambda settings, _database: probe_of(Folders.of(settings)).problem()
    return tuple(
        ReadinessCheck(name, _run_check(check, settings, database)) for name, check in checks.items()
    )


def _run_check(check: Callable[[Settings, Database], str], settings: Settings, database: Database) -> str:
    try:
        return check(settings, database)
    except SQLAlchemyError:
        return N_("The database does not answer, or is read-only.")
    except OSError as problem:
        return N_("The data folder does not work: %(problem)s.") % {"problem": problem.strerror}


def _database_problem(_settings: Settings, database: Database) -> str:
    with database.begin() as session:
        name = f"{_PROBE} {secrets.token_hex(4)}"
        session.add(Milestone(name=name, reached=now()))
        session.flush()
        session.execute(delete(Milestone).where(Milestone.name == name))
    return ""


def _migrations_problem(_settings: Settings, database: Database) -> str:
    revision = database.revision()
    if revision == REVISION:
        return ""
    return N_("The database has tables of version %(found)s, but this Reelproof needs %(needed)s.") % {
        "found": revision or "none",
        "needed": REVISION,
    }


def _disk_problem(settings: Settings, _database: Database) -> str:
    free = shutil.disk_usage(settings.data).free
    if free > settings.spare:
        return ""
    return N_("%(free)s MB are free, less than the %(spare)s MB kept spare.") % {
        "free": f"{free / 1e6:,.0f}",
        "spare": f"{settings.spare / 1e6:,.0f}",
    }


def _data_folder_problem(settings: Settings, _database: Database) -> str:
    folder = Folders.local(settings.data).incoming
    if not os.access(folder, os.W_OK | os.X_OK):
        return N_("The data folder cannot be written.")
    with tempfile.TemporaryFile(dir=folder):  # fails on a disk that became read-only after an error
        return ""


def _worker_problem(_settings: Settings, database: Database) -> str:
    if recovery.alive_workers(database):
        return ""
    return N_("No worker has reported for %(seconds)s s; analyses wait.") % {
        "seconds": recovery.WORKER_TIMEOUT.seconds
    }


class StoreProbe:
    """Checks whether the object store responds, and caches the result for some seconds.

    One thread asks the store, however many requests want to know, and they wait only briefly. Otherwise a
    store that hangs would hold every request that asks, and in the end all threads of the server.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._lock = threading.Lock()
        self._asking = False
        self._valid_until = float("-inf")
        self._problem = ""  # the app has started, so the store worked then

    def problem(self) -> str:
        """Return the problem, empty if there is none; while another request asks, the last known result."""
        with self._lock:
            if self._asking or time.monotonic() < self._valid_until:
                return self._problem
            self._asking = True
        answered = threading.Event()
        threading.Thread(target=self._ask, args=(answered,), name="store probe", daemon=True).start()
        answered.wait(_STORE_TIMEOUT)
        with self._lock:
            if self._asking:
                self._problem = _STORE_FAILED
            return self._problem

    def _ask(self, answered: threading.Event) -> None:
        problem = _STORE_FAILED
        try:
            # The file does not exist; only a response matters.
            self._folders.store.size(self._folders.data / "readiness")
            problem = ""
        except StoreError as error:
            problem = error.error
        finally:
            with self._lock:
                self._problem, self._asking = problem, False
                self._valid_until = time.monotonic() + _STORE_CACHED_FOR
            answered.set()


@lru_cache
def probe_of(folders: Folders) -> StoreProbe:
    """Return the probe of this process for a store."""
    return StoreProbe(folders)
