"""Read analyses: one with its case and state, the latest ones, and other analyses of the same exhibit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from detector.schema.summary import EMPTY_SUMMARY
from detector.timestamps import iso_milliseconds
from language import formatting
from language.translation import failure_texts, gettext, translated
from webapp import context
from webapp.accounts import permissions, visibility
from webapp.accounts.visibility import visible_session
from webapp.casework import blinding
from webapp.casework.blinding import Disclosure
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.jobs import queue as job_queue
from webapp.storage.tables import AnalysisRow, CaseRow, Exhibit, JobRow, Priority, State


def get_or_404(analysis_id: str, disclosure: Disclosure = Disclosure.JUDGEMENTS) -> AnalysisRow:
    """Return the row of an analysis the caller may see; raise a 404 or 410 error otherwise.

    ``disclosure`` is the most the response tells about the analysis. For second reviewers who have yet to
    judge its exhibit, raises :class:`~webapp.casework.blinding.BlindedError` if that is too much.
    """
    who = permissions.current()
    with context.database().begin() as session:
        row = session.scalar(
            visibility.reachable(select(AnalysisRow).where(AnalysisRow.id == analysis_id), who)
        )
        if row is None:
            raise not_found_error(session, analysis_id)
        if not who.sees_all:
            blinding.refuse_blinded(session, who.user_id, row.exhibit_id, disclosure)
    return row


def are_findings_hidden(row: AnalysisRow) -> bool:
    """Tell whether findings about the exhibit are hidden from the caller until they have judged it."""
    who = permissions.current()
    with context.database().begin() as session:
        return not who.sees_all and row.exhibit_id in blinding.hidden_exhibit_ids(session, who.user_id)


def is_activity_hidden(row: AnalysisRow) -> bool:
    """Tell whether the caller, a second reviewer who has yet to judge, is not to know when others act."""
    who = permissions.current()
    with context.database().begin() as session:
        pending = blinding.pending_judgement(session, who.user_id, row.exhibit_id)
    return not who.sees_all and pending is not None


def reload_row(session: Session, analysis_id: str) -> AnalysisRow:
    """Return the current row of an analysis; raise a 410 error if it was deleted meanwhile."""
    row = session.get(AnalysisRow, analysis_id)
    if row is None:
        raise not_found_error(session, analysis_id)
    return row


def not_found_error(session: Session, analysis_id: str) -> UserError:
    """Build the error for a missing analysis: deleted (410), or never there (404)."""
    deletion = custody_log.deletion_entry(session, analysis_id)
    if deletion is None:
        return UserError(
            404,
            gettext("There is no analysis at this address."),
            gettext("Check the address, or look for the analysis in the library."),
        )
    who, of = permissions.current_or_none(), ""
    # Who else could see the analysis is no longer known.
    if who is not None and who.sees_all:
        name = deletion.details.get("name")
        of = gettext(" of %(file)s, SHA-256 %(exhibit)s,", file=name, exhibit=deletion.exhibit)
    when = formatting.moment(custody_log.entry_time(deletion))
    return UserError(
        410,
        gettext("This analysis%(of)s was deleted on %(when)s.", of=of, when=when),
        gettext(
            "Entry %(number)s of the custody log says so. To analyse the file again, upload it again.",
            number=deletion.number,
        ),
    )


def find_exhibit_or_404(session: Session, sha256: str) -> Exhibit:
    """Return an exhibit for the REST API; ``session`` comes from :mod:`webapp.accounts.visibility`."""
    row = session.scalar(select(Exhibit).where(Exhibit.sha256 == sha256))
    if row is None:
        raise _unknown_exhibit()
    return row


def latest_analysis_or_404(session: Session, sha256: str) -> AnalysisRow:
    """Return the latest analysis of an exhibit for the REST API; ``session`` as above."""
    row = latest_analysis_of(session, sha256)
    if row is None:
        raise _unknown_exhibit()
    return row


def _unknown_exhibit() -> UserError:
    return UserError(404, "There is no exhibit with this SHA-256.", "Hand the file in.")


def latest_analyses(count: int) -> tuple[AnalysisRow, ...]:
    """Return the latest analyses, newest first."""
    newest = select(AnalysisRow).order_by(AnalysisRow.created.desc(), AnalysisRow.id.desc())
    with visible_session() as session:
        return tuple(session.scalars(newest.limit(count)).all())


def count_ahead(row: JobRow) -> int:
    """Count the jobs before a queued one, including the running ones."""
    with context.database().begin() as session:
        return job_queue.count_ahead(session, row)


def job_json(row: JobRow, *, ahead: bool = True) -> dict[str, Any]:
    """Return the state of any job as JSON; ``ahead`` adds the number of jobs before it in the queue."""
    status: dict[str, Any] = {
        "id": row.id,
        "state": row.shown_state,
        "priority": Priority(row.priority).words,
        "stage": row.stage,
        "progress": row.progress,
        "created": iso_milliseconds(row.created),
        "started": iso_milliseconds(row.started) if row.started else None,
        "finished": iso_milliseconds(row.finished) if row.finished else None,
        "attempt": row.attempt,
    }
    if row.shown_state is State.QUEUED and ahead:
        status["ahead"] = count_ahead(row)
    if row.state == State.FAILED:
        failure = json.loads(row.failure) | {"text": row.error} if row.failure else None
        status |= {"error": row.error, "remedy": row.remedy, "failure": failure}
    return status


def latest_analysis_of(session: Session, sha256: str) -> AnalysisRow | None:
    """Return the latest analysis of an exhibit; ``session`` comes from :mod:`webapp.accounts.visibility`."""
    own = select(AnalysisRow).join(AnalysisRow.exhibit).where(Exhibit.sha256 == sha256)
    return session.scalars(own.order_by(AnalysisRow.created.desc()).limit(1)).first()


def sibling_analyses(row: AnalysisRow) -> tuple[AnalysisRow, ...]:
    """Return the latest other analyses of the same exhibit."""
    siblings = (AnalysisRow.exhibit_id == row.exhibit_id) & (AnalysisRow.id != row.id)
    with visible_session() as session:
        query = select(AnalysisRow).where(siblings).order_by(AnalysisRow.created.desc()).limit(5)
        return tuple(session.scalars(query).all())


@dataclass(frozen=True)
class CaseReference:
    """The case of an analysis; its name is None for those who may not see the case."""

    id: int
    name: str | None
    closed: datetime | None

    @property
    def read_only(self) -> bool:
        """Whether the caller may not change the case: it is closed, or they may not see it."""
        return self.closed is not None or self.name is None


def case_of(row: AnalysisRow) -> CaseReference | None:
    """Return the case of an analysis, if it has one."""
    if row.case_id is None:
        return None
    own = select(CaseRow.name).where(CaseRow.id == row.case_id)
    with context.database().begin() as session:
        name = session.scalar(visibility.visible(own, permissions.current()))
        closed = session.scalar(select(CaseRow.closed).where(CaseRow.id == row.case_id))
    return CaseReference(row.case_id, name, closed)


@dataclass(frozen=True)
class EarlierAnalyses:
    """Analyses of an exhibit that existed when its file was uploaded again."""

    count: int
    first: datetime  # creation of the oldest
    latest: tuple[AnalysisRow, ...]


def earlier_analyses(row: AnalysisRow) -> EarlierAnalyses | None:
    """Return the analyses of the same exhibit before this one that the caller may see."""
    same = (AnalysisRow.exhibit_id == row.exhibit_id) & (AnalysisRow.id != row.id)
    same &= AnalysisRow.created <= row.created
    counts = select(func.count(), func.min(AnalysisRow.created)).where(same)
    newest = select(AnalysisRow).where(same).order_by(AnalysisRow.created.desc()).limit(5)
    with visible_session() as session:
        count, first = session.execute(counts).one()
        return EarlierAnalyses(count, first, tuple(session.scalars(newest).all())) if count else None


def status_json(row: AnalysisRow, *, ahead: bool = True) -> dict[str, Any]:
    """Return state and findings of an analysis as JSON; see :func:`job_json`."""
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
        "outcome": row.outcome,
    }


def translate_status(status: dict[str, Any]) -> dict[str, Any]:
    """Translate stage, error and remedy in a job's JSON into the language of the request."""
    words = {"stage": translated(status["stage"])} if status.get("stage") else {}
    if "error" in status:
        texts = failure_texts(status["failure"], status["error"], status["remedy"])
        words |= dict(zip(("error", "remedy"), texts, strict=True))
    return status | words
