"""What the library tells of its rows beside what is in them, read for all rows of a page at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from reports.review.annotations import ANNOTATION, Annotation, WithVerdict, current
from webapp.security.access.visibility import visible_session
from webapp.storage.tables import AnalysisRow, AnnotationRow, CaseRow, State

_MOST_COMPARABLE = 5


def in_read_only_cases(shown: Sequence[AnalysisRow]) -> frozenset[str]:
    """Ids of the analyses among ``shown`` in whose case who asks may change nothing.

    See :class:`~webapp.queries.analyses.ItsCase`.
    """
    cased = [row for row in shown if row.case_id is not None]
    theirs = select(CaseRow.id).where(
        CaseRow.id.in_({row.case_id for row in cased}), CaseRow.closed.is_(None)
    )
    with visible_session() as session:
        known = set(session.scalars(theirs))
    return frozenset(row.id for row in cased if row.case_id not in known)


class SiblingAnalysis(NamedTuple):
    """Another finished analysis of the same exhibit, as far as a link to it says."""

    id: str
    model: str | None
    created: datetime


def comparable_analyses(session: Session, shown: Sequence[AnalysisRow]) -> dict[str, list[SiblingAnalysis]]:
    """By id, the latest other finished analyses of the same exhibit."""
    done = [row for row in shown if row.state == State.DONE]
    # The state is looked at here: SQLite would go through all that are done instead of these few exhibits.
    query = select(
        AnalysisRow.exhibit_id, AnalysisRow.state, AnalysisRow.id, AnalysisRow.model, AnalysisRow.created
    ).where(AnalysisRow.exhibit_id.in_({row.exhibit_id for row in done}))
    finished: dict[int, list[SiblingAnalysis]] = defaultdict(list)
    for exhibit, state, analysis_id, model, created in session.execute(query):
        if state == State.DONE:
            finished[exhibit].append(SiblingAnalysis(analysis_id, model, created))
    for found in finished.values():
        found.sort(key=lambda other: other.created, reverse=True)
    return {
        row.id: [other for other in finished[row.exhibit_id] if other.id != row.id][:_MOST_COMPARABLE]
        for row in done
    }


def annotation_counts(session: Session, shown: Sequence[AnalysisRow]) -> Counter[str]:
    """By id, the number of current annotations that judge."""
    ids = [row.id for row in shown]
    query = select(AnnotationRow.analysis_id, AnnotationRow.body).where(AnnotationRow.analysis_id.in_(ids))
    said: dict[str, list[Annotation]] = defaultdict(list)
    for analysis_id, body in session.execute(query):
        said[analysis_id].append(ANNOTATION.validate_json(body))
    counts: Counter[str] = Counter()
    for analysis_id, all_said in said.items():
        counts[analysis_id] = sum(isinstance(each, WithVerdict) for each in current(all_said))
    return counts
