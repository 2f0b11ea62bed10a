"""The page of operations, for administrators: the installation's state and the thresholds of alerts."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp import context
from webapp.accounts.permissions import Permission, require
from webapp.errors import UserError
from webapp.http.error_responses import show_form_again
from webapp.operations import alerts, health

blueprint = Blueprint("operations", __name__, url_prefix="/operations")


@blueprint.get("")
@require(Permission.CONFIGURE)
def show(problem: UserError | None = None) -> str:
    """Show queue, workers, disk, backup, checks and versions, and which thresholds are passed."""
    settings, database = context.settings(), context.database()
    passed = alerts.check_alerts(settings, database)
    with database.begin() as session:
        limits, since = alerts.thresholds(session), alerts.raised_alerts(session)
    return render_template(
        "operations/operations.html",
        found=alerts.gather_state(settings, database),
        checks=[check for check in health.readiness_checks(settings, database) if check.problem],
        versions=alerts.versions(database),
        kinds=alerts.KINDS,
        limits=request.form if problem else limits,
        problem=problem,
        passed=passed,
        since=since,
        shared=settings.shared,
    )


@blueprint.post("")
@require(Permission.CONFIGURE)
@show_form_again(show)
def change() -> Response:
    """Set the thresholds."""
    with context.database().alone() as session:
        alerts.set_thresholds(session, request.form)
    return redirect(url_for("operations.show", saved=1), 303)
