"""The library page: search, filter and sort all analyses."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, current_app, render_template, request, send_file
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from detector.version import __version__
from language.translation import gettext
from reports.exports import spreadsheets
from reports.exports.tables import Cell
from reports.review.annotations import ANNOTATION, Annotation, WithVerdict, current
from webapp import context
from webapp.accounts import permissions
from webapp.accounts.permissions import Permission, require
from webapp.accounts.visibility import visible_session
from webapp.casework import access as case_access
from webapp.casework.blinding import Disclosure
from webapp.custody import custody_log
from webapp.downloads import exports
from webapp.errors import UserError
from webapp.exhibits import copies as copy_queries
from webapp.exhibits import library_search
from webapp.exhibits import queries as analysis_queries
from webapp.exhibits.uploads.sample import is_sample_expected
from webapp.http.responses import send_and_forget
from webapp.storage.second_reviews import analyses_with_statements
from webapp.storage.tables import AnalysisRow, AnnotationRow, CaseRow, State, now

_MAX_COMPARABLE = 5
_AT_ONCE = 500  # analyses that are read, and whose annotations are counted, by one query
LIBRARY_FILE = "analyses.xlsx"
LIBRARY_COLUMNS = (
    "file",
    "exhibit_sha256",
    "exhibit_bytes",
    "state",
    "verdict",
    "probability",
    "model",
    "duration_s",
    "created_utc",
    "finished_utc",
    "annotations",
    "analysis",
    "voice",
    "voice_probability",
    "speech_s",
    "outcome",
)


def read_only_analyses(rows: Sequence[AnalysisRow]) -> frozenset[str]:
    """Return the ids of analyses in cases that the caller may not change. See :class:`CaseReference`."""
    in_cases = [row for row in rows if row.case_id is not None]
    writable = select(CaseRow.id).where(
        CaseRow.id.in_({row.case_id for row in in_cases}), CaseRow.closed.is_(None)
    )
    with visible_session() as session:
        ids = set(session.scalars(writable))
    return frozenset(row.id for row in in_cases if row.case_id not in ids)


class SiblingAnalysis(NamedTuple):
    """Another finished analysis of the same exhibit, for a link."""

    id: str
    model: str | None
    created: datetime


def comparable_analyses(session: Session, rows: Sequence[AnalysisRow]) -> dict[str, list[SiblingAnalysis]]:
    """Map ids to the latest other finished analyses of the same exhibit."""
    done = [row for row in rows if row.state == State.DONE]
    # Filtered by state below: SQLite would scan all finished analyses instead of these few exhibits.
    query = select(
        AnalysisRow.exhibit_id, AnalysisRow.state, AnalysisRow.id, AnalysisRow.model, AnalysisRow.created
    ).where(AnalysisRow.exhibit_id.in_({row.exhibit_id for row in done}))
    finished: dict[int, list[SiblingAnalysis]] = defaultdict(list)
    for exhibit, state, analysis_id, model, created in session.execute(query):
        if state == State.DONE:
            finished[exhibit].append(SiblingAnalysis(analysis_id, model, created))
    for siblings in finished.values():
        siblings.sort(key=lambda sibling: sibling.created, reverse=True)
    return {
        row.id: [other for other in finished[row.exhibit_id] if other.id != row.id][:_MAX_COMPARABLE]
        for row in done
    }


def annotation_counts(session: Session, rows: Sequence[AnalysisRow]) -> Counter[str]:
    """Map ids to the number of current annotations with a verdict."""
    ids = [row.id for row in rows]
    query = select(AnnotationRow.analysis_id, AnnotationRow.body).where(AnnotationRow.analysis_id.in_(ids))
    annotations: dict[str, list[Annotation]] = defaultdict(list)
    for analysis_id, body in session.execute(query):
        annotations[analysis_id].append(ANNOTATION.validate_json(body))
    counts: Counter[str] = Counter()
    for analysis_id, of_analysis in annotations.items():
        counts[analysis_id] = sum(isinstance(annotation, WithVerdict) for annotation in current(of_analysis))
    return counts


blueprint = Blueprint("library", __name__)


@blueprint.get("/analyses")
@require(Permission.READ)
def listing() -> str:
    """Show a page of the analyses that match the search in the address."""
    search = library_search.parse_search(request.args)
    with visible_session() as session:
        page = library_search.find_page(session, search, request.args.get("page", 1, type=int))
        models, reviewers = library_search.models_used(session), library_search.reviewers(session)
        comparable = comparable_analyses(session, page.rows)
        annotations = annotation_counts(session, page.rows)
        copies = copy_queries.count_copies_by_exhibit(session, {row.exhibit_id for row in page.rows})
        like = session.get(AnalysisRow, search.like) if search.like else None
        reviewed = analyses_with_statements(session, [row.id for row in page.rows])
        cases = case_access.list_cases(session, permissions.current())
    folders = context.folders()
    return render_template(
        "analyses/library.html",
        page=page,
        asked=search,
        back=urlencode(search.query(page=page.number if page.number > 1 else None)),
        # Whether the object store has a thumbnail shows only when a browser asks for it.
        pictured={
            row.id
            for row in page.rows
            if folders.thumbnail(row.id).is_file() or (folders.store.elsewhere and row.state == State.DONE)
        },
        comparable=comparable,
        annotations=annotations,
        copies=copies,
        reviewed=reviewed,
        read_only=read_only_analyses(page.rows),
        like=like,
        findings=library_search.FINDINGS,
        states=[str(state) for state in State],
        models=models,
        reviewers=reviewers,
        sorts=library_search.SORTS,
        deleted=request.args.get("deleted", 0, type=int),
        assigned=request.args.get("assigned", 0, type=int),
        cases=cases,
        sample_on_its_way=not page.everything
        and is_sample_expected(context.database(), current_app.extensions["started"]),
    )


@blueprint.get("/analyses.xlsx")
@require(Permission.EXPORT)
def spreadsheet() -> Response:
    """Send all analyses that match the search in the address as a spreadsheet."""
    search, who = library_search.parse_search(request.args), permissions.current()
    asked = search.query()
    created = now()

    def provenance(count: int) -> dict[str, Cell | datetime]:
        return {
            "software": f"Reelproof {__version__}",
            "created_utc": created,
            "account": who.name,
            "analyses": count,
            **{f"search: {name}": value for name, value in asked.items()},
            "columns": "docs/exports.md of Reelproof defines them",
        }

    key = (who.user_id, LIBRARY_FILE, tuple(asked.items()))
    path = exports.make_spreadsheet(
        key, "Analyses", LIBRARY_COLUMNS, lambda: _cells(search), provenance, created
    )
    try:
        with context.database().begin() as session:
            custody_log.append(session, "export", custody_log.export_details(LIBRARY_FILE, path, None))
        response = send_and_forget(path, spreadsheets.MIMETYPE)
    finally:
        path.unlink(missing_ok=True)
    response.headers.set("Content-Disposition", "attachment", filename=f"reelproof-{LIBRARY_FILE}")
    return response


def _cells(search: library_search.LibrarySearch) -> Iterator[tuple[Cell | datetime, ...]]:
    """Yield the rows of all analyses that match, some at a time."""
    newest_first = AnalysisRow.created.desc(), AnalysisRow.id.desc()
    matching = library_search.matching_analyses(select(AnalysisRow), search)
    query = matching.order_by(*library_search.SORTS[search.sort][1], *newest_first)
    with visible_session() as session:
        rows = session.scalars(query.execution_options(yield_per=_AT_ONCE)).partitions()
        for some in rows:
            annotations = annotation_counts(session, some)
            for row in some:
                speech = (json.loads(row.summary or "{}").get("voice") or {}).get("speech")
                yield (
                    row.file,
                    row.exhibit.sha256,
                    row.exhibit.bytes,
                    row.shown_state,
                    None if row.sound_only else row.verdict,
                    row.probability,
                    row.model,
                    row.duration,
                    row.created,
                    row.finished,
                    annotations[row.id],
                    row.id,
                    row.voice_verdict,
                    row.voice_probability,
                    speech,
                    row.outcome,
                )
            session.expunge_all()


@blueprint.get("/analyses/<analysis_id>/thumbnail")
@require(Permission.READ)
def thumbnail(analysis_id: str) -> Response:
    """Send the thumbnail: the first peak frame with its heatmap, or a frame with a face."""
    row = analysis_queries.get_or_404(analysis_id, Disclosure.FINDINGS)
    folders = context.folders()
    path = folders.thumbnail(row.id)
    if not folders.store.fetch(path):
        raise UserError(
            404, gettext("This analysis has no picture."), gettext("Open the analysis to see what it found.")
        )
    return send_file(path, mimetype="image/jpeg")
