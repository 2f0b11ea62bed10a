"""Pages of validations: the list, a new one from a labelled case, one with its thresholds."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from reports.language import translation
from reports.language.names import model_title
from reports.language.translation import N_, gettext
from webapp import context
from webapp.accounts.permissions import Permission, current, require
from webapp.cases import access as case_queries
from webapp.custody import custody_log, signing
from webapp.errors import UserError
from webapp.http.error_responses import show_form_again
from webapp.http.request_values import row_number
from webapp.http.security import REPORT_POLICY
from webapp.storage.tables import AnalysisRow, CaseRow
from webapp.validations import creation
from webapp.validations import store as stored_validations

blueprint = Blueprint("validations", __name__, url_prefix="/validations")

_NUMBERS = {"rate": N_("rate"), "cost": N_("cost"), "share": N_("share")}  # fields of a form


@blueprint.get("")
@require(Permission.CONFIGURE)
def listing() -> str:
    """All validations, and the cases a new one can be made of."""
    with context.database().begin() as session:
        cases = case_queries.list_cases(session, current())
        exhibits = case_queries.count_finished_exhibits(session, cases)
    return render_template(
        "pages/validations/validations.html",
        validations=stored_validations.list_validations(),
        cases=cases,
        exhibits=exhibits,
    )


@blueprint.get("/new")
@require(Permission.CONFIGURE)
def ask(problem: UserError | None = None) -> str:
    """The form in which the exhibits of a ``case`` are labelled."""
    form = request.form
    case, rows = _offered(request.values.get("case", ""))
    return render_template(
        "pages/validations/label_case.html",
        case=case,
        rows=rows,
        table=form.get("table", "") if problem else creation.empty_table(rows),
        problem=problem,
        form=form,
    )


@blueprint.post("")
@require(Permission.CONFIGURE)
@show_form_again(ask)
def make() -> Response:
    """Make a validation of a labelled ``case``."""
    form = request.form
    _, rows = _offered(form.get("case", ""))
    title, laboratory, table = (form.get(name, "") for name in ("title", "laboratory", "table"))
    sign = partial(signing.sign_validation, context.settings())
    new = creation.create_validation(
        rows, table, title, laboratory, sign, form.get("language", translation.DEFAULT)
    )
    return redirect(url_for("validations.show", validation_id=new), 303)


@blueprint.get("/<validation_id>")
@require(Permission.CONFIGURE)
def show(validation_id: str, problem: UserError | None = None) -> str:
    """Its figures, whether it still applies, its files, and the laboratory's own thresholds."""
    from reports.validation.error_rates import KINDS, full_level_name, level_row
    from reports.validation.validation_report import other_models_tables

    found = stored_validations.find_or_404(validation_id)
    about = found.about
    tables = [
        (
            title,
            [level_row(each, full_level_name(each)) for each in about.levels if each.kind is kind],
        )
        for kind, title in KINDS.items()
        if any(each.kind is kind for each in about.levels)
    ]
    return render_template(
        "pages/validations/validation.html",
        found=found,
        tables=tables,
        others=other_models_tables(model_title(about.model.title), about.levels, about.others, about.joint),
        problem=problem,
        typed=request.form,
        files=[name for name in stored_validations.FILES if _has_file(validation_id, name)],
    )


@blueprint.get("/<validation_id>/<name>")
@require(Permission.CONFIGURE)
def download(validation_id: str, name: str) -> Response:
    """One of its files."""
    path = stored_validations.validation_file(validation_id, name)
    with context.database().begin() as session:
        details = {"file": name, "validation": validation_id}
        custody_log.append(session, "export", details)
    page = name.endswith(".html")
    response = send_file(
        path, mimetype=stored_validations.FILES[name], as_attachment=not page, download_name=name
    )
    if page:
        response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response


@blueprint.post("/<validation_id>/thresholds")
@require(Permission.CONFIGURE)
@show_form_again(show)
def thresholds(validation_id: str) -> Response:
    """Set own thresholds by a false positive ``rate`` or a ``cost``, or with neither remove them."""
    by = request.form.get("by", "")
    rate = _number("rate") / 100 if by == "rate" else None
    cost = _number("cost") if by == "cost" else None
    share = _number("share") / 100 if by == "cost" else 0.5
    stored_validations.set_thresholds(validation_id, rate, cost, share)
    return redirect(url_for("validations.show", validation_id=validation_id, _anchor="thresholds"), 303)


@blueprint.post("/<validation_id>/quote")
@require(Permission.CONFIGURE)
def quote(validation_id: str) -> Response:
    """Let reports quote it, or with an empty ``quoted`` none any more."""
    stored_validations.quote(validation_id if request.form.get("quoted") else None)
    return redirect(url_for("validations.show", validation_id=validation_id), 303)


@blueprint.post("/<validation_id>/remove")
@require(Permission.CONFIGURE)
def remove(validation_id: str) -> Response:
    """Delete one that reports do not quote."""
    stored_validations.remove(validation_id)
    return redirect(url_for("validations.listing"), 303)


def _has_file(validation_id: str, name: str) -> bool:
    try:
        return stored_validations.validation_file(validation_id, name).is_file()
    except UserError:
        return False


def _offered(chosen: str) -> tuple[CaseRow, list[AnalysisRow]]:
    """The case of this number, and what of it can be labelled."""
    number = row_number(chosen)
    if number is None:
        raise UserError(
            400, gettext("No case was chosen."), gettext("Choose the case whose exhibits are to be labelled.")
        )
    with context.database().begin() as session:
        case = case_queries.find_or_404(session, current(), number)
        return case, creation.offered_analyses(case_queries.list_analyses(session, case))


def _number(field: str) -> float:
    try:
        return float(request.form.get(field, "").replace(",", "."))
    except ValueError:
        raise UserError(
            400,
            gettext("The %(field)s is no number.", field=gettext(_NUMBERS[field])),
            gettext("Write a number such as 1 or 0.5."),
            field=field,
        ) from None
