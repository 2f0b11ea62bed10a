"""Pages of second reviews."""

from __future__ import annotations

import re
from typing import Any, cast

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from language.translation import N_, gettext
from reports.review.second_review import (
    CONCLUSIONS,
    VOICE_CONCLUSIONS,
    Judgement,
    Part,
    open_proposal,
)
from webapp import context
from webapp.accounts.permissions import Permission, current, require
from webapp.casework import access, blinding, reviews
from webapp.casework.blinding import Disclosure
from webapp.casework.reviews import SecondReviewState
from webapp.errors import UserError
from webapp.exhibits import annotations as annotation_service
from webapp.exhibits import older_rows
from webapp.exhibits import queries as analysis_queries
from webapp.exhibits.media import playback
from webapp.exhibits.media.playback import Playback
from webapp.exhibits.uploads import exhibits as exhibit_downloads
from webapp.http.error_responses import show_form_again
from webapp.http.uploads import Incoming, current_request
from webapp.review import annotation_import
from webapp.review import service as review_service
from webapp.storage.tables import AnalysisRow

blueprint = Blueprint("second_reviews", __name__)

_TASKS = {
    "judge": N_("Give your judgement"),
    "answer": N_("Answer a proposal"),
    "resolve": N_("Resolve a difference"),
    "decide": N_("Decide a difference"),
}
_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d{1,2}(?:[.,]\d+)?)")
_EMPTY_ROWS = 3  # rows of stretches in the empty form


@blueprint.get("/reviews")
@require(Permission.READ)
def listing() -> str:
    """Show a page of the tasks that wait for the caller."""
    with context.database().begin() as session:
        tasks = reviews.review_task_page(session, current(), request.args.get("page", 1, type=int))
    return render_template("review/second_reviews.html", waiting=tasks, tasks=_TASKS)


@blueprint.get("/reviews/<analysis_id>")
@require(Permission.READ)
def show(analysis_id: str, problem: UserError | None = None) -> str | Response:
    """Show the second review of an analysis's exhibit, as far as it is disclosed to the caller."""
    return _page(_row(analysis_id), problem)


@blueprint.post("/reviews/<analysis_id>/judgement")
@require(Permission.ANNOTATE)
@show_form_again(show)
def judge(analysis_id: str) -> Response:
    """Record a judgement: ``conclusion``, ``reasons`` and, in rows, ``start``, ``end`` and ``note``.

    ``voice`` is the conclusion on the voices, if they were judged.
    """
    row = _row(analysis_id)
    values = {**_conclusion(), "stretches": _stretches(request.form)}
    return _redirect(review_service.judge(row, current(), values))


@blueprint.post("/reviews/<analysis_id>/messages")
@require(Permission.ANNOTATE)
@show_form_again(show)
def say(analysis_id: str) -> Response:
    """Add a ``text`` to the recorded conversation."""
    return _redirect(review_service.say(_row(analysis_id), current(), _text("text")), "conversation")


@blueprint.post("/reviews/<analysis_id>/proposal")
@require(Permission.ANNOTATE)
@show_form_again(show)
def propose(analysis_id: str) -> Response:
    """Propose a joint ``conclusion`` with ``reasons``, and perhaps one on the ``voice``."""
    return _redirect(review_service.propose(_row(analysis_id), current(), _conclusion()), "conversation")


@blueprint.post("/reviews/<analysis_id>/acceptance")
@require(Permission.ANNOTATE)
def accept(analysis_id: str) -> Response:
    """Accept a ``proposal`` of the other reviewer."""
    return _redirect(review_service.accept(_row(analysis_id), current(), request.form.get("proposal", "")))


@blueprint.post("/reviews/<analysis_id>/decision")
@require(Permission.ANNOTATE)
@show_form_again(show)
def decide(analysis_id: str) -> Response:
    """Decide as the third reviewer: ``conclusion``, ``reasons`` and perhaps ``voice``."""
    return _redirect(review_service.decide(_row(analysis_id), current(), _conclusion()))


@blueprint.get("/reviews/<analysis_id>/exhibit")
@require(Permission.EXPORT)
def exhibit(analysis_id: str) -> Response:
    """Send the exhibit under review, whatever is hidden of it."""
    return exhibit_downloads.send_exhibit_under_review(_row(analysis_id))


def _row(analysis_id: str) -> AnalysisRow:
    """Return the analysis under review. The exhibit is shown, anything else only if it is disclosed."""
    return analysis_queries.get_or_404(analysis_id, Disclosure.EXHIBIT)


