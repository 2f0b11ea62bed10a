"""Pages of validations: the list, a new one from a labelled case, one with its thresholds."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from detector import timestamps
from detector.schema.laboratory import Validation
from language import translation
from language.names import model_title
from language.translation import N_, gettext
from reports.exports import spreadsheets
from webapp import context
from webapp.accounts.permissions import Permission, current, require
from webapp.casework import access
from webapp.custody import custody_log, signing
from webapp.downloads import exports
from webapp.errors import UserError
from webapp.http.error_responses import show_form_again
from webapp.http.request_values import row_number
from webapp.http.responses import send_and_forget
from webapp.http.security import REPORT_POLICY
from webapp.storage.tables import AnalysisRow, CaseRow
from webapp.validations import creation, store

blueprint = Blueprint("validations", __name__, url_prefix="/validations")

_SPREADSHEET = "files.xlsx"  # made of validation.json when it is asked for
_NUMBER_FIELDS = {"rate": N_("rate"), "cost": N_("cost"), "share": N_("share")}


@blueprint.get("")
@require(Permission.CONFIGURE)
def listing() -> str:
    """List all validations, and the cases a new one can be created from."""
    with context.database().begin() as session:
        cases = access.list_cases(session, current())
        exhibits = access.count_finished_exhibits(session, cases)
    return render_template(
        "validations/validations.html",
        validations=store.list_validations(),
        cases=cases,
        exhibits=exhibits,
    )


@blueprint.get("/new")
@require(Permission.CONFIGURE)
def ask(problem: UserError | None = None) -> str:
    """Show the form for labelling the exhibits of a ``case``."""
    form = request.form
    case, rows = _offered(request.values.get("case", ""))
    return render_template(
        "validations/label_case.html",
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
    """Create a validation from a labelled ``case``."""
    form = request.form
    _, rows = _offered(form.get("case", ""))
    title, laboratory, table = (form.get(name, "") for name in ("title", "laboratory", "table"))
    sign = partial(signing.sign_validation, context.settings())
    language_code = form.get("language", translation.DEFAULT)
    validation_id = creation.create_validation(rows, table, title, laboratory, sign, language_code)
    return redirect(url_for("validations.show", validation_id=validation_id), 303)


@blueprint.get("/<validation_id>")
@require(Permission.CONFIGURE)
def show(validation_id: str, problem: UserError | None = None) -> str:
    """Show the figures of a validation, whether it still applies, its files, and the own thresholds."""
    from reports.validation.error_rates import KINDS, all_limit_texts, class_names, full_level_name, level_row
    from reports.validation.validation_report import other_models_tables

    validation = store.find_or_404(validation_id)
    about = validation.about
    tables = [
        (
            title,
            class_names(kind),
            [level_row(level, full_level_name(level)) for level in about.levels if level.kind is kind],
        )
        for kind, title in KINDS.items()
        if any(level.kind is kind for level in about.levels)
    ]
    return render_template(
        "validations/validation.html",
        found=validation,
        limits=all_limit_texts(about),
        tables=tables,
        others=other_models_tables(model_title(about.model.title), about.levels, about.others, about.joint),
        problem=problem,
        typed=request.form,
        files=[*(name for name in store.FILES if _has_file(validation_id, name)), _SPREADSHEET],
    )


@blueprint.get("/<validation_id>/<name>")
@require(Permission.CONFIGURE)
def download(validation_id: str, name: str) -> Response:
    """Send a file of a validation."""
    if name == _SPREADSHEET:
        return _spreadsheet(validation_id)
    path = store.validation_file(validation_id, name)
    with context.database().begin() as session:
        custody_log.append(session, "export", {"file": name, "validation": validation_id})
    is_page = name.endswith(".html")
    response = send_file(path, mimetype=store.FILES[name], as_attachment=not is_page, download_name=name)
    if is_page:
        response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response


def _spreadsheet(validation_id: str) -> Response:
    validation = Validation.from_json(store.validation_file(validation_id, "validation.json").read_bytes())
    header, rows, provenance = spreadsheets.validation_table(validation)
    moment = timestamps.parse(validation.created)
    key = (current().user_id, _SPREADSHEET, validation_id)
    path = exports.make_spreadsheet(key, "Files", header, lambda: rows, lambda _count: provenance, moment)
    try:
        with context.database().begin() as session:
            custody_log.append(session, "export", {"file": _SPREADSHEET, "validation": validation_id})
        response = send_and_forget(path, spreadsheets.MIMETYPE)
    finally:
        path.unlink(missing_ok=True)
    response.headers.set("Content-Disposition", "attachment", filename=_SPREADSHEET)
    return response


@blueprint.post("/<validation_id>/thresholds")
@require(Permission.CONFIGURE)
@show_form_again(show)
def thresholds(validation_id: str) -> Response:
    """Set own thresholds by a false positive ``rate`` or a ``cost``; with neither, remove them."""
    by = request.form.get("by", "")
    rate = _number("rate") / 100 if by == "rate" else None
    cost = _number("cost") if by == "cost" else None
    share = _number("share") / 100 if by == "cost" else 0.5
    store.set_thresholds(validation_id, rate, cost, share)
    return redirect(url_for("validations.show", validation_id=validation_id, _anchor="thresholds"), 303)


@blueprint.post("/<validation_id>/quote")
@require(Permission.CONFIGURE)
def quote(validation_id: str) -> Response:
    """Let reports quote a validation; with an empty ``quoted``, let them quote none."""
    store.quote(validation_id if request.form.get("quoted") else None)
    return redirect(url_for("validations.show", validation_id=validation_id), 303)


@blueprint.post("/<validation_id>/remove")
@require(Permission.CONFIGURE)
def remove(validation_id: str) -> Response:
    """Delete a validation that reports do not quote."""
    store.remove(validation_id)
    return redirect(url_for("validations.listing"), 303)


def _has_file(validation_id: str, name: str) -> bool:
    try:
        return store.validation_file(validation_id, name).is_file()
    except UserError:
        return False


def _offered(case: str) -> tuple[CaseRow, list[AnalysisRow]]:
    """Return the case with this number, and its analyses that can be labelled."""
    number = row_number(case)
    if number is None:
        raise UserError(
            400, gettext("No case was chosen."), gettext("Choose the case whose exhibits are to be labelled.")
        )
    with context.database().begin() as session:
        row = access.find_or_404(session, current(), number)
        return row, creation.offered_analyses(access.list_analyses(session, row))


def _number(field: str) -> float:
    try:
        return float(request.form.get(field, "").replace(",", "."))
    except ValueError:
        raise UserError(
            400,
            gettext("The %(field)s is not a number.", field=gettext(_NUMBER_FIELDS[field])),
            gettext("Write a number such as 1 or 0.5."),
            field=field,
        ) from None
