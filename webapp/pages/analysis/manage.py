"""What can be done with an analysis as a whole: cancel, retry, pause, prioritise, analyse again, delete."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reports.text.numbers import number
from webapp import this_app
from webapp.errors import UserError
from webapp.http.error_pages import wants_json
from webapp.jobs import parameters
from webapp.pages.form_again import form_again
from webapp.pages.job_words import in_words
from webapp.queries import analyses as analysis_queries
from webapp.queries.analyses import status_json
from webapp.security.access.permissions import Permission, require
from webapp.security.access.visibility import visible_session
from webapp.services import analyses as analysis_service
from webapp.services import deletion
from webapp.services import models as model_service
from webapp.services.analyses import AskedAnalysis
from webapp.services.case_rules import write_access

blueprint = Blueprint("manage", __name__, url_prefix="/analyses/<analysis_id>")


@blueprint.post("/cancel")
@require(Permission.ANALYSE)
def cancel(analysis_id: str) -> Response:
    """Take the analysis out of the queue, or stop it."""
    analysis_service.cancel(analysis_id)
    return _changed(analysis_id)


@blueprint.post("/retry")
@require(Permission.ANALYSE)
def retry(analysis_id: str) -> Response:
    """Queue an analysis that failed or was cancelled once more."""
    analysis_service.retry(analysis_id)
    return _changed(analysis_id)


@blueprint.post("/pause")
@require(Permission.ANALYSE)
def pause(analysis_id: str) -> Response:
    """Take the analysis out of the queue, or stop it, until it is resumed."""
    analysis_service.pause(analysis_id)
    return _changed(analysis_id)


@blueprint.post("/resume")
@require(Permission.ANALYSE)
def resume(analysis_id: str) -> Response:
    """Queue a paused analysis again."""
    analysis_service.resume(analysis_id)
    return _changed(analysis_id)


@blueprint.post("/priority")
@require(Permission.ANALYSE)
def prioritise(analysis_id: str) -> Response:
    """Give an analysis that waits another ``priority``."""
    analysis_service.prioritise(analysis_id, analysis_service.priority_of(request.form.get("priority")))
    return _changed(analysis_id)


@blueprint.get("/delete")
@require(Permission.DELETE)
def ask_to_delete(analysis_id: str) -> str:
    """Say what deleting means, and ask."""
    row = analysis_queries.get_or_404(analysis_id)
    with this_app.database().begin() as session:
        deletion.refuse_kept(session, row)
    with visible_session() as session:
        consequences = deletion.consequences(session, row)
    return render_template(
        "pages/analysis/delete.html", row=row, consequences=consequences, back=request.args.get("back")
    )


@blueprint.post("/delete")
@require(Permission.DELETE)
def delete(analysis_id: str) -> Response:
    """Delete the analysis and, if no other needs it, the exhibit."""
    analysis_queries.get_or_404(analysis_id)
    deletion.delete(this_app.database(), this_app.folders(), analysis_id)
    if wants_json():
        return jsonify(deleted=analysis_id)
    return redirect(_library(deleted="1"), 303)


@blueprint.get("/again")
@require(Permission.ANALYSE)
def ask_again(analysis_id: str, problem: UserError | None = None) -> str:
    """The form to analyse the exhibit with another model or other settings."""
    row = analysis_queries.get_or_404(analysis_id)
    with this_app.database().begin() as session:
        write_access.refuse_changes(session, row.case_id)
    known, kept = model_service.listed(), parameters.read(row.changed_parameters)
    wanted = request.form.get("model") or row.model
    return render_template(
        "pages/analysis/again.html",
        row=row,
        models=known,
        chosen=next((model.name for model in known if model.name == wanted), None),
        fields=parameters.FIELDS,
        values=request.form
        if problem
        else {field.name: number(getattr(kept, field.name)) for field in parameters.FIELDS},
        problem=problem,
        problems=parameters.from_form(request.form)[1],
    )


@blueprint.post("/again")
@require(Permission.ANALYSE)
@form_again(ask_again)
def again(analysis_id: str) -> Response:
    """Queue a new analysis of the same exhibit; the one there is stays as it is."""
    row = analysis_queries.get_or_404(analysis_id)
    changes, problems = parameters.from_form(request.form)
    chosen = request.form.get("model")
    analysis_service.refuse_unknown_model(chosen)
    if problems:
        raise parameters.refusal(problems)
    others = analysis_service.asked_others(request.form.getlist("also"), chosen, request.form.get("joint"))
    new = analysis_service.reanalyse(row, AskedAnalysis(chosen, changes | others))
    return redirect(url_for("show.show", analysis_id=new.id), 303)


def _changed(analysis_id: str) -> Response:
    if wants_json():
        return jsonify(in_words(status_json(analysis_queries.get_or_404(analysis_id))))
    if "back" in request.form:
        return redirect(_library(), 303)
    return redirect(url_for("show.show", analysis_id=analysis_id), 303)


def _library(**more: str) -> str:
    """Address of the library as it was filtered when the form was sent."""
    query = urlencode(dict(parse_qsl(request.form.get("back", ""))) | more)
    return url_for("library.listing") + (f"?{query}" if query else "")