def _page(row: AnalysisRow, problem: UserError | None = None) -> str | Response:
    """Render the page of a review; with the ``problem`` of a form, which is shown as it was sent."""
    from reports.review.second_review_section import HIDDEN, judgement_view, second_review_view

    who = current()
    with context.database().begin() as session:
        review = reviews.find_review_or_404(session, row)
        hiding = None if who.sees_all else blinding.pending_judgement(session, who.user_id, row.exhibit_id)
        annotations = annotation_service.list_annotations(session, review.row.id)
    if review.row.id != row.id:
        if problem is None:
            return _redirect(review)
        row = _row(review.row.id)  # who sees one of them need not see the other
    part, standing = review.part_of(who.user_id), reviews.standing_of(review.statements)
    own, disclosed, length = review.own_judgement(part), review.disclosed, row.duration or 0.0
    active = part is not None and not review.case.closed
    judges, resolves = active and part != "third" and own is None, active and standing == "differs"
    if problem is not None and not _has_sent_form(part, judges, resolves):
        raise access.closed_case_error() if review.case.closed else problem
    decision = playback.read_playback(context.folders(), row)
    return render_template(
        "review/second_review.html",
        row=row,
        case=review.case,
        part=part,
        # Two people may have names that look alike, and no two accounts the same name.
        accounts={user.display: user.name for user in review.people.values()},
        view=second_review_view(disclosed, length, annotations),
        standing=standing,
        own=judgement_view(own, length) if isinstance(own, Judgement) else None,
        hidden=HIDDEN[hiding.hidden] if hiding else "",
        sees_findings=hiding is None or hiding.hidden != "findings",
        sees_all=hiding is None,
        judges=judges,
        resolves=resolves,
        proposal=open_proposal(disclosed),
        has_third=disclosed.third is not None,
        conclusions=CONCLUSIONS,
        voice_conclusions=("", *VOICE_CONCLUSIONS),
        plays=decision,
        still=not length,
        step=_step(row, decision),
        problem=problem,
        sent=cast(str, request.endpoint).rpartition(".")[2],
        form=request.form,
        # At least one empty row, and three rows in all.
        stretches=(rows := _stretch_rows(request.form)) + [("", "", "")] * max(_EMPTY_ROWS - len(rows), 1),
    )


def _has_sent_form(part: Part | None, judges: bool, resolves: bool) -> bool:
    """Tell whether the page still has the form that was sent."""
    match request.endpoint:
        case "second_reviews.judge":
            return judges
        case "second_reviews.propose":
            return resolves and part != "third"
        case "second_reviews.decide":
            return resolves and part == "third"
    return resolves


def _step(row: AnalysisRow, decision: Playback | None) -> float:
    """Return the seconds from frame to frame in the player; 0 without one."""
    if not row.duration or decision is None or decision.source == "none":
        return 0.0
    return 1 / playback.frames_per_second(older_rows.frame_rate(row))


def _conclusion() -> dict[str, Any]:
    voice = request.form.get("voice")
    conclusion = {"conclusion": request.form.get("conclusion", ""), "reasons": _text("reasons")}
    return conclusion | ({"voice": voice} if voice else {})


def _text(name: str) -> str:
    return request.form.get(name, "").replace("\r\n", "\n")


def _stretch_rows(form: MultiDict[str, str]) -> list[tuple[str, str, str]]:
    """Return the non-empty rows of stretches as they were typed."""
    rows = zip(*(form.getlist(name) for name in ("start", "end", "note")), strict=False)
    return [row for row in rows if any(text.strip() for text in row)]


def _stretches(form: MultiDict[str, str]) -> list[dict[str, Any]]:
    return [
        {"start": _seconds(start, f"start-{row}"), "end": _seconds(end, f"end-{row}"), "note": note}
        for row, (start, end, note) in enumerate(_stretch_rows(form), start=1)
    ]


def _seconds(text: str, field: str) -> float:
    """Parse a time such as 83.5, 1:23.5 or 0:01:23.5 into seconds."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise UserError(
            400,
            gettext("“%(entered)s” is not a time.", entered=text.strip()[:40]),
            gettext("Write it as 1:23.5, minutes and seconds."),
            field=field,
        )
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds.replace(",", "."))


def _redirect(review: SecondReviewState, anchor: str | None = None) -> Response:
    return redirect(url_for("second_reviews.show", analysis_id=review.row.id, _anchor=anchor), 303)


annotations_blueprint = Blueprint("annotations", __name__, url_prefix="/analyses/<analysis_id>")


@annotations_blueprint.post("/annotations/import")
@require(Permission.ANNOTATE, takes_files=True)
def import_annotations(analysis_id: str) -> Response:
    """Import the annotations of a file saved by a bundle's page, or of a bundle."""
    row = annotation_service.find_annotatable(analysis_id)
    form_request = current_request()
    form_request.upload_limit = annotation_import.import_limit(context.settings())
    part = form_request.files.get("file")
    stream = part.stream if part is not None else None
    if not isinstance(stream, Incoming) or not stream.bytes:
        raise UserError(
            400,
            gettext("No file came with the form."),
            gettext("Choose the file that the bundle's page saved."),
        )
    merged, _visible = annotation_import.import_file(row, stream)
    unverified = {"unverified": merged.unverified} if merged.unverified else {}
    address = url_for("show.show", analysis_id=row.id, imported=merged.new, known=merged.known, **unverified)
    return redirect(address, 303)
