"""Pages of cases: the list, one case with its members and analyses, export, closing and purging."""

from __future__ import annotations

from typing import cast, get_args

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from language.translation import gettext
from reports.review.second_review import Hidden
from webapp import context
from webapp.accounts.permissions import Permission, current, login_is_on, require
from webapp.cases import closing
from webapp.cases import export as case_export
from webapp.casework import access, blinding, reviewers, service
from webapp.casework import reviews as review_queries
from webapp.casework.details import SHOWN
from webapp.errors import UserError
from webapp.exhibits import queries as analysis_queries
from webapp.http.error_responses import show_form_again
from webapp.http.language import download_language
from webapp.http.request_values import row_number
from webapp.storage.tables import CaseReview

blueprint = Blueprint("cases", __name__)


@blueprint.get("/cases")
@require(Permission.READ)
def listing(problem: UserError | None = None) -> str:
    """List the cases the user may see, with a form for a new one."""
    with context.database().begin() as session:
        cases = access.list_cases(session, current())
        analyses, members = access.count_analyses_and_members(session, cases)
    return render_template(
        "cases/cases.html",
        cases=cases,
        analyses=analyses,
        members=members,
        problem=problem,
        typed=request.form,
    )


@blueprint.post("/cases")
@require(Permission.ARRANGE)
@show_form_again(listing)
def make() -> Response:
    """Create a case with a ``name`` and a ``description``."""
    with context.database().begin() as session:
        case = service.create_case(
            session, current(), request.form.get("name", ""), request.form.get("description", "")
        )
    return _redirect(case.id)


@blueprint.get("/cases/<int:case_id>")
@require(Permission.READ)
def show(case_id: int, problem: UserError | None = None) -> str:
    """Show a case with its members and analyses."""
    with context.database().begin() as session:
        user = current()
        case = access.find_or_404(session, user, case_id)
        if problem and case.closed:
            raise access.closed_case_error()
        review = session.get(CaseReview, case_id)
        may_arrange = user.may(Permission.ARRANGE)
        is_second = review is not None and review.second_id == user.user_id
        names_reviewers = may_arrange and not is_second
        if problem and request.endpoint == "cases.name_reviewers" and not names_reviewers:
            raise problem
        is_change = request.endpoint == "cases.change"
        return render_template(
            "cases/case.html",
            case=case,
            naming=review,
            reviewers=review_queries.reviewers_by_part(session, review) if review else {},
            reviews={r.row.id: r for r in review_queries.reviews_in_case(session, case, as_second=is_second)}
            if review
            else {},
            hidden=blinding.hidden_exhibit_ids(session, None if user.sees_all else user.user_id),
            able=access.possible_reviewers(session) if may_arrange else [],
            names_reviewers=names_reviewers,
            members=access.list_members(session, case),
            others=access.possible_members(session, case) if may_arrange else [],
            analyses=access.list_analyses(session, case),
            people=login_is_on(),
            problem=problem,
            name=_entered("name", case.name) if is_change else case.name,
            description=_entered("description", case.description) if is_change else case.description,
        )


@blueprint.post("/cases/<int:case_id>")
@require(Permission.ARRANGE)
@show_form_again(show)
def change(case_id: int) -> Response:
    """Change the name and description of a case."""
    with context.database().alone() as session:
        case = access.find_or_404(session, current(), case_id)
        form_defaults = {field: request.form.get(f"{SHOWN}{field}") for field in ("name", "description")}
        name, description = _entered("name", case.name), _entered("description", case.description)
        service.change_case(session, case, name, description, form_defaults)
    return _redirect(case_id)


@blueprint.post("/cases/<int:case_id>/reviewers")
@require(Permission.ARRANGE)
@show_form_again(show)
def name_reviewers(case_id: int) -> Response:
    """Name the reviewers of a case, and what is ``blind``; without names, end its review."""
    with context.database().alone() as session:
        case = access.find_or_404(session, current(), case_id)
        first, second, third = (row_number(request.form.get(part, "")) for part in review_queries.PARTS)
        if not (first or second or third):
            reviewers.end_review(session, current(), case)
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
                    gettext("The form does not say what is hidden."),
                    gettext("Choose it in the form."),
                    field="blind",
                )
            chosen = reviewers.ChosenReviewers(first, second, third, cast(Hidden, blind))
            reviewers.name_reviewers(session, current(), case, chosen)
    return redirect(url_for("cases.show", case_id=case_id, _anchor="second-review"), 303)


@blueprint.post("/cases/<int:case_id>/members")
@require(Permission.ARRANGE)
def admit(case_id: int) -> Response:
    """Add a ``user`` to the members of a case."""
    user_id = row_number(request.form.get("user", ""))
    if user_id is None:
        raise UserError(400, gettext("No one was chosen."), gettext("Choose a person from the list."))
    with context.database().alone() as session:
        case = access.find_or_404(session, current(), case_id)
        service.add_member(session, case, user_id)
    return _redirect(case_id)


