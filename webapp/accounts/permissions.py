"""Roles, permissions, and the account that makes the current request.

Every endpoint declares its requirement with :func:`require`, :func:`public` or :func:`signed_in` on its view;
an endpoint without a declaration is closed to everybody. :mod:`webapp.accounts.request_guard` checks the
requirement before the view runs and before the request's body is read. ``docs/security.md`` prints these
tables and ``docs/routes.md`` the requirement of each route; tests compare them with this module.

Without login (loopback only) there is one user, the local administrator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from flask import Flask, g, has_request_context

from language.names import LOCAL_USER
from language.translation import N_, gettext
from webapp import context
from webapp.errors import UserError


class Permission(StrEnum):
    """A permission of a role, and a scope of an API token."""

    READ = N_("read")
    EXPORT = N_("export")
    ANNOTATE = N_("annotate")
    ANALYSE = N_("analyse")
    WATCH = N_("watch")
    ARRANGE = N_("arrange")
    DELETE = N_("delete")
    CONFIGURE = N_("configure")
    AUDIT = N_("audit")
    ADMINISTER = N_("administer")


MEANINGS = {
    Permission.READ: N_(
        "see analyses, findings, comparisons, copies, second reviews, cases, statistics and models"
    ),
    Permission.EXPORT: N_(
        "download reports, bundles, exports, complete cases and exhibits, animate heatmaps"
    ),
    Permission.ANNOTATE: N_("record and import annotations, state case details, take part in second reviews"),
    Permission.ANALYSE: N_(
        "upload files, analyse again, compare with a reference, cancel, retry, pause, prioritise"
    ),
    Permission.WATCH: N_("see live sessions"),
    Permission.ARRANGE: N_(
        "create and close cases, choose their members and reviewers, put analyses into them"
    ),
    Permission.DELETE: N_("delete analyses and comparisons"),
    Permission.CONFIGURE: N_(
        "add, choose and remove models, create validations, set thresholds, see operations, set "
        "alerts, create webhooks"
    ),
    Permission.AUDIT: N_("read the complete custody log, and the metrics"),
    Permission.ADMINISTER: N_("create accounts, change roles, reopen and purge closed cases"),
}


class Role(StrEnum):
    """The role of an account."""

    READER = N_("reader")
    REVIEWER = N_("reviewer")
    EXAMINER = N_("examiner")
    ADMINISTRATOR = N_("administrator")


_READER = frozenset({Permission.READ, Permission.EXPORT})
_REVIEWER = _READER | {Permission.ANNOTATE}
_EXAMINER = _REVIEWER | {
    Permission.ANALYSE,
    Permission.WATCH,
    Permission.ARRANGE,
    Permission.DELETE,
}
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.READER: _READER,
    Role.REVIEWER: _REVIEWER,
    Role.EXAMINER: _EXAMINER,
    Role.ADMINISTRATOR: frozenset(Permission),
}


@dataclass(frozen=True)
class Principal:
    """The authenticated identity. ``scopes``, of an API token, limit the permissions of the role."""

    name: str  # to sign in with; the actor in the custody log
    display: str  # on pages and in annotations
    role: Role
    user_id: int | None
    scopes: frozenset[str] | None = None

    def may(self, permission: Permission) -> bool:
        """Tell whether role and scopes include the permission."""
        return permission in PERMISSIONS[self.role] and (self.scopes is None or permission in self.scopes)

    @property
    def sees_all(self) -> bool:
        """Tell whether every analysis is visible, whatever its case and owner."""
        return self.role == Role.ADMINISTRATOR


LOCAL = Principal(LOCAL_USER, LOCAL_USER, Role.ADMINISTRATOR, None)
# The app itself, outside of requests: workers, start-up, commands on this machine.
SYSTEM = Principal("reelproof", "Reelproof", Role.ADMINISTRATOR, None)


class Audience(StrEnum):
    """Who may use an endpoint."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    PERMITTED = "permitted"


@dataclass(frozen=True)
class Requirement:
    """What an endpoint requires of the caller.

    ``takes_files``: the form contains files; the view sets their limits before the form is read.
    ``confirmed``: the password must have been entered within the last minutes.
    ``first``: the endpoint works while a one-time password has yet to be changed.
    """

    audience: Audience
    permission: Permission | None = None
    takes_files: bool = False
    confirmed: bool = False
    first: bool = False


ViewFunction = TypeVar("ViewFunction", bound=Callable[..., Any])
_ATTRIBUTE = "__reelproof_requirement__"
_STATIC = Requirement(Audience.ANYONE, first=True)  # Flask's own view cannot be marked


def require(
    permission: Permission, *, takes_files: bool = False, confirmed: bool = False
) -> Callable[[ViewFunction], ViewFunction]:
    """Mark a view as requiring ``permission``."""
    return _marked(Requirement(Audience.PERMITTED, permission, takes_files, confirmed))


def public(view: ViewFunction) -> ViewFunction:
    """Mark a view as open to everybody, signed in or not."""
    return _marked(Requirement(Audience.ANYONE, first=True))(view)


def signed_in(*, first: bool = False, confirmed: bool = False) -> Callable[[ViewFunction], ViewFunction]:
    """Mark a view as open to every signed-in user, for their own account."""
    return _marked(Requirement(Audience.SIGNED_IN, first=first, confirmed=confirmed))


def _marked(requirement: Requirement) -> Callable[[ViewFunction], ViewFunction]:
    def mark(view: ViewFunction) -> ViewFunction:
        setattr(view, _ATTRIBUTE, requirement)
        return view

    return mark


def requirement_of(app: Flask, endpoint: str) -> Requirement | None:
    """Return the requirement of an endpoint; None if it declares none and so is closed to everybody."""
    return _STATIC if endpoint == "static" else getattr(app.view_functions[endpoint], _ATTRIBUTE, None)


def current() -> Principal:
    """Return the caller of the request or, outside of requests, the app itself."""
    if not has_request_context():
        return SYSTEM
    principal: Principal | None = g.get("principal")
    if principal is None:
        raise LookupError("nobody is signed in: this endpoint is public")
    return principal


def current_or_none() -> Principal | None:
    """Return the caller, or None if nobody is signed in."""
    return current() if not has_request_context() or g.get("principal") is not None else None


def permission_error(permission: Permission) -> UserError:
    """Return the error for a caller whose role or token does not include a permission."""
    principal, name = current(), gettext(str(permission))
    if permission in PERMISSIONS[principal.role]:
        error = gettext("This token does not include “%(permission)s”.", permission=name)
    else:
        role = gettext(str(principal.role))
        error = gettext("The role %(role)s does not include “%(permission)s”.", role=role, permission=name)
    return UserError(403, error, gettext("Ask an administrator, or go back to the page you came from."))


def login_is_on() -> bool:
    """Tell whether people sign in to this app."""
    return bool(context.settings().login)
