"""Alerts: thresholds that an administrator set on the page of operations, and who is told when one is passed.

An alert is raised once and told to webhooks that listen to ``operations.alert``, and once more, as
``operations.resolved``, when it is over. Without a threshold nothing is ever raised.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from reports.text.numbers import shown
from reports.text.translation.language import N_, gettext
from webapp.custody import log as custody_log
from webapp.errors import UserError
from webapp.monitoring import operations
from webapp.monitoring.operations import Operations
from webapp.settings import Settings
from webapp.storage.database import Database
from webapp.storage.tables import Choice, Milestone, now
from webapp.webhooks import messages

log = logging.getLogger(__name__)

_MOST = 10_000_000
_THRESHOLD, _RAISED = "threshold ", "alert "


@dataclass(frozen=True)
class AlertKind:
    """One thing that can be watched: its name, what the number means, and the words once it is passed."""

    name: str
    label: str
    passed: Callable[[Operations, int], str]  # empty while it is not


def _older(then: str, never: str, moment: datetime | None, at: datetime, days: int) -> str:
    if moment is None:
        return never
    # One that lies ahead was made by a clock that ran ahead: nobody knows how old it is.
    lately = timedelta() <= at - moment <= timedelta(days=days)
    return "" if lately else then % {"when": f"{moment:%Y-%m-%d %H:%M}"}


def _queue(found: Operations, minutes: int) -> str:
    waited = found.waited
    late = waited > timedelta(minutes=minutes)
    told = round(waited.total_seconds() / 60)
    words = (
        N_("The oldest job has been waiting for %(minutes)s minute.")
        if told == 1
        else N_("The oldest job has been waiting for %(minutes)s minutes.")
    )
    return words % {"minutes": f"{told:,}"} if late else ""


def _disk(found: Operations, megabytes: int) -> str:
    free = found.disk_free / 1e6
    words = N_("%(free)s MB are free on the data folder's disk.")
    return words % {"free": f"{free:,.0f}"} if free < megabytes else ""


def _workers(found: Operations, least: int) -> str:
    heard = len(found.workers)
    words = (
        N_("%(heard)s of %(least)s worker service is there.")
        if least == 1
        else N_("%(heard)s of %(least)s worker services are there.")
    )
    return words % {"heard": heard, "least": least} if heard < least else ""


def _check(found: Operations, days: int) -> str:
    if found.custody.damaged is not None:
        return N_("The custody log is not as it was written.")
    return _older(
        N_("The last check of the custody log was %(when)s UTC."),
        N_("The last check of the custody log: never."),
        found.custody.fits,
        found.moment,
        days,
    )


def _backup(found: Operations, days: int) -> str:
    return _older(
        N_("The last backup was %(when)s UTC."),
        N_("The last backup: never."),
        found.backup,
        found.moment,
        days,
    )


def _exhibits(found: Operations, most: int) -> str:
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


def raised(session: Session) -> dict[str, datetime]:
    """The alerts there are now, and since when."""
    rows = session.scalars(select(Milestone).where(Milestone.name.startswith(_RAISED)))
    return {row.name.removeprefix(_RAISED): row.reached for row in rows}


def check(settings: Settings, database: Database) -> dict[str, str]:
    """Raise what passed its threshold, end what no longer does, and tell webhooks; what is passed now."""
    with database.begin() as session:
        limits, before = thresholds(session), raised(session)
    if not limits and not before:
        return {}
    found = operations.gather(settings, database)
    passed = {
        kind.name: words
        for kind in KINDS
        if kind.name in limits and (words := kind.passed(found, limits[kind.name]))
    }
    if passed.keys() != before.keys():
        with database.alone() as session:
            _change(session, passed, raised(session))
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
