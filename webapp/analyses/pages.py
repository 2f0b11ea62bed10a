"""Pages of one analysis: upload form, progress, result, its files, and the actions on it."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_never
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, current_app, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from detector.media.acceptance import PHOTO_ENDINGS, SOUND_ENDINGS, VIDEO_ENDINGS
from detector.schema.strength import MaterialKind
from detector.voice.card import read_voice_card
from language.formatting import number
from language.translation import gettext, translated_view
from reports.annex import general_glossary, reader_view_of_model
from reports.inputs.case import CaseDetails
from reports.wording.lengths import FULL, SUMMARY, Length
from reports.wording.verbal_scale import steps
from webapp import context
from webapp.accounts.permissions import Permission, current, require, signed_in
from webapp.accounts.visibility import visible_session
from webapp.casework import access as case_queries
from webapp.casework import blinding, case_rules, reviews
from webapp.casework import details as case_details
from webapp.casework.blinding import BlindedError, Disclosure
from webapp.downloads import bundles as bundle_downloads
from webapp.downloads import exports, kept_reports, reports
from webapp.errors import IntakeError, UserError
from webapp.exhibits import annotations as annotation_service
from webapp.exhibits import copies as copy_queries
from webapp.exhibits import deletion, reference_comparisons
from webapp.exhibits import queries as analysis_queries
from webapp.exhibits import service as analysis_service
from webapp.exhibits.media import playback
from webapp.exhibits.queries import latest_analyses
from webapp.exhibits.results import (
    get_finished,
    get_with_finding,
    load_result,
    read_picture,
    record_view,
    result_folder,
)
from webapp.exhibits.service import AnalysisRequest
from webapp.exhibits.uploads import sample as sample_service
from webapp.exhibits.uploads.exhibits import clean_file_name
from webapp.exhibits.uploads.resumable import upload_limit
from webapp.http.error_responses import show_form_again
from webapp.http.language import download_language
from webapp.http.responses import send_part
from webapp.http.security import MEDIA_POLICY
from webapp.http.uploads import Incoming, current_request
from webapp.installed_models import service as model_service
from webapp.jobs import parameters
from webapp.jobs.queue import tell_workers
from webapp.storage.second_reviews import analyses_with_statements
from webapp.storage.tables import AnalysisRow, State

upload_blueprint = Blueprint("upload", __name__)


@upload_blueprint.get("/")
@signed_in()
def form(problem: UserError | None = None) -> str:
    """Show the upload form and the latest analyses."""
    settings = context.settings()
    # The server may write an upload twice: as it arrives, and as the exhibit.
    room = max(0, (shutil.disk_usage(settings.data).free - settings.spare) // 2)
    with context.database().begin() as session:
        cases = case_queries.list_cases(session, current())
    return render_template(
        "analyses/upload.html",
        limit=settings.upload_limit,
        endings=sorted(VIDEO_ENDINGS | PHOTO_ENDINGS | SOUND_ENDINGS),
        examines_sound=settings.sound,
        room=room,
        latest=latest_analyses(5),
        sample_expected=sample_service.is_sample_expected(
            context.database(), current_app.extensions["started"]
        ),
        models=model_service.list_models(),
        cases=cases,
        case=request.form if problem else CaseDetails(),
        problem=problem,
    )


@upload_blueprint.post("/analyses")
@require(Permission.ANALYSE, takes_files=True)
@show_form_again(form)
def create() -> Response:
    """Store a file, queue its analysis, and go to its page."""
    settings = context.settings()
    current_request().upload_limit = upload_limit(settings, current())
    part = request.files.get("file")
    problem = None
    if part is None or not isinstance(stream := part.stream, Incoming):
        problem = gettext("No file came with the form.")
    elif not stream.bytes and not part.filename:
        problem = gettext("No file was chosen.")
    if problem:
        remedy = gettext("Choose a video, a photo or a sound recording, then start the analysis.")
        raise IntakeError(400, problem, remedy, field="file")
    assert part is not None and isinstance(stream, Incoming)
    file = clean_file_name(part.filename)
    chosen = request.form.get("model")
    analysis_service.refuse_unknown_model(chosen)
    priority = analysis_service.parse_priority(request.form.get("priority"))
    details = case_details.details_from_form(request.form)
    with context.database().begin() as session:
        case_id = case_queries.case_from_form(session, current(), request.form.get("case"))
    stream.complete()  # flushing a large file takes long, so do it before locking the database
    others = analysis_service.changes_for_other_models(
        request.form.getlist("also"), chosen, request.form.get("joint")
    ) | parameters.sound_from_form(request.form)
    row = analysis_service.submit(
        stream, file, AnalysisRequest(chosen, others, priority), case_id=case_id, details=details
    )
    earlier = analysis_queries.earlier_analyses(row)
    known = earlier.count if earlier else None
    return redirect(url_for("show.show", analysis_id=row.id, known=known), 303)


@upload_blueprint.post("/sample")
@require(Permission.ANALYSE)
def sample() -> Response:
    """Redirect to an analysis of the sample, creating it if necessary."""
    analysis_id = sample_service.sample_analysis_id(context.settings(), context.database(), tell_workers)
    return redirect(url_for("show.show", analysis_id=analysis_id), 303)


result_blueprint = Blueprint("show", __name__)


@result_blueprint.get("/analyses/<analysis_id>")
@require(Permission.READ)
def show(analysis_id: str) -> str | Response:
    """Show the page of an analysis in any state."""
    try:
        row = analysis_queries.get_or_404(analysis_id, Disclosure.FINDINGS)
    except BlindedError as blinded:
        if blinded.analysis_id is None:
            raise
        return redirect(url_for("second_reviews.show", analysis_id=blinded.analysis_id), 303)
    record_view(row)
    state = row.shown_state
    match state:
        case State.DONE | State.EXPLAINING:
            return render_template("analyses/result.html", **_common_values(row), **_result_values(row))
        case State.FAILED | State.CANCELLED | State.PAUSED:
            return render_template("analyses/stopped.html", **_common_values(row))
        case State.QUEUED | State.RUNNING:
            ahead = analysis_queries.count_ahead(row)
            return render_template("analyses/progress.html", **_common_values(row), ahead=ahead)
        case _:
            assert_never(state)


def _common_values(row: AnalysisRow) -> dict[str, Any]:
    """Return what the page of an analysis in any state shows."""
    return {
        "row": row,
        "its_case": analysis_queries.case_of(row),
        # Shown on the page that follows the upload of a file already analysed.
        "earlier": analysis_queries.earlier_analyses(row) if "known" in request.args else None,
        "copies": copy_queries.copies_of(row.exhibit_id, row),
        "compares": _may_compare(row),
    }


def _result_values(row: AnalysisRow) -> dict[str, Any]:
    """Return what the page of a finished analysis shows besides."""
    from reports.review.second_review_section import second_review_view

    view = load_result(_folder(row)).view
    who = current().user_id
    with context.database().begin() as session:
        reviewed = reviews.find_review(session, analysis_queries.reload_row(session, row.id))
        annotations = annotation_service.list_annotations(session, row.id) if reviewed else ()
        hides_activity = reviewed is not None and reviewed.is_activity_hidden(who)
        records = {
            "case": case_details.read_details(session, row.id),
            "tells_first": blinding.would_unblind_first(session, who, row.exhibit_id),
            "review_begun": bool(analyses_with_statements(session, [row.id])),
        }
    review = second_review_view(reviewed.disclosed, row.duration or 0.0, annotations) if reviewed else None
    return records | {
        "view": view,
        "others": analysis_queries.sibling_analyses(row),
        "compared": reference_comparisons.list_comparisons(row.exhibit_id, as_reference=True),
        "review_words": "" if review is None or hides_activity else review.summary,
        "report": kept_reports.report_status(context.folders(), row),
        "exports": exports.export_links(view.still),
        "timed_exports": exports.TIMED,
    }


@result_blueprint.get("/analyses/<analysis_id>/copies")
@require(Permission.READ)
def copies(analysis_id: str) -> str:
    """Show other exhibits with the same content, or a part of it."""
    row = analysis_queries.get_or_404(analysis_id, Disclosure.FINDINGS)
    copies = copy_queries.copies_of(row.exhibit_id, row)
    return render_template("comparisons/copies.html", row=row, copies=copies, compares=_may_compare(row))


def _may_compare(row: AnalysisRow) -> bool:
    """Tell whether the cases of the exhibit let the caller compare it; their role may still forbid it."""
    with context.database().begin() as session:
        return case_rules.is_allowed(case_rules.refuse_starting, session, row)


def _folder(row: AnalysisRow) -> Path:
    return result_folder(context.database(), context.folders(), row)


actions_blueprint = Blueprint("manage", __name__, url_prefix="/analyses/<analysis_id>")


def _add_action(act: Callable[[str], object], about: str) -> None:
    """Register the page to which a button of the name of ``act`` is sent."""

    @require(Permission.ANALYSE)
    def view(analysis_id: str) -> Response:
        act(analysis_id)
        return _changed(analysis_id)

    view.__doc__ = about
    actions_blueprint.add_url_rule(f"/{act.__name__}", act.__name__, view, methods=["POST"])


_add_action(analysis_service.cancel, "Remove the analysis from the queue, or stop it.")
_add_action(analysis_service.retry, "Queue a failed or cancelled analysis again.")
_add_action(analysis_service.pause, "Remove the analysis from the queue, or stop it, until it is resumed.")
_add_action(analysis_service.resume, "Queue a paused analysis again.")


@actions_blueprint.post("/priority")
@require(Permission.ANALYSE)
def prioritise(analysis_id: str) -> Response:
    """Change the ``priority`` of a waiting analysis."""
    analysis_service.prioritise(analysis_id, analysis_service.parse_priority(request.form.get("priority")))
    return _changed(analysis_id)


@actions_blueprint.get("/delete")
@require(Permission.DELETE)
def ask_to_delete(analysis_id: str) -> str:
    """Explain what a deletion removes, and ask for confirmation."""
    row = analysis_queries.get_or_404(analysis_id)
    with context.database().begin() as session:
        deletion.refuse_undeletable(session, row)
    with visible_session() as session:
        consequences = deletion.consequences(session, row)
    return render_template(
        "analyses/delete.html", row=row, consequences=consequences, back=request.args.get("back")
    )


@actions_blueprint.post("/delete")
@require(Permission.DELETE)
def delete(analysis_id: str) -> Response:
    """Delete the analysis and, if no other needs it, its exhibit."""
    analysis_queries.get_or_404(analysis_id)
    deletion.delete_analysis(context.database(), context.folders(), analysis_id)
    return redirect(_library(deleted="1"), 303)


@actions_blueprint.get("/again")
@require(Permission.ANALYSE)
def ask_again(analysis_id: str, problem: UserError | None = None) -> str:
    """Show the form to analyse the exhibit with another model or other settings."""
    row = analysis_queries.get_or_404(analysis_id)
    with context.database().begin() as session:
        case_queries.refuse_changes(session, row.case_id)
    models = model_service.list_models()
    stored = parameters.read_parameters(row.changed_parameters)
    values = {field.name: number(getattr(stored, field.name)) for field in parameters.FIELDS}
    wanted = request.form.get("model") or row.model
    return render_template(
        "analyses/again.html",
        row=row,
        models=models,
        chosen=next((model.name for model in models if model.name == wanted), None),
        fields=parameters.FIELDS,
        values=request.form if problem else values,
        examines_sound=stored.sound,
        problem=problem,
        problems=parameters.parameters_from_form(request.form)[1],
    )


@actions_blueprint.post("/again")
@require(Permission.ANALYSE)
@show_form_again(ask_again)
def again(analysis_id: str) -> Response:
    """Queue a new analysis of the same exhibit; the earlier one stays as it is."""
    row = analysis_queries.get_or_404(analysis_id)
    changes, problems = parameters.parameters_from_form(request.form)
    chosen = request.form.get("model")
    analysis_service.refuse_unknown_model(chosen)
    if problems:
        raise parameters.parameters_error(problems)
    others = analysis_service.changes_for_other_models(
        request.form.getlist("also"), chosen, request.form.get("joint")
    )
    changes |= parameters.sound_from_form(request.form)
    new = analysis_service.reanalyse(row, AnalysisRequest(chosen, changes | others))
    return redirect(url_for("show.show", analysis_id=new.id), 303)


def _changed(analysis_id: str) -> Response:
    if "back" in request.form:
        return redirect(_library(), 303)
    return redirect(url_for("show.show", analysis_id=analysis_id), 303)


def _library(**more: str) -> str:
    """Return the address of the library with the filters it had when the form was sent."""
    query = urlencode(dict(parse_qsl(request.form.get("back", ""))) | more)
    return url_for("library.listing") + (f"?{query}" if query else "")


downloads_blueprint = Blueprint("downloads", __name__, url_prefix="/analyses/<analysis_id>")


@downloads_blueprint.get("/report.pdf")
@require(Permission.EXPORT)
def report_pdf(analysis_id: str) -> Response:
    """Send the evidence report as PDF, with the annotations as of now; ``length`` chooses the summary."""
    return reports.send_report(*get_finished(analysis_id), "report.pdf", download_language(), _length())


@downloads_blueprint.get("/report.html")
@require(Permission.EXPORT)
def report_html(analysis_id: str) -> Response:
    """Send the report as one HTML page without scripts; ``length`` chooses the summary."""
    return reports.send_report(*get_finished(analysis_id), "report.html", download_language(), _length())


@downloads_blueprint.get("/analysis.json")
@require(Permission.EXPORT)
def analysis_json(analysis_id: str) -> Response:
    """Send the analysis as data."""
    return reports.send_report(*get_finished(analysis_id, Disclosure.FINDINGS), "analysis.json")


@downloads_blueprint.get("/manifest.json")
@require(Permission.EXPORT)
def manifest_json(analysis_id: str) -> Response:
    """Send the SHA-256 of the exhibit and of each file of the result."""
    return reports.send_report(*get_finished(analysis_id, Disclosure.FINDINGS), "manifest.json")


@downloads_blueprint.get("/overlays/<name>")
@require(Permission.READ)
def overlay(analysis_id: str, name: str) -> Response:
    """Send a picture the analysis names, and no other file."""
    _row, folder = get_with_finding(analysis_id, Disclosure.FINDINGS)
    content = read_picture(folder, f"overlays/{name}")
    if content is None:
        raise UserError(
            404, gettext("This analysis has no such picture."), gettext("Go back to the analysis.")
        )
    return send_file(io.BytesIO(content), mimetype="image/png")


@downloads_blueprint.get("/media")
@require(Permission.READ)
def media(analysis_id: str) -> Response:
    """Send what a browser plays of the exhibit: the file itself, or its preview."""
    row, _folder = get_with_finding(analysis_id, Disclosure.EXHIBIT)
    playable = playback.playable_file(context.folders(), row)
    if playable is None:
        raise UserError(
            404,
            gettext("There is nothing of this exhibit to play."),
            gettext("Its kept frames are on its page."),
        )
    path, decision = playable
    response = send_part(path, decision.mimetype, f"{row.exhibit.sha256}-{decision.source}")
    response.headers["Content-Security-Policy"] = MEDIA_POLICY
    return response


@downloads_blueprint.get("/bundle.zip")
@require(Permission.EXPORT)
def bundle(analysis_id: str) -> Response:
    """Send the review bundle; ``video=no`` leaves out the video, ``length`` chooses its report."""
    row, folder = get_finished(analysis_id)
    video = request.args.get("video", "yes")
    if video not in ("yes", "no"):
        raise UserError(
            400,
            gettext("A bundle comes with the video or without it."),
            gettext("Ask for video=yes or video=no."),
        )
    return bundle_downloads.send_bundle(
        row, folder, video=video == "yes", language_code=download_language(), length=_length()
    )


def _length() -> Length:
    """Return the requested length of a report; the full one if there is no such length."""
    return SUMMARY if request.args.get("length") == SUMMARY else FULL


@downloads_blueprint.get("/exports/<name>")
@require(Permission.EXPORT)
def export(analysis_id: str, name: str) -> Response:
    """Send the analysis in a format of ``docs/exports.md``, by its name."""
    return exports.send_export(*get_finished(analysis_id, Disclosure.FINDINGS), name)


@downloads_blueprint.get("/annotated.mp4")
@require(Permission.EXPORT)
def annotated_video(analysis_id: str) -> Response:
    """Send a copy of the video with the findings drawn into it."""
    return exports.send_annotated_video(*get_finished(analysis_id))


help_blueprint = Blueprint("help", __name__)


@help_blueprint.get("/help")
@signed_in()
def guide() -> str:
    """Show what Reelproof can and cannot tell."""
    model = next((listed.told for listed in model_service.list_models() if listed.default), None)
    figures = model.figures if model is not None else {}
    return render_template(
        "analyses/help.html",
        glossary=translated_view(general_glossary(model)),
        strengths=translated_view(
            [
                steps(figures, MaterialKind.VIDEO),
                steps(figures, MaterialKind.PHOTOGRAPH),
                steps(read_voice_card().figures, MaterialKind.VOICE),
            ]
        ),
        readers=[reader_view_of_model(model, still) for still in (False, True)] if model is not None else (),
    )
