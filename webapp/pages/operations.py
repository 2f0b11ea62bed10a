"""How this Reelproof is doing, for administrators, and the thresholds of alerts."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp import this_app
from webapp.monitoring import alerts, operations, readiness
from webapp.security.access.permissions import Permission, require

blueprint = Blueprint("operations", __name__, url_prefix="/operations")


@blueprint.get("")
@require(Permission.CONFIGURE)
def show() -> Response:
    """Queue, workers, disk, backup, checks, versions; what is passed of the thresholds."""
    settings = this_app.settings()
    passed = alerts.check(settings, this_app.database())
    with this_app.database().begin() as session:
        limits, since = alerts.thresholds(session), alerts.raised(session)
    page = render_template(
        "pages/operations.html",
        found=operations.gather(settings, this_app.database()),
        checks=[check for check in readiness.checks(settings, this_app.database()) if check.problem],
        versions=operations.versions(this_app.database()),
        kinds=alerts.KINDS,
        limits=limits,
        passed=passed,
        since=since,
        shared=settings.shared,
    )
    return make_response(page)


@blueprint.post("")
@require(Permission.CONFIGURE)
def change() -> Response:
    """Set the thresholds."""
    with this_app.database().alone() as session:
        alerts.set_thresholds(session, request.form)
    return redirect(url_for("operations.show", saved=1), 303)
