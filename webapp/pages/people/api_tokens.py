"""API tokens of one's own: listed, made, revoked. A new one is shown once."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reports.text.translation.language import gettext
from webapp import this_app
from webapp.errors import UserError
from webapp.pages.form_again import form_again
from webapp.security import api_tokens
from webapp.security.access.permissions import MEANINGS, current, signed_in
from webapp.security.api_tokens import TokenError
from webapp.storage.tables import now

blueprint = Blueprint("api_tokens", __name__, url_prefix="/account/tokens")


@blueprint.get("")
@signed_in()
def listing(problem: UserError | None = None) -> str:
    """The tokens there are, and the form to make one."""
    _refuse_tokens()
    return _page(problem=problem)


@blueprint.post("")
@signed_in(confirmed=True)
@form_again(listing)
def create() -> str:
    """Make a token; the answer is the only place it is ever shown."""
    _refuse_tokens()
    expires = _end_of(request.form.get("expires", ""))
    with this_app.database().alone() as session:
        made = api_tokens.make(
            session, current(), request.form.get("name", ""), request.form.getlist("scope"), expires
        )
    return _page(token=made.token)


@blueprint.post("/<token_id>/revoke")
@signed_in()
def revoke(token_id: str) -> Response:
    """End a token for good."""
    _refuse_tokens()
    with this_app.database().begin() as session:
        row = api_tokens.revoke(session, current(), token_id)
        if row is None:
            raise UserError(
                404, gettext("There is no such token of yours."), gettext("Look at the list of your tokens.")
            )
    return redirect(url_for("api_tokens.listing"), 303)


def _refuse_tokens() -> None:
    """A token must not make or end others: one that leaked could outlive its own end."""
    if current().scopes is not None:
        raise UserError(
            403, gettext("Tokens are made and revoked by people."), gettext("Sign in with a browser.")
        )


def _end_of(day: str) -> datetime | None:
    if not day.strip():
        return None
    try:
        return datetime.combine(date.fromisoformat(day.strip()), time(23, 59, 59), UTC)
    except ValueError:
        raise TokenError(
            gettext("The last day is no date."), gettext("Write one such as 2027-01-31."), field="expires"
        ) from None


def _page(*, token: str = "", problem: UserError | None = None) -> str:
    who = current()
    with this_app.database().begin() as session:
        own = api_tokens.listed(session, who)
    return render_template(
        "pages/people/api_tokens.html",
        tokens=own,
        now=now(),
        token=token,
        problem=problem,
        scopes=[each for each in api_tokens.SCOPES if who.may(each)],
        meanings=MEANINGS,
        suggested=(now() + timedelta(days=90)).date(),
        form=request.form,
    )
