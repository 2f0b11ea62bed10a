"""The state of the installation, and alerts when it passes a threshold an administrator set."""

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
from reports.language.formatting import shown
from reports.language.translation import N_, gettext
from webapp.custody import custody_log
from webapp.custody import integrity as custody_integrity
from webapp.custody.integrity import LastLogCheck
from webapp.errors import UserError
from webapp.jobs import queue as job_queue
from webapp.jobs import recovery
from webapp.jobs.recovery import AliveWorker
from webapp.settings import Settings
from webapp.storage.database import REVISION, Database
from webapp.storage.tables import JOBS, Choice, Condition, Delivery, Exhibit, Milestone, State, now
from webapp.webhooks import messages


@dataclass(frozen=True)
class InstallationState:
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
    custody: LastLogCheck
    entries: int  # of the custody log

    @property
    def waited(self) -> timedelta:
        """How long a job has been waiting, at most."""
        return self.moment - self.oldest if self.oldest else timedelta()


def gather_state(settings: Settings, database: Database) -> InstallationState:
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
        backup, run = custody_log.latest_backup(session), custody_log.latest_integrity_check(session)
        found = {
            "messages": session.scalar(waiting) or 0,
            "damaged": session.scalar(select(func.count()).select_from(Exhibit).where(not_so)) or 0,
            "entries": custody_log.head(session).count,
        }
        custody = custody_integrity.last_log_check(session)
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
        integrity=custody_log.entry_time(run) if run else None,
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


log = logging.getLogger(__name__)

_MOST = 10_000_000
_THRESHOLD, _RAISED = "threshold ", "alert "


@dataclass(frozen=True)
class AlertKind:
    """One thing that can be watched: its name, what the number means, and the words once it is passed."""

    name: str
    label: str
    passed: Callable[[InstallationState, int], str]  # empty while it is not


def _older(then: str, never: str, moment: datetime | None, at: datetime, days: int) -> str:
    if moment is None:
        return never
    # One that lies ahead was made by a clock that ran ahead: nobody knows how old it is.
    lately = timedelta() <= at - moment <= timedelta(days=days)
    return "" if lately else then % {"when": f"{moment:%Y-%m-%d %H:%M}"}


def _queue(found: InstallationState, minutes: int) -> str:
    waited = found.waited
    late = waited > timedelta(minutes=minutes)
    told = round(waited.total_seconds() / 60)
    words = (
        N_("The oldest job has been waiting for %(minutes)s minute.")
        if told == 1
        else N_("The oldest job has been waiting for %(minutes)s minutes.")
    )
    return words % {"minutes": f"{told:,}"} if late else ""


def _disk(found: InstallationState, megabytes: int) -> str:
    free = found.disk_free / 1e6
    words = N_("%(free)s MB are free on the data folder's disk.")
    return words % {"free": f"{free:,.0f}"} if free < megabytes else ""


def _workers(found: InstallationState, least: int) -> str:
    heard = len(found.workers)
    words = (
        N_("%(heard)s of %(least)s worker service is there.")
        if least == 1
        else N_("%(heard)s of %(least)s worker services are there.")
    )
    return words % {"heard": heard, "least": least} if heard < least else ""


def _check(found: InstallationState, days: int) -> str:
    if found.custody.damaged is not None:
        return N_("The custody log is not as it was written.")
    return _older(
        N_("The last check of the custody log was %(when)s UTC."),
        N_("The last check of the custody log: never."),
        found.custody.fits,
        found.moment,
        days,
    )


def _backup(found: InstallationState, days: int) -> str:
    return _older(
        N_("The last backup was %(when)s UTC."),
        N_("The last backup: never."),
        found.backup,
        found.moment,
        days,
    )


def _exhibits(found: InstallationState, most: int) -> str:
    words = (
        N_("%(damaged)s exhibit is damaged or missing.")
        if found.damaged == 1
        else N_("%(damaged)s exhibits are damaged or missing.")
    )
    return words % {"damaged": found.damaged} if found.damaged > most else ""


KINDS = (
    AlertKind("queue", N_("Minutes the oldest job may wait"), _queue),
    AlertKind("disk", N_("MB that must be free on the data folder's disk"), _disk),
    AlertKind("workers", N_("Worker services that must be there, each counted once"), _workers),
    AlertKind("backup", N_("Days since the last backup"), _backup),
    AlertKind("custody", N_("Days since the custody log was last found whole"), _check),
    AlertKind("exhibits", N_("Exhibits that may be damaged or missing"), _exhibits),
)


def thresholds(session: Session) -> dict[str, int]:
    """Those that are set, by name."""
    rows = session.scalars(select(Choice).where(Choice.name.startswith(_THRESHOLD)))
    return {row.name.removeprefix(_THRESHOLD): int(row.value) for row in rows}


def set_thresholds(session: Session, form: Mapping[str, str]) -> None:
    """Set those a form has, remove those it leaves empty; raises :class:`UserError` for what is no number."""
    before, after = thresholds(session), {}
    for kind in KINDS:
        text = form.get(kind.name, "").strip()
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(_MOST))
        if text and not (digits and int(text) <= _MOST):
            raise UserError(
                400,
                gettext(
                    "“%(entered)s” is no whole number up to %(most)s.",
                    entered=text[:20],
                    most=shown(_MOST, ","),
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
    said = {kind.name: after.get(kind.name, "none") for kind in KINDS}
    custody_log.append(session, "configuration", {"what": "alerts", **said})


def raised_alerts(session: Session) -> dict[str, datetime]:
    """The alerts there are now, and since when."""
    rows = session.scalars(select(Milestone).where(Milestone.name.startswith(_RAISED)))
    return {row.name.removeprefix(_RAISED): row.reached for row in rows}


def check_alerts(settings: Settings, database: Database) -> dict[str, str]:
    """Raise what passed its threshold, end what no longer does, and tell webhooks; what is passed now."""
    with database.begin() as session:
        limits, before = thresholds(session), raised_alerts(session)
    if not limits and not before:
        return {}
    found = gather_state(settings, database)
    passed = {
        kind.name: words
        for kind in KINDS
        if kind.name in limits and (words := kind.passed(found, limits[kind.name]))
    }
    if passed.keys() != before.keys():
        with database.alone() as session:
            _change(session, passed, raised_alerts(session))
    return passed


def _change(session: Session, passed: Mapping[str, str], before: Mapping[str, datetime]) -> None:
    moment = now()
    for name in passed.keys() - before.keys():
        log.warning("alert: %s", passed[name])
        session.add(Milestone(name=_RAISED + name, reached=moment))
        messages.queue_alert(session, "operations.alert", name, passed[name], moment)
    for name in before.keys() - passed.keys():
        session.execute(delete(Milestone).where(Milestone.name == _RAISED + name))
        messages.queue_alert(session, "operations.resolved", name, "", moment)
