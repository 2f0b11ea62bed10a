"""The state of the installation, and alerts when it passes a threshold an administrator set.

An alert is raised once and sent to webhooks subscribed to ``operations.alert``, and once more, as
``operations.resolved``, when it is over. Without a threshold nothing is ever raised.
"""

from __future__ import annotations

import logging
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from detector.version import __version__
from language.formatting import shown
from language.translation import N_, gettext
from webapp.custody import custody_log, integrity
from webapp.custody.integrity import LastLogCheck
from webapp.errors import UserError
from webapp.jobs import queue as job_queue
from webapp.jobs import recovery
from webapp.jobs.recovery import AliveWorker
from webapp.settings import Settings
from webapp.storage.database import REVISION, Database
from webapp.storage.tables import (
    JOBS,
    AnalysisRow,
    Choice,
    Condition,
    Delivery,
    Exhibit,
    Milestone,
    State,
    now,
    shown_state,
)
from webapp.webhooks import messages

log = logging.getLogger(__name__)

_MAX_THRESHOLD = 10_000_000
# Prefixes of the names of choices and milestones.
_THRESHOLD, _RAISED = "threshold ", "alert "


@dataclass(frozen=True)
class InstallationState:
    """What administrators and monitoring watch, at one moment."""

    moment: datetime
    states: dict[str, dict[str, int]]  # number of jobs by kind, then by state
    oldest: datetime | None  # since when the oldest waiting job has been waiting
    workers: Sequence[AliveWorker]
    disk_free: int
    disk_size: int
    exhibits: int
    exhibit_bytes: int
    messages: int  # of webhooks, not delivered yet
    backup: datetime | None
    integrity: datetime | None  # the last check of all exhibits
    damaged: int  # exhibits whose file is not the uploaded one
    custody: LastLogCheck
    entries: int  # of the custody log

    @property
    def waited(self) -> timedelta:
        """How long the oldest waiting job has been waiting."""
        return self.moment - self.oldest if self.oldest else timedelta()


def gather_state(settings: Settings, database: Database) -> InstallationState:
    """Gather the current state from rows, workers and disk."""
    states: dict[str, dict[str, int]] = {}
    with database.begin() as session:
        for table in JOBS:
            column = shown_state() if table is AnalysisRow else table.state
            rows = session.execute(select(column, func.count()).group_by(column))
            counts = {str(state): count for state, count in rows}
            states[table.__tablename__] = {str(state): counts.get(str(state), 0) for state in State}
        oldest = job_queue.waiting_since(session)
        exhibits, size = session.execute(select(func.count(), func.sum(Exhibit.bytes))).one()
        undelivered = select(func.count()).select_from(Delivery).where(Delivery.due.is_not(None))
        is_damaged = Exhibit.condition.is_not(None) & (Exhibit.condition != Condition.FITS)
        backup = custody_log.latest_backup(session)
        integrity_check = custody_log.latest_integrity_check(session)
        counts = {
            "messages": session.scalar(undelivered) or 0,
            "damaged": session.scalar(select(func.count()).select_from(Exhibit).where(is_damaged)) or 0,
            "entries": custody_log.head(session).count,
        }
        custody = integrity.last_log_check(session)
    disk = shutil.disk_usage(settings.data)
    return InstallationState(
        moment=now(),
        states=states,
        oldest=oldest,
        workers=recovery.alive_workers(database),
        disk_free=disk.free,
        disk_size=disk.total,
        exhibits=exhibits,
        exhibit_bytes=size or 0,
        backup=custody_log.entry_time(backup) if backup else None,
        integrity=custody_log.entry_time(integrity_check) if integrity_check else None,
        custody=custody,
        **counts,
    )


def versions(database: Database) -> dict[str, str]:
    """Return the versions of the software in use."""
    return {
        "Reelproof": __version__,
        N_("tables"): REVISION,
        N_("database"): database.engine.dialect.name,
        "Python": platform.python_version(),
        N_("system"): f"{platform.system()} {platform.release()}",
    }


@dataclass(frozen=True)
class AlertKind:
    """A threshold: its name, what the number means, and a function that returns the message once passed."""

    name: str
    label: str
    passed: Callable[[InstallationState, int], str]  # empty while the threshold is not passed


def _if_older(message: str, never: str, moment: datetime | None, state: InstallationState, days: int) -> str:
    if moment is None:
        return never
    # A moment in the future was recorded by a clock that ran fast: its age is unknown.
    is_recent = timedelta() <= state.moment - moment <= timedelta(days=days)
    return "" if is_recent else message % {"when": f"{moment:%Y-%m-%d %H:%M}"}


def _queue(state: InstallationState, minutes: int) -> str:
    if state.waited <= timedelta(minutes=minutes):
        return ""
    waited = round(state.waited.total_seconds() / 60)
    message = (
        N_("The oldest job has been waiting for %(minutes)s minute.")
        if waited == 1
        else N_("The oldest job has been waiting for %(minutes)s minutes.")
    )
    return message % {"minutes": f"{waited:,}"}


