"""The page of operations, for administrators: the installation's state and the thresholds of alerts."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp import context
from webapp.accounts.permissions import Permission, require
from webapp.errors import UserError
from webapp.http.error_responses import show_form_again
from webapp.operations import alerts, health
from webapp.operations import alerts as operations_alerts

blueprint = Blueprint("operations", __name__, url_prefix="/operations")


@blueprint.get("")
@require(Permission.CONFIGURE)
def show(problem: UserError | None = None) -> str:
    """Queue, workers, disk, backup, checks, versions; what is passed of the thresholds."""
    settings = context.settings()
    passed = alerts.check_alerts(settings, context.database())
    with context.database().begin() as session:
        limits, since = alerts.thresholds(session), alerts.raised_alerts(session)
    return render_template(
        "pages/operations.html",
        found=operations_alerts.gather_state(settings, context.database()),
        checks=[check for check in health.readiness_checks(settings, context.database()) if check.problem],
        versions=operations_alerts.versions(context.database()),
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
