"""Retention: the analyses and closed cases that are old enough to be deleted, and when.

An analysis in no case is due a time after it ended, a closed case with all its analyses a time after it was
closed (``REELPROOF_RETENTION_DAYS``). An open case is never due, so that reopening a case keeps it.
:mod:`webapp.worker.retention` deletes what is due.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.jobs.states import ENDED
from webapp.storage.tables import AnalysisRow, CaseRow

NOTICE = timedelta(days=7)
"""The page of operations lists what is due within this time."""


@dataclass(frozen=True)
class DueAnalysis:
    """An analysis in no case, and when it is deleted."""

    id: str
    file: str
    due: datetime


@dataclass(frozen=True)
class DueCase:
    """A closed case, and when it is purged."""

    id: int
    name: str
    due: datetime
    analyses: int


@dataclass(frozen=True)
class Due:
    """What is deleted until a moment, oldest first."""

    analyses: tuple[DueAnalysis, ...]
    cases: tuple[DueCase, ...]


def due_until(session: Session, kept_for: timedelta, moment: datetime) -> Due:
    """Return what is due until ``moment`` if analyses and closed cases are kept for ``kept_for``.

    Queued, running and paused analyses are never due: somebody waits for them.
    """
    ended = func.coalesce(AnalysisRow.finished, AnalysisRow.created)
    old = AnalysisRow.case_id.is_(None), AnalysisRow.state.in_(ENDED), ended <= moment - kept_for
    analyses = select(AnalysisRow.id, AnalysisRow.file, ended).where(*old).order_by(ended, AnalysisRow.id)
    inside = select(func.count()).where(AnalysisRow.case_id == CaseRow.id).scalar_subquery()
    closed = CaseRow.closed.is_not(None), CaseRow.closed <= moment - kept_for
    cases = select(CaseRow.id, CaseRow.name, CaseRow.closed, inside).where(*closed).order_by(CaseRow.closed)
    return Due(
        tuple(DueAnalysis(key, file, end + kept_for) for key, file, end in session.execute(analyses)),
        tuple(DueCase(key, name, end + kept_for, count) for key, name, end, count in session.execute(cases)),
    )
