"""Roles, permissions, and the account that makes the current request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from flask import Flask, g, has_request_context

from reports.language.names import LOCAL_USER
from reports.language.translation import N_, gettext
from webapp import context
from webapp.errors import UserError


class Permission(StrEnum):
    """What somebody may do; also the names of the scopes of an API token."""

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


# In words, for pages and docs/security.md.
MEANINGS = {
    Permission.READ: N_(
        "see analyses, findings, comparisons, copies, second reviews, cases, statistics and models"
    ),
    Permission.EXPORT: N_("fetch reports, bundles, exports, whole cases and exhibits"),
    Permission.ANNOTATE: N_(
        "record and import annotations, state details of a case, take part in second reviews"
    ),
    Permission.ANALYSE: N_(
        "hand in files, analyse again, compare with a reference, cancel, retry, pause, prioritise"
    ),
    Permission.WATCH: N_("see live sessions"),
    Permission.ARRANGE: N_(
        "make and close cases, say who is in them and who reviews, put analyses into them"
    ),
    Permission.DELETE: N_("delete analyses and comparisons"),
    Permission.CONFIGURE: N_(
        "add, choose and remove models, make validations and set thresholds, see operations and set "
        "alerts, make webhooks"
    ),
    Permission.AUDIT: N_("read the custody log as a whole, and the metrics"),
    Permission.ADMINISTER: N_("make accounts and change roles, open closed cases again and purge them"),
}


class Role(StrEnum):
    """What an account is for."""

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
    """Who asks. ``scopes`` narrows what the role allows (an API token); none means all of it."""

    name: str  # what they sign in as; the custody log's actor
    display: str  # what pages and annotations call them
    role: Role
    user_id: int | None
    scopes: frozenset[str] | None = None

    def may(self, permission: Permission) -> bool:
        """Whether role and scopes allow it."""
        return permission in PERMISSIONS[self.role] and (self.scopes is None or permission in self.scopes)

    @property
    def sees_all(self) -> bool:
        """Whether no case and no owner keeps an analysis from them."""
        return self.role == Role.ADMINISTRATOR


LOCAL = Principal(LOCAL_USER, LOCAL_USER, Role.ADMINISTRATOR, None)
# The app itself, where nobody asks: workers, the start, commands on the machine.
SYSTEM = Principal("reelproof", "Reelproof", Role.ADMINISTRATOR, None)


class Asker(StrEnum):
    """Who may use an endpoint, as far as that is no matter of permissions."""

    ANYBODY = "anybody"
    SIGNED_IN = "signed in"
    PERMITTED = "permitted"


@dataclass(frozen=True)
class Need:
    """What an endpoint needs of who asks.

    ``takes_files``: its form brings files, so the view says what they may be before the form is read.
    ``confirmed``: the password must have been given within the last minutes.
    ``first``: works while a password that was given out has yet to be changed.
    """

    asker: Asker
    permission: Permission | None = None
    takes_files: bool = False
    confirmed: bool = False
    first: bool = False


ViewFunction = TypeVar("ViewFunction", bound=Callable[..., Any])
_NEED = "__reelproof_need__"
# Flask's own endpoint has no view of ours to mark.
_OTHERS = {"static": Need(Asker.ANYBODY, first=True)}


def require(
    permission: Permission, *, takes_files: bool = False, confirmed: bool = False
) -> Callable[[ViewFunction], ViewFunction]:
    """Mark a view as one that needs ``permission``."""
    return _marked(Need(Asker.PERMITTED, permission, takes_files, confirmed))


def public(view: ViewFunction) -> ViewFunction:
    """Mark a view as open to anybody, signed in or not."""
    return _marked(Need(Asker.ANYBODY, first=True))(view)


def signed_in(*, first: bool = False, confirmed: bool = False) -> Callable[[ViewFunction], ViewFunction]:
    """Mark a view as open to whoever is signed in, about nothing but themselves."""
    return _marked(Need(Asker.SIGNED_IN, first=first, confirmed=confirmed))


def _marked(need: Need) -> Callable[[ViewFunction], ViewFunction]:
    def mark(view: ViewFunction) -> ViewFunction:
        setattr(view, _NEED, need)
        return view

    return mark


def requirement_of(app: Flask, endpoint: str) -> Need | None:
    """What an endpoint needs; none if nobody said, and then nobody gets in."""
    return _OTHERS.get(endpoint) or getattr(app.view_functions[endpoint], _NEED, None)


def current() -> Principal:
    """Who asks. Outside of requests, the app itself."""
    if not has_request_context():
        return SYSTEM
    found: Principal | None = g.get("principal")
    if found is None:
        raise LookupError("nobody is signed in: this endpoint is open to anybody")
    return found


def current_or_none() -> Principal | None:
    """Who asks, or none where nobody is signed in."""
    return current() if not has_request_context() or g.get("principal") is not None else None


def permission_error(permission: Permission) -> UserError:
    """What to say to somebody whose role or token does not allow it."""
    who = current()
    named = gettext(str(permission))
    what = gettext("This token does not include “%(permission)s”.", permission=named)
    if permission not in PERMISSIONS[who.role]:
        what = gettext(
            "The role %(role)s does not include “%(permission)s”.",
            role=gettext(str(who.role)),
            permission=named,
        )
    return UserError(
        403,
        what,
        gettext("Ask an administrator, or go back to the page you came from."),
    )


def login_is_on() -> bool:
    """Whether people sign in to this app."""
    return bool(context.settings().login)
