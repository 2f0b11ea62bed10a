"""Pages of a comparison with a reference: choosing one, progress, result, deletion."""

from __future__ import annotations

import io
import json
import posixpath
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

from flask import Blueprint, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from detector.schema.comparison import Outcome
from language.translation import gettext
from webapp import context
from webapp.accounts.permissions import Permission, require
from webapp.casework import case_rules
from webapp.comparisons import service
from webapp.custody.job_records import COMPARISON_FILE
from webapp.errors import UserError
from webapp.exhibits import deletion, reference_comparisons
from webapp.exhibits import queries as analysis_queries
from webapp.exhibits.media import playback
from webapp.exhibits.reference_comparisons import ComparisonResult
from webapp.storage.tables import AnalysisRow, State

if TYPE_CHECKING:
    from reports.comparison.comparison_section import ComparisonView

blueprint = Blueprint("comparisons", __name__)


@blueprint.get("/analyses/<analysis_id>/compare")
@require(Permission.ANALYSE)
def ask(analysis_id: str) -> str:
    """Show possible references for the exhibit of an analysis; ``q`` searches."""
    row = analysis_queries.get_or_404(analysis_id)
    with context.database().begin() as session:
        case_rules.refuse_starting(session, row)
    text = request.args.get("q", "")[:200]
    choices = reference_comparisons.reference_choices(row, text)
    return render_template("comparisons/choose_reference.html", row=row, offered=choices, text=text)


@blueprint.post("/analyses/<analysis_id>/compare")
@require(Permission.ANALYSE)
def start(analysis_id: str) -> Response:
    """Compare the exhibit of an analysis with that of another analysis, ``reference``."""
    row = analysis_queries.get_or_404(analysis_id)
    reference_id = request.form.get("reference", "")
    if not reference_id:
        raise UserError(
            400, gettext("No reference was chosen."), gettext("Choose the exhibit to compare with.")
        )
    comparison = service.start(row, analysis_queries.get_or_404(reference_id))
    return redirect(url_for("comparisons.show", comparison_id=comparison.id), 303)


@blueprint.get("/comparisons/<comparison_id>")
@require(Permission.READ)
def show(comparison_id: str) -> str:
    """Show a comparison in any state."""
    row = reference_comparisons.get_or_404(comparison_id)
    sides = (
        reference_comparisons.representative_analysis(row.exhibit_id),
        reference_comparisons.representative_analysis(row.reference_id),
    )
    with context.database().begin() as session:
        actions = {
            "closed": case_rules.is_in_closed_case(session, row.exhibit_id),
            "starts": case_rules.is_allowed(case_rules.refuse_starting, session, sides[0]),
            "cancels": case_rules.is_allowed(case_rules.refuse_outsiders, session, row),
            "deletes": case_rules.is_allowed(case_rules.refuse_deleting, session, row),
        }
    if row.state != State.DONE:
        ahead = reference_comparisons.status_json(row).get("ahead")
        return render_template(
            "comparisons/comparison_progress.html", row=row, sides=sides, ahead=ahead, **actions
        )
    result = reference_comparisons.load_result(row)
    view, players = result.view, _players(result, sides)
    return render_template(
        "comparisons/comparison.html",
        row=row,
        sides=sides,
        **actions,
        view=view,
        kind=_css_class(view),
        players=json.dumps(players, separators=(",", ":")),
        data=players,
        mirrored=result.comparison.transform is not None and result.comparison.transform.mirror,
        picture_address=partial(_picture_url, row.id),
    )


@blueprint.post("/comparisons/<comparison_id>/cancel")
@require(Permission.ANALYSE)
def cancel(comparison_id: str) -> Response:
    """Remove a comparison from the queue, or stop it."""
    service.cancel(comparison_id)
    return redirect(url_for("comparisons.show", comparison_id=comparison_id), 303)


