"""How this Reelproof is doing, for administrators, and the thresholds of alerts."""

from __future__ import annotations

from flask import Blueprint, current_app, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.monitoring import alerts, operations, readiness
from webapp.queries.analyses import database
from webapp.security.permissions import Permission, require
from webapp.settings import Settings

blueprint = Blueprint("operations", __name__, url_prefix="/operations")


@blueprint.get("")
@require(Permission.CONFIGURE)
def show() -> Response:
    """Queue, workers, disk, backup, checks, versions; what is passed of the thresholds."""
    settings: Settings = current_app.extensions["settings"]
    passed = alerts.look(settings, database())
    with database().begin() as session:
        limits, since = alerts.thresholds(session), alerts.raised(session)
    page = render_template(
        "pages/operations.html",
        found=operations.gather(settings, database()),
        checks=[check for check in readiness.checks(settings, database()) if check.problem],
        versions=operations.versions(database()),
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
    with database().alone() as session:
        alerts.set_thresholds(session, request.form)
    return redirect(url_for("operations.show", saved=1), 303)
