"""What can be done with an analysis as a whole: cancel, retry, analyse again, delete."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, current_app, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reports.words import number
from webapp import case_details, deletion, jobs, models, parameters, rows
from webapp.access import Permission, current, require
from webapp.errors import PageError, wants_json
from webapp.folders import Folders
from webapp.rows import database
from webapp.sending import tell_workers
from webapp.standing import standing
from webapp.tables import AnalysisRow, State

blueprint = Blueprint("manage", __name__, url_prefix="/analyses/<analysis_id>")


@blueprint.post("/cancel")
@require(Permission.ANALYSE)
def cancel(analysis_id: str) -> Response:
    """Take the analysis out of the queue, or stop it."""
    row = rows.find(analysis_id)
    if not jobs.cancel(database(), analysis_id) and rows.find(analysis_id).state != State.CANCELLED:
        raise PageError(409, "This analysis has ended already.", f"{row.file} has nothing left to cancel.")
    return _changed(analysis_id)


@blueprint.post("/retry")
@require(Permission.ANALYSE)
def retry(analysis_id: str) -> Response:
    """Queue an analysis that failed or was cancelled once more."""
    row = rows.find(analysis_id)
    if jobs.retry(database(), analysis_id):
        tell_workers(analysis_id)
    elif row.state == State.DONE:
        raise PageError(
            409,
            "This analysis is done, and a finished one is never changed.",
            "To get another result, analyse the exhibit again.",
        )
    return _changed(analysis_id)  # one that waits or runs is what was asked for


@blueprint.get("/delete")
@require(Permission.DELETE)
def ask_to_delete(analysis_id: str) -> str:
    """Say what deleting means, and ask."""
    row = rows.find(analysis_id)
    deletion.refuse_unfinished(row)
    with rows.reading() as session:
        means = deletion.consequences(session, row)
    return render_template("pages/delete.html", row=row, means=means, back=request.args.get("back"))


@blueprint.post("/delete")
@require(Permission.DELETE)
def delete(analysis_id: str) -> Response:
    """Delete the analysis and, if no other needs it, the exhibit."""
    rows.find(analysis_id)
    deletion.delete(database(), _folders(), analysis_id)
    if wants_json():
        return jsonify(deleted=analysis_id)
    return redirect(_library(deleted="1"), 303)


@blueprint.get("/again")
@require(Permission.ANALYSE)
def ask_again(analysis_id: str) -> Response:
    """The form to analyse the exhibit with another model or other settings."""
    row = rows.find(analysis_id)
    kept = parameters.read(row.settings)
    return _form(row, {field.name: number(getattr(kept, field.name)) for field in parameters.FIELDS}, {})


@blueprint.post("/again")
@require(Permission.ANALYSE)
def again(analysis_id: str) -> Response:
    """Queue a new analysis of the same exhibit; the one there is stays as it is."""
    row = rows.find(analysis_id)
    changes, problems = parameters.from_form(request.form)
    chosen = request.form.get("model")
    if chosen is not None and chosen not in {model.name for model in models.listed()}:
        raise PageError(400, "There is no model of this name.", "Choose one that the models page lists.")
    if problems:
        if wants_json():
            raise parameters.refuse(problems)
        return _form(row, request.form, problems)
    with database().alone() as session:
        earlier = session.get(AnalysisRow, analysis_id)
        if earlier is None:
            raise PageError(404, "This analysis was deleted meanwhile.", "Hand the file in again.")
        model = chosen or models.default(session, _folders())
        details = case_details.stored(session, analysis_id)
        new = jobs.create(session, earlier.exhibit, earlier.file, model, changes)
        new.owner_id, new.case_id = current().user_id, earlier.case_id
        case_details.keep(session, new, details)
    tell_workers(new.id)
    return redirect(url_for("result.show", analysis_id=new.id), 303)


def _form(row: AnalysisRow, values: Mapping[str, str], problems: Mapping[str, str]) -> Response:
    known = models.listed()
    wanted = values.get("model") or row.model
    page = render_template(
        "pages/again.html",
        row=row,
        models=known,
        chosen=next((model.name for model in known if model.name == wanted), None),
        fields=parameters.FIELDS,
        values=values,
        problems=problems,
    )
    return make_response(page, 400 if problems else 200)


def _changed(analysis_id: str) -> Response:
    if wants_json():
        return jsonify(standing(rows.find(analysis_id)))
    if "back" in request.form:
        return redirect(_library(), 303)
    return redirect(url_for("result.show", analysis_id=analysis_id), 303)


def _library(**more: str) -> str:
    """Address of the library as it was filtered when the form was sent."""
    query = urlencode(dict(parse_qsl(request.form.get("back", ""))) | more)
    return url_for("library.listing") + (f"?{query}" if query else "")


def _folders() -> Folders:
    return Folders(current_app.extensions["settings"].data)
