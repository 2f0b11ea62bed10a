"""The page of all accounts, for administrators."""

from __future__ import annotations

from flask import Blueprint, current_app, render_template, request

from language.formatting import plural
from language.translation import gettext, translated
from webapp import context
from webapp.accounts import users
from webapp.accounts.passwords import generate_password
from webapp.accounts.permissions import MEANINGS, PERMISSIONS, Permission, Role, require
from webapp.errors import UserError
from webapp.http.error_responses import show_form_again
from webapp.storage.tables import User

blueprint = Blueprint("accounts", __name__, url_prefix="/users")
_require_administrator = require(Permission.ADMINISTER, confirmed=True)


@blueprint.get("")
@_require_administrator
def listing(problem: UserError | None = None, **_path_fields: int) -> str:
    """List all accounts, with the form to create one."""
    return _page(problem=problem)


@blueprint.post("")
@_require_administrator
@show_form_again(listing)
def add() -> str:
    """Create an account; the page shows its one-time password once."""
    one_time_password = generate_password()
    with context.database().alone() as session:
        user = users.add(
            session,
            current_app.extensions["passwords"],
            request.form.get("name", ""),
            request.form.get("display", ""),
            _requested_role(),
            one_time_password,
            one_time=True,
        )
    return _page(new_password=(user, one_time_password))


@blueprint.post("/<int:user_id>/role")
@_require_administrator
@show_form_again(listing)
def role(user_id: int) -> str:
    """Give an account another role."""
    with context.database().alone() as session:
        user = _existing(session.get(User, user_id))
        users.set_role(session, user, _requested_role())
    return _page(
        done=gettext(
            "%(display)s is %(role)s now, and has to sign in again.",
            display=user.display,
            role=translated(user.role),
        )
    )


@blueprint.post("/<int:user_id>/disable")
@_require_administrator
@show_form_again(listing)
def disable(user_id: int) -> str:
    """Prevent sign-in to an account."""
    with context.database().alone() as session:
        user = _existing(session.get(User, user_id))
        users.disable(session, user)
    return _page(done=gettext("%(display)s cannot sign in any more.", display=user.display))


@blueprint.post("/<int:user_id>/enable")
@_require_administrator
def enable(user_id: int) -> str:
    """Allow sign-in to a disabled account again."""
    with context.database().alone() as session:
        user = _existing(session.get(User, user_id))
        users.enable(session, user)
    return _page(done=gettext("%(display)s can sign in again.", display=user.display))


@blueprint.post("/<int:user_id>/password")
@_require_administrator
def password(user_id: int) -> str:
    """Give an account a one-time password, which has to be changed at the next sign-in."""
    one_time_password = generate_password()
    with context.database().alone() as session:
        user = _existing(session.get(User, user_id))
        passwords = current_app.extensions["passwords"]
        revoked = users.reset_password(session, passwords, user, one_time_password, one_time=True)
    done = gettext(
        "%(display)s is signed out everywhere; %(tokens)s revoked.",
        display=user.display,
        tokens=plural(revoked, "API token", "API tokens"),
    )
    return _page(new_password=(user, one_time_password), done=done)


@blueprint.post("/<int:user_id>/second-factor")
@_require_administrator
def factor(user_id: int) -> str:
    """Remove the second factor of an account whose owner lost it."""
    with context.database().alone() as session:
        user = _existing(session.get(User, user_id))
        users.reset_second_factor(session, user)
    return _page(
        done=gettext(
            "%(display)s signs in with the password alone, and can set up a new second factor.",
            display=user.display,
        )
    )


def _existing(user: User | None) -> User:
    if user is None:
        raise UserError(404, gettext("There is no such account."), gettext("Go back to the list."))
    return user


def _requested_role() -> Role:
    try:
        return Role(request.form.get("role", ""))
    except ValueError:
        raise UserError(
            400, gettext("There is no such role."), gettext("There are %(role)s.", role=", ".join(Role))
        ) from None


def _page(
    *, problem: UserError | None = None, done: str = "", new_password: tuple[User, str] | None = None
) -> str:
    with context.database().begin() as session:
        rows = users.list_users(session)
    return render_template(
        "accounts/accounts.html",
        users=rows,
        roles={
            str(role): [permission for permission in MEANINGS if permission in PERMISSIONS[role]]
            for role in Role
        },
        meanings=MEANINGS,
        problem=problem,
        done=done,
        new_password=new_password,
        typed=request.form if problem and request.endpoint == "accounts.add" else {},
    )
