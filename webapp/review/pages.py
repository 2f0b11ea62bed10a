"""Pages of second reviews."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast, get_args

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from reports.language.translation import N_, gettext
from reports.review.second_review import CONCLUSIONS, Hidden, Judgement, Part, open_proposal
from webapp import context
from webapp.accounts.permissions import Permission, current, require
from webapp.analyses import older_rows
from webapp.analyses import queries as analysis_queries
from webapp.analyses.media import playback
from webapp.analyses.media.playback import Playback
from webapp.analyses.uploads import exhibits as exhibit_downloads
from webapp.cases import access, pages
from webapp.cases import access as case_queries
from webapp.errors import UserError
from webapp.http.error_responses import show_form_again
from webapp.http.request_values import row_number
from webapp.review import annotations as annotation_service
from webapp.review import blinding, queries
from webapp.review import reviewers as reviewer_service
from webapp.review import service as review_service
from webapp.review.blinding import Disclosure
from webapp.review.queries import SecondReviewState
from webapp.storage.tables import AnalysisRow

blueprint = Blueprint("second_reviews", __name__)

_TASKS = {
    "judge": N_("Give your judgement"),
    "answer": N_("Answer a proposal"),
    "resolve": N_("Resolve a difference"),
    "decide": N_("Decide a difference"),
}
_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d{1,2}(?:[.,]\d+)?)")
_OFFERED = 3  # rows of stretches in the empty form


@blueprint.get("/reviews")
@require(Permission.READ)
def listing() -> str:
    """The queue: what waits for who asks, a page at a time."""
    with context.database().begin() as session:
        found = queries.review_task_page(session, current(), request.args.get("page", 1, type=int))
    return render_template("pages/second_reviews/second_reviews.html", waiting=found, tasks=_TASKS)


@blueprint.get("/reviews/<analysis_id>")
@require(Permission.READ)
def show(analysis_id: str, problem: UserError | None = None) -> str | Response:
    """The second review of an analysis's exhibit as far as who asks may see it, at its address of now."""
    return _page(_row(analysis_id), problem)


@blueprint.post("/reviews/<analysis_id>/judgement")
@require(Permission.ANNOTATE)
@show_form_again(show)
def judge(analysis_id: str) -> Response:
    """Give one's judgement: ``conclusion``, ``reasons`` and, in rows, ``start``, ``end`` and ``note``."""
    row = _row(analysis_id)
    said = {**_conclusion(), "stretches": _stretches(request.form)}
    return _to(review_service.judge(row, current(), said))


@blueprint.post("/reviews/<analysis_id>/messages")
@require(Permission.ANNOTATE)
@show_form_again(show)
def say(analysis_id: str) -> Response:
    """Add a ``text`` to the recorded conversation."""
    return _to(review_service.say(_row(analysis_id), current(), _text("text")), "conversation")


@blueprint.post("/reviews/<analysis_id>/proposal")
@require(Permission.ANNOTATE)
@show_form_again(show)
def propose(analysis_id: str) -> Response:
    """Propose a joint ``conclusion`` with ``reasons``."""
    return _to(review_service.propose(_row(analysis_id), current(), _conclusion()), "conversation")


@blueprint.post("/reviews/<analysis_id>/acceptance")
@require(Permission.ANNOTATE)
def accept(analysis_id: str) -> Response:
    """Accept a ``proposal`` of the other reviewer."""
    return _to(review_service.accept(_row(analysis_id), current(), request.form.get("proposal", "")))


@blueprint.post("/reviews/<analysis_id>/decision")
@require(Permission.ANNOTATE)
@show_form_again(show)
def decide(analysis_id: str) -> Response:
    """Decide as the third: ``conclusion`` and ``reasons``."""
    return _to(review_service.decide(_row(analysis_id), current(), _conclusion()))


@blueprint.get("/reviews/<analysis_id>/exhibit")
@require(Permission.EXPORT)
def exhibit(analysis_id: str) -> Response:
    """The exhibit under review as it was handed in, whatever is hidden of it."""
    return exhibit_downloads.send_exhibit_under_review(_row(analysis_id))


@blueprint.post("/cases/<int:case_id>/reviewers")
@require(Permission.ARRANGE)
@show_form_again(pages.show)
def name(case_id: int) -> Response:
    """Name the reviewers of a case: ``first``, ``second``, ``third`` and what is ``blind``; none: nobody."""
    with context.database().alone() as session:
        case = case_queries.find_or_404(session, current(), case_id)
        first, second, third = (row_number(request.form.get(part, "")) for part in queries.PARTS)
        if not (first or second or third):
            reviewer_service.end_review(session, current(), case)
        else:
            if first is None or second is None:
                raise UserError(
                    400,
                    gettext("A second review needs two reviewers."),
                    gettext("Choose the first and the second."),
                    field="first" if first is None else "second",
                )
            blind = request.form.get("blind", "")
            if blind not in get_args(Hidden):
                raise UserError(
                    400,
                    gettext("It was not said what is hidden."),
                    gettext("Choose it in the form."),
                    field="blind",
                )
            chosen = reviewer_service.ChosenReviewers(first, second, third, cast(Hidden, blind))
            reviewer_service.name_reviewers(session, current(), case, chosen)
    return redirect(url_for("cases.show", case_id=case_id, _anchor="second-review"), 303)


