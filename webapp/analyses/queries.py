"""Read analyses: one with its case and state, the latest ones, and other analyses of the same exhibit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from detector.schema.analysis import EMPTY_SUMMARY
from detector.timestamps import iso_milliseconds
from reports.language import formatting
from reports.language.translation import capitalize_first, gettext, translated
from webapp import context
from webapp.accounts import permissions, visibility
from webapp.accounts.visibility import visible_session
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.jobs import queue as job_queue
from webapp.review import blinding
from webapp.review.blinding import Disclosure
from webapp.storage.tables import AnalysisRow, CaseRow, Exhibit, JobRow, Priority, State


def get_or_404(analysis_id: str, discloses: Disclosure = Disclosure.JUDGEMENTS) -> AnalysisRow:
    """The row of an analysis, or an answer that says why there is none.

    The same answer where who asks may not see it. ``discloses`` is the most that the answer tells of it: a
    second reviewer who has yet to judge its exhibit gets :class:`~webapp.review.blinding.BlindedError`
    instead.
    """
    who = permissions.current()
    with context.database().begin() as session:
        row = session.scalar(
            visibility.reachable(select(AnalysisRow).where(AnalysisRow.id == analysis_id), who)
        )
        if row is None:
            raise not_found_error(session, analysis_id)
        if not who.sees_all:
            blinding.refuse_blinded(session, who.user_id, row.exhibit_id, discloses)
    return row


def are_findings_hidden(row: AnalysisRow) -> bool:
    """Whether who asks is not to know what was found in an exhibit before they have judged it."""
    who = permissions.current()
    with context.database().begin() as session:
        return not who.sees_all and row.exhibit_id in blinding.hidden_exhibit_ids(session, who.user_id)


def reload_row(session: Session, analysis_id: str) -> AnalysisRow:
    """The row of an analysis as it is now; raises :func:`gone` where it was deleted meanwhile."""
    row = session.get(AnalysisRow, analysis_id)
    if row is None:
        raise not_found_error(session, analysis_id)
    return row


def not_found_error(session: Session, analysis_id: str) -> UserError:
    """What to say of an analysis that is not there: that it was deleted, and when, or never was."""
    tombstone = custody_log.deletion_entry(session, analysis_id)
    if tombstone is None:
        return UserError(
            404,
            gettext("There is no analysis at this address."),
            gettext("Check the address, or look for the analysis in the library."),
        )
    who, of = permissions.current_or_none(), ""
    if who is not None and who.sees_all:  # nobody knows any more who else could see it
        of = gettext(
            " of %(file)s, SHA-256 %(exhibit)s,",
            file=tombstone.details.get("name"),
            exhibit=tombstone.exhibit,
        )
    return UserError(
        410,
        gettext(
            "This analysis%(of)s was deleted on %(when)s.",
            of=of,
            when=formatting.moment(custody_log.entry_time(tombstone)),
        ),
        gettext(
            "Entry %(number)s of the custody log says so. To analyse the file again, hand it in again.",
            number=tombstone.number,
        ),
    )


def latest_analyses(count: int) -> tuple[AnalysisRow, ...]:
    """The analyses handed in last, newest first."""
    newest = select(AnalysisRow).order_by(AnalysisRow.created.desc(), AnalysisRow.id.desc())
    with visible_session() as session:
        return tuple(session.scalars(newest.limit(count)).all())


def count_ahead(row: JobRow) -> int:
    """How many jobs come before a queued one, the running ones included."""
    with context.database().begin() as session:
        return job_queue.count_ahead(session, row)


def job_json(row: JobRow, *, ahead: bool = True) -> dict[str, Any]:
    """Where any job stands, as programs and pages that wait for it are told.

    ``ahead``: whether its place in the queue is looked up.
    """
    known: dict[str, Any] = {
        "id": row.id,
        "state": row.state,
        "priority": Priority(row.priority).words,
        "stage": row.stage,
        "progress": row.progress,
        "created": iso_milliseconds(row.created),
        "started": _iso(row.started),
        "finished": _iso(row.finished),
        "attempt": row.attempt,
    }
    if row.state == State.QUEUED and ahead:
        known["ahead"] = count_ahead(row)
    if row.state == State.FAILED:
        known |= {"error": row.error, "remedy": row.remedy}
    return known


def latest_analysis_of(session: Session, sha256: str) -> AnalysisRow | None:
    """The latest analysis of an exhibit; ``session`` is of :mod:`webapp.accounts.visibility`."""
    own = select(AnalysisRow).join(AnalysisRow.exhibit).where(Exhibit.sha256 == sha256)
    return session.scalars(own.order_by(AnalysisRow.created.desc()).limit(1)).first()


def sibling_analyses(row: AnalysisRow) -> tuple[AnalysisRow, ...]:
    """The latest other analyses of the same exhibit."""
    query = (
        select(AnalysisRow)
        .where(AnalysisRow.exhibit_id == row.exhibit_id, AnalysisRow.id != row.id)
        .order_by(AnalysisRow.created.desc())
        .limit(5)
    )
    with visible_session() as session:
        return tuple(session.scalars(query).all())


@dataclass(frozen=True)
class CaseReference:
    """The case an analysis is in: what it is called is told to those who may see it, else None."""

    id: int
    name: str | None
    closed: datetime | None

    @property
    def read_only(self) -> bool:
        """Whether who asks changes nothing in it: it is closed, or they may not see it."""
        return self.closed is not None or self.name is None


def case_of(row: AnalysisRow) -> CaseReference | None:
    """The case an analysis is in, if it is in one."""
    if row.case_id is None:
        return None
    own = select(CaseRow.name).where(CaseRow.id == row.case_id)
    with context.database().begin() as session:
        name = session.scalar(visibility.visible(own, permissions.current()))
        closed = session.scalar(select(CaseRow.closed).where(CaseRow.id == row.case_id))
    return CaseReference(row.case_id, name, closed)


@dataclass(frozen=True)
class EarlierAnalyses:
    """Analyses of an exhibit that were there when it was handed in once more."""

    count: int
    first: datetime  # when the first of them was handed in
    latest: tuple[AnalysisRow, ...]


def earlier_analyses(row: AnalysisRow) -> EarlierAnalyses | None:
    """The analyses of the same exhibit from before this one, as far as who asks may see them."""
    same = (AnalysisRow.exhibit_id == row.exhibit_id) & (AnalysisRow.id != row.id)
    same &= AnalysisRow.created <= row.created
    counted = select(func.count(), func.min(AnalysisRow.created)).where(same)
    newest = select(AnalysisRow).where(same).order_by(AnalysisRow.created.desc()).limit(5)
    with visible_session() as session:
        count, first = session.execute(counted).one()
        return EarlierAnalyses(count, first, tuple(session.scalars(newest).all())) if count else None


def status_json(row: AnalysisRow, *, ahead: bool = True) -> dict[str, Any]:
    """Where an analysis stands and what it found, as programs and pages are told; see :func:`job_json`."""
    return job_json(row, ahead=ahead) | {
        "file": row.file,
        "model": row.model,
        "sha256": row.exhibit.sha256,
        "settings": json.loads(row.changed_parameters or "{}"),
        "duration": row.duration,
        "verdict": row.verdict,
        "probability": row.probability,
        **EMPTY_SUMMARY,
        **(json.loads(row.summary) if row.summary else {}),
    }


def _iso(moment: datetime | None) -> str | None:
    return iso_milliseconds(moment) if moment else None


def translate_status(status: dict[str, Any]) -> dict[str, Any]:
    """The state of a job as JSON, with its stage, error and remedy in that language under ``words``."""
    words = {"stage": capitalize_first(translated(status["stage"]))}
    words |= {name: translated(status[name] or "") for name in ("error", "remedy") if name in status}
    return status | {"words": words}
