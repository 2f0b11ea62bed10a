"""How this Reelproof is doing, for administrators, and the thresholds of alerts."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp import this_app
from webapp.errors import UserError
from webapp.monitoring import alerts, operations, readiness
from webapp.pages.form_again import form_again
from webapp.security.access.permissions import Permission, require

blueprint = Blueprint("operations", __name__, url_prefix="/operations")


@blueprint.get("")
@require(Permission.CONFIGURE)
def show(problem: UserError | None = None) -> str:
    """Queue, workers, disk, backup, checks, versions; what is passed of the thresholds."""
    settings = this_app.settings()
    passed = alerts.check(settings, this_app.database())
    with this_app.database().begin() as session:
        limits, since = alerts.thresholds(session), alerts.raised(session)
    return render_template(
        "pages/operations.html",
        found=operations.gather(settings, this_app.database()),
        checks=[check for check in readiness.checks(settings, this_app.database()) if check.problem],
        versions=operations.versions(this_app.database()),
        kinds=alerts.KINDS,
        limits=request.form if problem else limits,
        problem=problem,
        passed=passed,
        since=since,
        shared=settings.shared,
    )


@blueprint.post("")
@require(Permission.CONFIGURE)
@form_again(show)
def change() -> Response:
    """Set the thresholds."""
    with this_app.database().alone() as session:
        alerts.set_thresholds(session, request.form)
    return redirect(url_for("operations.show", saved=1), 303)
