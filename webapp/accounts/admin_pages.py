"""The page of all accounts, for administrators."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, current_app, render_template, request

from reports.language.formatting import plural
from reports.language.translation import gettext, translated
from webapp import context
from webapp.accounts import users as account_store
from webapp.accounts.passwords import generate_password
from webapp.accounts.permissions import MEANINGS, PERMISSIONS, Permission, Role, require
from webapp.errors import UserError
from webapp.http.error_responses import show_form_again
from webapp.storage.tables import User

blueprint = Blueprint("accounts", __name__, url_prefix="/users")


class _HandedOver(NamedTuple):
    """A password that an administrator hands over to whose account it is for."""

    user: User
    password: str


_ADMINISTERS = require(Permission.ADMINISTER, confirmed=True)


@blueprint.get("")
@_ADMINISTERS
def listing(problem: UserError | None = None, **_of_account: int) -> str:
    """All accounts, and the form to make one."""
    return _page(problem=problem)


@blueprint.post("")
@_ADMINISTERS
@show_form_again(listing)
def add() -> str:
    """Make an account; the page shows, once, the password to hand over."""
    given = generate_password()
    with context.database().alone() as session:
        user = account_store.add(
            session,
            current_app.extensions["passwords"],
            request.form.get("name", ""),
            request.form.get("display", ""),
            _role(),
            given,
            one_time=True,
        )
    return _page(handed_over=_HandedOver(user, given))


@blueprint.post("/<int:user_id>/role")
@_ADMINISTERS
@show_form_again(listing)
def role(user_id: int) -> str:
    """Give an account another role."""
    with context.database().alone() as session:
        user = _user(session.get(User, user_id))
        account_store.set_role(session, user, _role())
    return _page(
        done=gettext(
            "%(display)s is %(role)s now, and has to sign in again.",
            display=user.display,
            role=translated(user.role),
        )
    )


@blueprint.post("/<int:user_id>/disable")
@_ADMINISTERS
@show_form_again(listing)
def disable(user_id: int) -> str:
    """Let nobody sign in to an account."""
    with context.database().alone() as session:
        user = _user(session.get(User, user_id))
        account_store.disable(session, user)
    return _page(done=gettext("%(display)s cannot sign in any more.", display=user.display))


@blueprint.post("/<int:user_id>/enable")
@_ADMINISTERS
def enable(user_id: int) -> str:
    """Let its owner sign in again."""
    with context.database().alone() as session:
        user = _user(session.get(User, user_id))
        account_store.enable(session, user)
    return _page(done=gettext("%(display)s can sign in again.", display=user.display))


@blueprint.post("/<int:user_id>/password")
@_ADMINISTERS
def password(user_id: int) -> str:
    """Give an account a password to hand over, which is changed at the next sign-in."""
    given = generate_password()
    with context.database().alone() as session:
        user = _user(session.get(User, user_id))
        kept = current_app.extensions["passwords"]
        ended = account_store.reset_password(session, kept, user, given, one_time=True)
    done = gettext(
        "%(display)s is signed out everywhere; %(tokens)s revoked.",
        display=user.display,
        tokens=plural(ended, "API token", "API tokens"),
    )
    return _page(handed_over=_HandedOver(user, given), done=done)


@blueprint.post("/<int:user_id>/second-factor")
@_ADMINISTERS
def factor(user_id: int) -> str:
    """Forget the second factor of an account, whose owner lost it."""
    with context.database().alone() as session:
        user = _user(session.get(User, user_id))
        account_store.reset_second_factor(session, user)
    return _page(
        done=gettext(
            "%(display)s signs in with the password alone, and can set up a new second factor.",
            display=user.display,
        )
    )


def _user(found: User | None) -> User:
    if found is None:
        raise UserError(404, gettext("There is no such account."), gettext("Go back to the list."))
    return found


def _role() -> Role:
    try:
        return Role(request.form.get("role", ""))
    except ValueError:
        raise UserError(
            400, gettext("There is no such role."), gettext("There are %(role)s.", role=", ".join(Role))
        ) from None


def _page(*, problem: UserError | None = None, done: str = "", handed_over: _HandedOver | None = None) -> str:
    with context.database().begin() as session:
        users = account_store.listed(session)
    return render_template(
        "pages/people/accounts.html",
        users=users,
        roles={str(role): [each for each in MEANINGS if each in PERMISSIONS[role]] for role in Role},
        meanings=MEANINGS,
        problem=problem,
        done=done,
        handed_over=handed_over,
        typed=request.form if problem and request.endpoint == "accounts.add" else {},
    )
