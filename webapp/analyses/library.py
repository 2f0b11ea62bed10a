"""The library page: search, filter and sort all analyses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, current_app, render_template, request, send_file
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector.schema.analysis import Verdict
from reports.language.translation import gettext
from reports.review.annotations import ANNOTATION, Annotation, WithVerdict, current
from webapp import context
from webapp.accounts.permissions import Permission, require
from webapp.accounts.visibility import visible_session
from webapp.analyses import library_search
from webapp.analyses import queries as analysis_queries
from webapp.analyses.uploads.sample import sample_missing
from webapp.comparisons import copies as copy_queries
from webapp.errors import UserError
from webapp.review.blinding import Disclosure
from webapp.storage.data_folder import Folders
from webapp.storage.second_reviews import analyses_with_statements
from webapp.storage.tables import AnalysisRow, AnnotationRow, CaseRow, State, now

_MOST_COMPARABLE = 5


def read_only_analyses(shown: Sequence[AnalysisRow]) -> frozenset[str]:
    """Ids of the analyses among ``shown`` in whose case who asks may change nothing.

    See :class:`~webapp.analyses.queries.CaseReference`.
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


blueprint = Blueprint("library", __name__)

# Making the sample takes seconds; if it has not appeared by then, it failed.
_SAMPLE_PROMISED = timedelta(minutes=3)


@blueprint.get("/analyses")
@require(Permission.READ)
def listing() -> str:
    """What fits the search in the address, a page at a time."""
    asked = library_search.parse_search(request.args)
    with visible_session() as session:
        page = library_search.find_page(session, asked, request.args.get("page", 1, type=int))
        known_models, reviewers = library_search.models_used(session), library_search.reviewers(session)
        comparable = comparable_analyses(session, page.rows)
        annotations = annotation_counts(session, page.rows)
        copies = copy_queries.count_copies_by_exhibit(session, {row.exhibit_id for row in page.rows})
        like = session.get(AnalysisRow, asked.like) if asked.like else None
        reviewed = analyses_with_statements(session, [row.id for row in page.rows])
    recent = now() - current_app.extensions["started"] < _SAMPLE_PROMISED
    folders = context.folders()
    return render_template(
        "pages/library.html",
        page=page,
        asked=asked,
        back=urlencode(asked.query(page=page.number if page.number > 1 else None)),
        pictured={row.id for row in page.rows if _pictured(folders, row)},
        comparable=comparable,
        annotations=annotations,
        copies=copies,
        reviewed=reviewed,
        read_only=read_only_analyses(page.rows),
        like=like,
        verdicts=[str(verdict) for verdict in Verdict],
        states=[str(state) for state in State],
        models=known_models,
        reviewers=reviewers,
        sorts=library_search.SORTS,
        deleted="deleted" in request.args,
        sample_on_its_way=not page.everything and sample_missing(context.database()) and recent,
    )


def _pictured(folders: Folders, row: AnalysisRow) -> bool:
    """Whether to show its picture; the store is asked for it only when a browser asks."""
    return folders.thumbnail(row.id).is_file() or (folders.store.elsewhere and row.state == State.DONE)


@blueprint.get("/analyses/<analysis_id>/thumbnail")
@require(Permission.READ)
def thumbnail(analysis_id: str) -> Response:
    """The small picture of an analysis: its first peak frame with the heatmap, or a frame with a face."""
    row = analysis_queries.get_or_404(analysis_id, Disclosure.FINDINGS)
    folders = context.folders()
    path = folders.thumbnail(row.id)
    if not folders.store.fetch(path):
        raise UserError(
            404, gettext("This analysis has no picture."), gettext("Open the analysis to see what it found.")
        )
    return send_file(path, mimetype="image/jpeg")
