"""For those who watch over Reelproof: is it up, can it work, and its figures."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import text

from webapp import this_app
from webapp.monitoring import metrics, readiness
from webapp.security.access.permissions import Permission, public, require

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """Answer 200 when the database answers."""
    with this_app.database().begin() as session:
        session.execute(text("SELECT 1"))
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    """Answer 200 when analyses can be taken in and made, 503 with the reasons when not."""
    found = readiness.checks(this_app.settings(), this_app.database())
    ready = not any(check.problem for check in found)
    response = jsonify(
        status="ready" if ready else "not ready", checks={each.name: each.problem or "ok" for each in found}
    )
    response.status_code = 200 if ready else 503
    return response


@blueprint.get("/metrics")
@require(Permission.AUDIT)
def figures() -> Response:
    """Figures for Prometheus. Behind a proxy everything comes from loopback, so a permission decides."""
    return Response(metrics.text(current_app), content_type=metrics.CONTENT_TYPE)
