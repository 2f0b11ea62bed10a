"""Pages of cases: the list, one case with its members and analyses, export, closing and purging."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reports.language.translation import gettext
from webapp import context
from webapp.accounts.permissions import Permission, current, login_is_on, require
from webapp.analyses import queries as analysis_queries
from webapp.cases import access, closing, service
from webapp.cases import access as case_queries
from webapp.cases import export as cases_export
from webapp.cases import service as case_making
from webapp.cases import service as case_members
from webapp.cases.details import SHOWN
from webapp.errors import UserError
from webapp.http.error_responses import show_form_again
from webapp.http.language import download_language
from webapp.http.request_values import row_number
from webapp.review import blinding, queries
from webapp.review import reviewers as reviewer_service
from webapp.storage.tables import CaseReview

blueprint = Blueprint("cases", __name__)


@blueprint.get("/cases")
@require(Permission.READ)
def listing(problem: UserError | None = None) -> str:
    """The cases one may see, and the form to make one."""
    with context.database().begin() as session:
        shown = case_queries.list_cases(session, current())
        analyses, members = case_queries.count_analyses_and_members(session, shown)
    return render_template(
        "pages/cases/cases.html",
        cases=shown,
        analyses=analyses,
        members=members,
        problem=problem,
        typed=request.form,
    )


@blueprint.post("/cases")
@require(Permission.ARRANGE)
@show_form_again(listing)
def make() -> Response:
    """Make a case with a ``name`` and a ``description``."""
    with context.database().begin() as session:
        case = case_making.create_case(
            session, current(), request.form.get("name", ""), request.form.get("description", "")
        )
    return _to(case.id)


@blueprint.get("/cases/<int:case_id>")
@require(Permission.READ)
def show(case_id: int, problem: UserError | None = None) -> str:
    """A case: what it is, who may see it, what is in it."""
    with context.database().begin() as session:
        who = current()
        case = case_queries.find_or_404(session, who, case_id)
        if problem and case.closed:
            raise access.closed_case_error()
        naming = session.get(CaseReview, case_id)
        able = case_queries.possible_reviewers(session) if who.may(Permission.ARRANGE) else []
        names_reviewers = who.may(Permission.ARRANGE) and not (naming and naming.second_id == who.user_id)
        if problem and request.endpoint == "second_reviews.name" and not names_reviewers:
            raise problem
        changed = request.endpoint == "cases.change"
        return render_template(
            "pages/cases/case.html",
            case=case,
            naming=naming,
            reviewers=queries.reviewers_by_part(session, naming) if naming else {},
            reviews={each.row.id: each for each in queries.reviews_in_case(session, case)} if naming else {},
            hidden=blinding.hidden_exhibit_ids(session, None if who.sees_all else who.user_id),
            able=able,
            names_reviewers=names_reviewers,
            members=case_queries.list_members(session, case),
            others=case_queries.possible_members(session, case) if who.may(Permission.ARRANGE) else [],
            analyses=case_queries.list_analyses(session, case),
            people=login_is_on(),
            problem=problem,
            name=_said("name", case.name) if changed else case.name,
            description=_said("description", case.description) if changed else case.description,
        )


@blueprint.post("/cases/<int:case_id>")
@require(Permission.ARRANGE)
@show_form_again(show)
def change(case_id: int) -> Response:
    """Name and describe it anew."""
    with context.database().alone() as session:
        case = case_queries.find_or_404(session, current(), case_id)
        shown = {field: request.form.get(f"{SHOWN}{field}") for field in ("name", "description")}
        said = _said("name", case.name), _said("description", case.description)
        case_making.change_case(session, case, *said, shown)
    return _to(case_id)


@blueprint.post("/cases/<int:case_id>/members")
@require(Permission.ARRANGE)
def admit(case_id: int) -> Response:
    """Let somebody see it."""
    chosen = row_number(request.form.get("user", ""))
    if chosen is None:
        raise UserError(400, gettext("Nobody was chosen."), gettext("Choose somebody from the list."))
    with context.database().alone() as session:
        case = case_queries.find_or_404(session, current(), case_id)
        case_members.add_member(session, case, chosen)
    return _to(case_id)


@blueprint.post("/cases/<int:case_id>/members/<int:user_id>/remove")
@require(Permission.ARRANGE)
def dismiss(case_id: int, user_id: int) -> Response:
    """Let somebody see it no longer."""
    with context.database().alone() as session:
        case = case_queries.find_or_404(session, current(), case_id)
        reviewer_service.refuse_removing_member(session, case.id, user_id)
        case_members.remove_member(session, case, user_id)
    if user_id == current().user_id:
        return redirect(url_for("cases.listing"), 303)
    return _to(case_id)


@blueprint.get("/analyses/<analysis_id>/assign")
@require(Permission.ARRANGE)
def ask(analysis_id: str) -> str:
    """The form to put an analysis into a case, another one, or none."""
    row = analysis_queries.get_or_404(analysis_id)
    with context.database().begin() as session:
        access.refuse_changes(session, row.case_id)
        reviewer_service.refuse_leaving_case(session, row)
        known = case_queries.list_cases(session, current())
    return render_template("pages/cases/assign.html", row=row, cases=known)


@blueprint.post("/analyses/<analysis_id>/assign")
@require(Permission.ARRANGE)
def assign(analysis_id: str) -> Response:
    """Put an analysis into a case, or take it out: an empty ``case`` leaves it to who handed it in."""
    analysis_queries.get_or_404(analysis_id)
    with context.database().alone() as session:
        chosen = case_queries.case_from_form(session, current(), request.form.get("case"))
        row = analysis_queries.reload_row(session, analysis_id)
        service.assign_to_case(session, row, chosen)
    still = chosen is not None or current().sees_all or row.owner_id == current().user_id
    return redirect(
        url_for("show.show", analysis_id=analysis_id) if still else url_for("library.listing"), 303
    )


@blueprint.post("/cases/<int:case_id>/close")
@require(Permission.ARRANGE)
def close(case_id: int) -> Response:
    """Close it: nothing in it is changed any more; open second reviews stay open if ``with_open_reviews``."""
    anyway = request.form.get("with_open_reviews") == "yes"
    with context.database().alone() as session:
        found = case_queries.find_or_404(session, current(), case_id)
        closing.close(session, found, with_open_reviews=anyway)
    return _to(case_id)


@blueprint.post("/cases/<int:case_id>/reopen")
@require(Permission.ADMINISTER)
def reopen(case_id: int) -> Response:
    """Open it again."""
    with context.database().alone() as session:
        closing.reopen(session, case_queries.find_or_404(session, current(), case_id))
    return _to(case_id)


@blueprint.get("/cases/<int:case_id>/case.zip")
@require(Permission.EXPORT)
def export(case_id: int) -> Response:
    """The case whole: exhibits, and the bundle of each analysis; ``language`` is that of the bundles."""
    return cases_export.send(case_id, download_language())


@blueprint.get("/cases/<int:case_id>/purge")
@require(Permission.ADMINISTER, confirmed=True)
def ask_to_purge(case_id: int) -> str:
    """Say what purging a closed case means, and ask."""
    with context.database().begin() as session:
        case = case_queries.find_or_404(session, current(), case_id)
        consequences = closing.consequences(session, case)
    return render_template("pages/cases/purge.html", case=case, consequences=consequences)


@blueprint.post("/cases/<int:case_id>/purge")
@require(Permission.ADMINISTER, confirmed=True)
def purge(case_id: int) -> Response:
    """Delete a closed case with all that is in it."""
    with context.database().begin() as session:
        case_queries.find_or_404(session, current(), case_id)
    closing.purge(context.database(), context.folders(), case_id)
    return redirect(url_for("cases.listing"), 303)


def _said(field: str, stored: str) -> str:
    """What a form says in a field; what is ``stored``, where it was left as the page showed it first."""
    text = request.form.get(field, "")
    return stored if request.form.get(f"{SHOWN}{field}") == text else text


def _to(case_id: int) -> Response:
    return redirect(url_for("cases.show", case_id=case_id), 303)
