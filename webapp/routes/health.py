"""Whether the app is up and reaches its database."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from sqlalchemy import text

from webapp.access import public
from webapp.rows import database

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """Answer 200 when the database answers."""
    with database().begin() as session:
        session.execute(text("SELECT 1"))
    return jsonify(status="ok")