def _disk(state: InstallationState, megabytes: int) -> str:
    free = state.disk_free / 1e6
    message = N_("%(free)s MB are free on the data folder's disk.")
    return message % {"free": f"{free:,.0f}"} if free < megabytes else ""


def _workers(state: InstallationState, minimum: int) -> str:
    alive = len(state.workers)
    message = (
        N_("%(heard)s of %(least)s worker service is running.")
        if minimum == 1
        else N_("%(heard)s of %(least)s worker services are running.")
    )
    return message % {"heard": alive, "least": minimum} if alive < minimum else ""


def _log_check(state: InstallationState, days: int) -> str:
    if state.custody.damaged is not None:
        return N_("The custody log was changed after it was written.")
    return _if_older(
        N_("The last check of the custody log was %(when)s UTC."),
        N_("The last check of the custody log: never."),
        state.custody.fits,
        state,
        days,
    )


def _backup(state: InstallationState, days: int) -> str:
    message, never = N_("The last backup was %(when)s UTC."), N_("The last backup: never.")
    return _if_older(message, never, state.backup, state, days)


def _exhibits(state: InstallationState, maximum: int) -> str:
    message = (
        N_("%(damaged)s exhibit is damaged or missing.")
        if state.damaged == 1
        else N_("%(damaged)s exhibits are damaged or missing.")
    )
    return message % {"damaged": state.damaged} if state.damaged > maximum else ""


KINDS = (
    AlertKind(N_("queue"), N_("Minutes the oldest job may wait"), _queue),
    AlertKind(N_("disk"), N_("MB that must be free on the data folder's disk"), _disk),
    AlertKind(N_("workers"), N_("Number of worker services that must be running"), _workers),
    AlertKind(N_("backup"), N_("Days since the last backup"), _backup),
    AlertKind(N_("custody"), N_("Days since the custody log was last found intact"), _log_check),
    AlertKind(N_("exhibits"), N_("Exhibits that may be damaged or missing"), _exhibits),
)


def thresholds(session: Session) -> dict[str, int]:
    """Return the thresholds that are set, by name."""
    rows = session.scalars(select(Choice).where(Choice.name.startswith(_THRESHOLD)))
    return {row.name.removeprefix(_THRESHOLD): int(row.value) for row in rows}


def set_thresholds(session: Session, form: Mapping[str, str]) -> None:
    """Set the thresholds of a form, and remove those it leaves empty.

    Raises :class:`UserError` for an invalid number.
    """
    before, after = thresholds(session), {}
    for kind in KINDS:
        text = form.get(kind.name, "").strip()
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_THRESHOLD))
        if text and not (is_number and int(text) <= _MAX_THRESHOLD):
            raise UserError(
                400,
                gettext(
                    "“%(entered)s” is not a whole number up to %(most)s.",
                    entered=text[:20],
                    most=shown(_MAX_THRESHOLD, ","),
                ),
                gettext("Nothing was changed."),
                field=kind.name,
            )
        if text:
            after[kind.name] = int(text)
    if after == before:
        return
    session.execute(delete(Choice).where(Choice.name.startswith(_THRESHOLD)))
    session.add_all(Choice(name=_THRESHOLD + name, value=str(n), made=now()) for name, n in after.items())
    details = {kind.name: after.get(kind.name, "none") for kind in KINDS}
    custody_log.append(session, "configuration", {"what": "alerts", **details})


def raised_alerts(session: Session) -> dict[str, datetime]:
    """Return the current alerts by name, with the time they were raised."""
    rows = session.scalars(select(Milestone).where(Milestone.name.startswith(_RAISED)))
    return {row.name.removeprefix(_RAISED): row.reached for row in rows}


def check_alerts(settings: Settings, database: Database) -> dict[str, str]:
    """Raise and end alerts, notify webhooks, and return messages about all thresholds passed now, by name."""
    with database.begin() as session:
        limits, raised = thresholds(session), raised_alerts(session)
    if not limits and not raised:
        return {}
    state = gather_state(settings, database)
    passed = {
        kind.name: message
        for kind in KINDS
        if kind.name in limits and (message := kind.passed(state, limits[kind.name]))
    }
    if passed.keys() != raised.keys():
        with database.alone() as session:
            _update_alerts(session, passed, raised_alerts(session))
    return passed


def _update_alerts(session: Session, passed: Mapping[str, str], raised: Mapping[str, datetime]) -> None:
    moment = now()
    for name in passed.keys() - raised.keys():
        log.warning("alert: %s", passed[name])
        session.add(Milestone(name=_RAISED + name, reached=moment))
        messages.queue_alert(session, "operations.alert", name, passed[name], moment)
    for name in raised.keys() - passed.keys():
        session.execute(delete(Milestone).where(Milestone.name == _RAISED + name))
        messages.queue_alert(session, "operations.resolved", name, "", moment)
