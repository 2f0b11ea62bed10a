"""The page of operations, for administrators: the installation's state and the thresholds of alerts."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp import context
from webapp.accounts.permissions import Permission, require
from webapp.errors import UserError
from webapp.exhibits import retention
from webapp.http.error_responses import show_form_again
from webapp.operations import alerts, health
from webapp.storage.tables import now

blueprint = Blueprint("operations", __name__, url_prefix="/operations")


@blueprint.get("")
@require(Permission.CONFIGURE)
def show(problem: UserError | None = None) -> str:
    """Show queue, workers, disk, backup, retention, checks and versions, and which thresholds are passed."""
    settings, database = context.settings(), context.database()
    passed = alerts.check_alerts(settings, database)
    with database.begin() as session:
        limits, since = alerts.thresholds(session), alerts.raised_alerts(session)
        due = None
        if settings.retention is not None:
            due = retention.due_until(session, settings.retention, now() + retention.NOTICE)
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
        days=settings.retention.days if settings.retention is not None else None,
        due=due,
    )


@blueprint.post("")
@require(Permission.CONFIGURE)
@show_form_again(show)
def change() -> Response:
    """Set the thresholds."""
    with context.database().alone() as session:
        alerts.set_thresholds(session, request.form)
    return redirect(url_for("operations.show", saved=1), 303)
