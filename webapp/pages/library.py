"""The library: all analyses, searched, filtered and sorted."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from flask import Blueprint, current_app, render_template, request, send_file
from werkzeug.wrappers import Response

from detector.schema.analysis import Verdict
from reports.text.translation.language import gettext
from webapp import this_app
from webapp.errors import UserError
from webapp.queries import analyses as analysis_queries
from webapp.queries import copies as copy_queries
from webapp.queries import library as library_search
from webapp.queries import library_rows
from webapp.security.access.blinding import Discloses
from webapp.security.access.permissions import Permission, require
from webapp.security.access.visibility import visible_session
from webapp.services.sample import sample_missing
from webapp.storage.data_folder import Folders
from webapp.storage.reviewed_analyses import begun
from webapp.storage.tables import AnalysisRow, State, now

blueprint = Blueprint("library", __name__)

# Making the sample takes seconds; if it has not appeared by then, it failed.
_SAMPLE_PROMISED = timedelta(minutes=3)


@blueprint.get("/analyses")
@require(Permission.READ)
def listing() -> str:
    """What fits the search in the address, a page at a time."""
    asked = library_search.read(request.args)
    with visible_session() as session:
        page = library_search.find(session, asked, request.args.get("page", 1, type=int))
        known_models, reviewers = library_search.models_used(session), library_search.reviewers(session)
        comparable = library_rows.comparable_analyses(session, page.rows)
        annotations = library_rows.annotation_counts(session, page.rows)
        copies = copy_queries.counts(session, {row.exhibit_id for row in page.rows})
        like = session.get(AnalysisRow, asked.like) if asked.like else None
        reviewed = begun(session, [row.id for row in page.rows])
    recent = now() - current_app.extensions["started"] < _SAMPLE_PROMISED
    folders = this_app.folders()
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
        read_only=library_rows.in_read_only_cases(page.rows),
        like=like,
        verdicts=[str(verdict) for verdict in Verdict],
        states=[str(state) for state in State],
        models=known_models,
        reviewers=reviewers,
        sorts=library_search.SORTS,
        deleted="deleted" in request.args,
        sample_on_its_way=not page.everything and sample_missing(this_app.database()) and recent,
    )


def _pictured(folders: Folders, row: AnalysisRow) -> bool:
    """Whether to show its picture; the store is asked for it only when a browser asks."""
    return folders.thumbnail(row.id).is_file() or (folders.store.elsewhere and row.state == State.DONE)


@blueprint.get("/analyses/<analysis_id>/thumbnail")
@require(Permission.READ)
def thumbnail(analysis_id: str) -> Response:
    """The small picture of an analysis: its first peak frame with the heatmap, or a frame with a face."""
    row = analysis_queries.get_or_404(analysis_id, Discloses.FINDINGS)
    folders = this_app.folders()
    path = folders.thumbnail(row.id)
    if not folders.store.fetch(path):
        raise UserError(
            404, gettext("This analysis has no picture."), gettext("Open the analysis to see what it found.")
        )
    return send_file(path, mimetype="image/jpeg")