@blueprint.get("/comparisons/<comparison_id>/delete")
@require(Permission.DELETE)
def ask_to_delete(comparison_id: str) -> str:
    """Show the consequences of deleting a comparison, and ask for confirmation."""
    row = reference_comparisons.get_or_404(comparison_id)
    deletion.refuse_unfinished(row)
    with context.database().begin() as session:
        case_rules.refuse_deleting(session, row)
    return render_template("comparisons/delete_comparison.html", row=row)


@blueprint.post("/comparisons/<comparison_id>/delete")
@require(Permission.DELETE)
def delete(comparison_id: str) -> Response:
    """Delete a comparison that has ended, and go to its exhibit."""
    row = reference_comparisons.get_or_404(comparison_id)
    analysis = reference_comparisons.representative_analysis(row.exhibit_id)
    service.delete(comparison_id)
    return redirect(url_for("show.show", analysis_id=analysis.id), 303)


@blueprint.get("/comparisons/<comparison_id>/comparison.json")
@require(Permission.EXPORT)
def as_json(comparison_id: str) -> Response:
    """Send the result as JSON, exactly as stored."""
    _row, result = reference_comparisons.get_finished(comparison_id)
    return send_file(
        io.BytesIO(result.content(COMPARISON_FILE)),
        mimetype="application/json",
        as_attachment=True,
        download_name=f"reelproof-{comparison_id[:8]}-{COMPARISON_FILE}",
    )


@blueprint.get("/comparisons/<comparison_id>/pictures/<name>")
@require(Permission.READ)
def picture(comparison_id: str, name: str) -> Response:
    """Send a picture of the result."""
    _row, result = reference_comparisons.get_finished(comparison_id)
    return send_file(io.BytesIO(result.content(f"pictures/{name}")), mimetype="image/png")


def _picture_url(comparison_id: str, path: str | None) -> str:
    """Return the URL of a picture of the result; empty for None."""
    if not path:
        return ""
    return url_for("comparisons.picture", comparison_id=comparison_id, name=posixpath.basename(path))


def _css_class(view: ComparisonView) -> str:
    """Return the CSS class and icon for the outcome, one of those for verdicts."""
    match view.outcome:
        case Outcome.FACES_DIFFER:
            return "manipulated"
        case Outcome.NO_DIFFERENCE:
            return "not-found"
        case Outcome.UNRELATED | Outcome.SHOWS_MORE | Outcome.NO_FACE_COMPARED | Outcome.PARTS_DIFFER:
            return "inconclusive"
        case _:
            assert_never(view.outcome)


def _players(result: ComparisonResult, sides: tuple[AnalysisRow, AnalysisRow]) -> dict[str, Any]:
    """Return the media of both sides, and how their times correspond, for the scripts of the page."""
    folders = context.folders()
    comparison = result.comparison
    files: list[dict[str, Any]] = []
    for row, file in zip(sides, (comparison.exhibit, comparison.reference), strict=True):
        plays = playback.read_playback(folders, row) if row.state == State.DONE else None
        media = None
        if plays is not None and plays.source != "none":
            media = url_for("downloads.media", analysis_id=row.id)
        files.append(
            {
                "media": media,
                "reason": plays.reason
                if plays
                else gettext("Its analysis is not done, so it cannot be played yet."),
                "offset": plays.offset if plays else 0,
                "start": 0.0,
                "still": file.frame_rate is None and file.duration == 0,
                "duration": file.duration,
                "rate": playback.frames_per_second(file.frame_rate),
                "width": file.width,
                "height": file.height,
            }
        )
    if files[0]["still"] and comparison.time_map:
        files[1]["start"] = files[1]["offset"] + comparison.time_map[0].reference.start
    return {
        "files": files,
        "pieces": [
            {"exhibit": [p.exhibit.start, p.exhibit.end], "reference": [p.reference.start, p.reference.end]}
            for p in comparison.time_map
        ],
        "segments": [{"id": s.id, "start": s.start, "end": s.end} for s in comparison.segments],
    }
