"""Pages of live sessions."""

from __future__ import annotations

import shlex
from pathlib import Path

from flask import Blueprint, Response, render_template

from detector.live.state import is_id, read_picture
from language.translation import gettext
from webapp import context
from webapp.accounts.permissions import Permission, login_is_on, require
from webapp.errors import UserError
from webapp.http.security import MEDIA_POLICY
from webapp.live import sessions

blueprint = Blueprint("live", __name__)


@blueprint.get("/live")
@require(Permission.WATCH)
def listing() -> str:
    """List the sessions and explain how to start one."""
    # With login on, paths on the machine are not shown to everybody.
    folder = "DATA/live" if login_is_on() else shlex.quote(str(_folder()))
    return render_template(
        "live/live_sessions.html", sessions=sessions.list_sessions(_folder()), folder=folder
    )


@blueprint.get("/live/<live_id>")
@require(Permission.WATCH)
def show(live_id: str) -> str:
    """Show one session."""
    return render_template("live/live.html", session=_get_or_404(live_id))


@blueprint.get("/live/<live_id>/parts")
@require(Permission.WATCH)
def parts(live_id: str) -> str:
    """Show the parts of the page that change, which its script inserts."""
    return render_template("live/parts.html", session=_get_or_404(live_id))


@blueprint.get("/live/<live_id>/pictures/<int:number>.jpg")
@require(Permission.WATCH)
def picture(live_id: str, number: int) -> Response:
    """Send one of the latest pictures."""
    data = read_picture(_folder() / live_id, number) if is_id(live_id) else None
    if data is None:
        raise UserError(
            404, gettext("This picture is no longer there."), gettext("Reload the page of the session.")
        )
    response = Response(data, mimetype="image/jpeg")
    response.headers["Content-Security-Policy"] = MEDIA_POLICY
    return response


def _folder() -> Path:
    return context.folders().live


def _get_or_404(live_id: str) -> sessions.LiveSession:
    session = sessions.get_session(_folder(), live_id)
    if session is None:
        raise UserError(
            404,
            gettext("There is no live session at this address."),
            gettext("The page Live lists the sessions that exist."),
        )
    return session