@blueprint.post("/cases/<int:case_id>/members/<int:user_id>/remove")
@require(Permission.ARRANGE)
def dismiss(case_id: int, user_id: int) -> Response:
    """Remove a user from the members of a case."""
    with context.database().alone() as session:
        case = access.find_or_404(session, current(), case_id)
        reviewers.refuse_removing_member(session, case.id, user_id)
        service.remove_member(session, case, user_id)
    if user_id == current().user_id:
        return redirect(url_for("cases.listing"), 303)
    return _redirect(case_id)


@blueprint.get("/analyses/<analysis_id>/assign")
@require(Permission.ARRANGE)
def ask(analysis_id: str) -> str:
    """Show the form that puts an analysis into a case or removes it from its case."""
    row = analysis_queries.get_or_404(analysis_id)
    with context.database().begin() as session:
        access.refuse_changes(session, row.case_id)
        reviewers.refuse_leaving_case(session, row)
        cases = access.list_cases(session, current())
    return render_template("cases/assign.html", row=row, cases=cases)


@blueprint.post("/analyses/<analysis_id>/assign")
@require(Permission.ARRANGE)
def assign(analysis_id: str) -> Response:
    """Put an analysis into a ``case``; an empty value returns it to the uploader."""
    analysis_queries.get_or_404(analysis_id)
    with context.database().alone() as session:
        case_id = access.case_from_form(session, current(), request.form.get("case"))
        row = analysis_queries.reload_row(session, analysis_id)
        service.assign_to_case(session, row, case_id)
    still_visible = case_id is not None or current().sees_all or row.owner_id == current().user_id
    return redirect(
        url_for("show.show", analysis_id=analysis_id) if still_visible else url_for("library.listing"), 303
    )


@blueprint.post("/analyses/assign")
@require(Permission.ARRANGE)
def assign_selected() -> Response:
    """Put every ``analysis`` of the form into a ``case``, or none of them."""
    ids = list(dict.fromkeys(request.form.getlist("analysis")))
    with context.database().alone() as session:
        case_id = access.case_from_form(session, current(), request.form.get("case"))
        for analysis_id in ids:
            analysis_queries.get_or_404(analysis_id)
            service.assign_to_case(session, analysis_queries.reload_row(session, analysis_id), case_id)
    return redirect(url_for("library.listing", assigned=len(ids)), 303)


@blueprint.post("/cases/<int:case_id>/close")
@require(Permission.ARRANGE)
def close(case_id: int) -> Response:
    """Close a case; with ``with_open_reviews`` even if second reviews are open."""
    with_open_reviews = request.form.get("with_open_reviews") == "yes"
    with context.database().alone() as session:
        case = access.find_or_404(session, current(), case_id)
        closing.close(session, case, with_open_reviews=with_open_reviews)
    return _redirect(case_id)


@blueprint.post("/cases/<int:case_id>/reopen")
@require(Permission.ADMINISTER)
def reopen(case_id: int) -> Response:
    """Reopen a case."""
    with context.database().alone() as session:
        closing.reopen(session, access.find_or_404(session, current(), case_id))
    return _redirect(case_id)


@blueprint.get("/cases/<int:case_id>/case.zip")
@require(Permission.EXPORT)
def export(case_id: int) -> Response:
    """Send the complete case: exhibits, and a bundle of each analysis in the given ``language``."""
    return case_export.send(case_id, download_language())


@blueprint.get("/cases/<int:case_id>/purge")
@require(Permission.ADMINISTER, confirmed=True)
def ask_to_purge(case_id: int) -> str:
    """Show the consequences of purging a closed case, and ask for confirmation."""
    with context.database().begin() as session:
        case = access.find_or_404(session, current(), case_id)
        consequences = closing.consequences(session, case)
    return render_template("cases/purge.html", case=case, consequences=consequences)


@blueprint.post("/cases/<int:case_id>/purge")
@require(Permission.ADMINISTER, confirmed=True)
def purge(case_id: int) -> Response:
    """Delete a closed case and everything in it."""
    with context.database().begin() as session:
        access.find_or_404(session, current(), case_id)
    closing.purge(context.database(), context.folders(), case_id)
    return redirect(url_for("cases.listing"), 303)


def _entered(field: str, stored: str) -> str:
    """Return the entered value of a form's field, or the stored one if the field was left as shown."""
    text = request.form.get(field, "")
    return stored if request.form.get(f"{SHOWN}{field}") == text else text


def _redirect(case_id: int) -> Response:
    return redirect(url_for("cases.show", case_id=case_id), 303)