def _row(analysis_id: str) -> AnalysisRow:
    """What is under review: the exhibit is shown, all else as far as it is disclosed."""
    return analysis_queries.get_or_404(analysis_id, Disclosure.EXHIBIT)


def _page(row: AnalysisRow, problem: UserError | None = None) -> str | Response:
    """The page of the review ``row`` belongs to; ``problem`` is that of a form, which is shown as sent."""
    from reports.review.second_review_section import HIDDEN, judgement_view, second_review_view

    who = current()
    with context.database().begin() as session:
        found = queries.find_review_or_404(session, row)
        hiding = None if who.sees_all else blinding.pending_judgement(session, who.user_id, row.exhibit_id)
        annotations = annotation_service.list_annotations(session, found.row.id)
    if found.row.id != row.id:
        if problem is None:
            return _to(found)
        row = _row(found.row.id)  # who sees one of them need not see the other
    part = found.part_of(who.user_id)
    own, review, length = found.own_judgement(part), found.disclosed, row.duration or 0.0
    forms = _forms_for(found, part)
    if problem is not None and not forms.have_the_sent_one():
        raise access.closed_case_error() if found.case.closed else problem
    plays = playback.read_playback(context.folders(), row)
    return render_template(
        "pages/second_reviews/second_review.html",
        row=row,
        case=found.case,
        part=part,
        view=second_review_view(review, length, annotations),
        standing=queries.standing_of(found.statements),
        own=judgement_view(own, length) if isinstance(own, Judgement) else None,
        hidden=HIDDEN[hiding.hidden] if hiding else "",
        sees_findings=hiding is None or hiding.hidden != "findings",
        sees_all=hiding is None,
        judges=forms.judges,
        resolves=forms.resolves,
        proposal=open_proposal(review),
        has_third=review.third is not None,
        conclusions=CONCLUSIONS,
        plays=plays,
        still=not length,
        step=_step(row, plays),
        problem=problem,
        sent=cast(str, request.endpoint).rpartition(".")[2],
        form=request.form,
        stretches=_fields(_typed(request.form)),
    )


@dataclass(frozen=True)
class _Forms:
    """Which forms the page has for somebody who takes part as ``part``."""

    part: Part | None
    judges: bool
    resolves: bool

    def have_the_sent_one(self) -> bool:
        """Whether the form that was sent is still among them."""
        match request.endpoint:
            case "second_reviews.judge":
                return self.judges
            case "second_reviews.propose":
                return self.resolves and self.part != "third"
            case "second_reviews.decide":
                return self.resolves and self.part == "third"
        return self.resolves


def _forms_for(found: SecondReviewState, part: Part | None) -> _Forms:
    if found.case.closed or part is None:
        return _Forms(part, judges=False, resolves=False)
    return _Forms(
        part,
        judges=part != "third" and found.own_judgement(part) is None,
        resolves=queries.standing_of(found.statements) == "differs",
    )


def _step(row: AnalysisRow, plays: Playback | None) -> float:
    """Seconds from one frame to the next in the player; 0 without one."""
    if not row.duration or plays is None or plays.source == "none":
        return 0.0
    return 1 / playback.frames_per_second(older_rows.frame_rate(row))


def _conclusion() -> dict[str, Any]:
    return {"conclusion": request.form.get("conclusion", ""), "reasons": _text("reasons")}


def _text(name: str) -> str:
    return request.form.get(name, "").replace("\r\n", "\n")


def _typed(form: MultiDict[str, str]) -> list[tuple[str, str, str]]:
    """The rows of stretches as they were typed, but for empty ones."""
    rows = zip(*(form.getlist(name) for name in ("start", "end", "note")), strict=False)
    return [row for row in rows if any(each.strip() for each in row)]


def _fields(typed: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """The rows of the form: what was typed, and empty ones, one at least and three in all."""
    return typed + [("", "", "")] * max(_OFFERED - len(typed), 1)


def _stretches(form: MultiDict[str, str]) -> list[dict[str, Any]]:
    return [
        {"start": _seconds(start, f"start-{row}"), "end": _seconds(end, f"end-{row}"), "note": note}
        for row, (start, end, note) in enumerate(_typed(form), start=1)
    ]


def _seconds(text: str, field: str) -> float:
    """Seconds of a time that somebody typed into a field, as 83.5, 1:23.5 or 0:01:23.5."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise UserError(
            400,
            gettext("“%(entered)s” is no time.", entered=text.strip()[:40]),
            gettext("Write it as 1:23.5, minutes and seconds."),
            field=field,
        )
    hours, minutes, seconds = found.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds.replace(",", "."))


def _to(found: SecondReviewState, anchor: str | None = None) -> Response:
    return redirect(url_for("second_reviews.show", analysis_id=found.row.id, _anchor=anchor), 303)
