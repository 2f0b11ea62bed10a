"""User accounts: create, change role or password, disable. Each change ends the account's sessions.

Every change is recorded in the custody log.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from language.names import normalized
from language.translation import gettext
from webapp.accounts import second_factor, sessions, tokens
from webapp.accounts.lookalikes import looks_taken
from webapp.accounts.passwords import Passwords, password_weakness
from webapp.accounts.permissions import LOCAL, SYSTEM, Principal, Role
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http.request_values import name_fault
from webapp.storage.tables import CaseReview, CaseRow, User, now

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,38}[a-z0-9]")
_MAX_NAME = 40
_MAX_DISPLAY_NAME = 80
# A one-time password, handed over by somebody else, stops working after this time.
ONE_TIME_PASSWORD_LIFETIME = timedelta(days=7)
_ADMINISTERS = (User.role == Role.ADMINISTRATOR, User.disabled.is_(None))


class AccountError(UserError):
    """An account cannot be created or changed in this way."""

    def __init__(self, error: str, remedy: str, *, field: str = "") -> None:
        super().__init__(400, error, remedy, field=field)


def add(
    session: Session,
    passwords: Passwords,
    name: str,
    display: str,
    role: Role,
    password: str,
    *,
    one_time: bool,
    **details: str,
) -> User:
    """Create an account; ``details`` go into the custody log.

    A ``one_time`` password has to be changed at the first sign-in. Raises :class:`AccountError` for an
    invalid or taken name and for a weak password.
    """
    name = _unused_name(session, name)
    display = _unused_display_name(session, display, name)
    _refuse_weak(password, name, display)
    user = User(
        name=name,
        display=display,
        role=role,
        password=passwords.hash(password),
        password_set=now(),
        one_time=one_time,
        created=now(),
    )
    session.add(user)
    session.flush()
    custody_log.append_access_event(session, "account made", account=user.name, role=user.role, **details)
    return user


def _unused_name(session: Session, name: str) -> str:
    name = canonical_name(name)
    if not _NAME.fullmatch(name) or name in (LOCAL.name, SYSTEM.name):
        raise AccountError(
            gettext("“%(name)s” cannot be a user name.", name=name),
            gettext(
                "Use 2 to 40 of the letters a to z, digits, and . _ @ - ; the first and the last a letter or "
                "a digit."
            ),
            field="name",
        )
    if find(session, name) is not None:
        raise AccountError(
            gettext("There is an account “%(name)s” already.", name=name),
            gettext("Choose another name."),
            field="name",
        )
    return name


def _unused_display_name(session: Session, display: str, name: str) -> str:
    display = normalized(" ".join(display.split()), _MAX_DISPLAY_NAME) or name
    if fault := name_fault(display, _MAX_DISPLAY_NAME):
        raise AccountError(gettext("The full name cannot be used."), fault, field="display")
    # Annotations are signed with this name, so two people must not share it.
    if looks_taken(display, (user.display for user in list_users(session))):
        raise AccountError(
            gettext("There is a person called “%(display)s” already.", display=display),
            gettext("Add something that distinguishes them."),
            field="display",
        )
    return display


def set_role(session: Session, user: User, role: Role, **details: str) -> None:
    """Give an account another role; ``details`` go into the custody log.

    Raises :class:`AccountError` for the last administrator, and for a second reviewer who would become one.
    """
    if role != Role.ADMINISTRATOR:
        _require_another_administrator(session, user)
    elif session.scalar(
        select(func.count())
        .select_from(CaseReview)
        .join(CaseRow, CaseRow.id == CaseReview.case_id)
        .where(CaseRow.closed.is_(None), CaseReview.second_id == user.id)
    ):
        raise AccountError(
            gettext(
                "%(display)s is the second reviewer of an open case, and administrators see everything.",
                display=user.display,
            ),
            gettext("Name another second reviewer first, or close the case."),
        )
    user.role = role
    sessions.end_sessions_of(session, user.id)
    custody_log.append_access_event(session, "role changed", account=user.name, role=user.role, **details)


def disable(session: Session, user: User) -> None:
    """Prevent sign-in to an account. Its owner's records remain."""
    _require_another_administrator(session, user)
    user.disabled = now()
    sessions.end_sessions_of(session, user.id)
    custody_log.append_access_event(session, "account disabled", account=user.name)


def enable(session: Session, user: User) -> None:
    """Allow sign-in to a disabled account again."""
    user.disabled = None
    custody_log.append_access_event(session, "account enabled", account=user.name)


def reset_password(
    session: Session, passwords: Passwords, user: User, password: str, *, one_time: bool
) -> int:
    """Give somebody else's account another password; return the number of API tokens revoked."""
    revoked = set_password(session, passwords, user, password, one_time=one_time)
    custody_log.append_access_event(session, "password reset", account=user.name, tokens=revoked)
    return revoked


def reset_second_factor(session: Session, user: User) -> None:
    """Remove the second factor of an account whose owner lost it."""
    second_factor.remove(session, user)
    sessions.end_sessions_of(session, user.id)
    custody_log.append_access_event(session, "second factor reset", account=user.name)


def set_password(
    session: Session,
    passwords: Passwords,
    user: User,
    password: str,
    *,
    one_time: bool,
    except_session: str = "",
    keep_tokens: bool = False,
) -> int:
    """Change the password, and end the account's other sessions and, unless kept, its API tokens.

    Returns the number of tokens revoked.
    """
    _refuse_weak(password, user.name, user.display)
    user.password, user.password_set, user.one_time = passwords.hash(password), now(), one_time
    sessions.end_sessions_of(session, user.id, except_session)
    return 0 if keep_tokens else tokens.revoke_all(session, user.id)


def find(session: Session, name: str) -> User | None:
    """Find an account by its name."""
    name = canonical_name_or_empty(name)
    return session.scalar(select(User).where(User.name == name)) if name else None


def canonical_name(name: str) -> str:
    """Return a user name in the form in which names are compared, cut to the length of account names."""
    return normalized(name, _MAX_NAME, "NFKC").lower()


def canonical_name_or_empty(name: str) -> str:
    """Return the canonical form of a user name, or an empty string if no account can have it."""
    name = canonical_name(name)
    return name if _NAME.fullmatch(name) else ""


def shorten_for_log(name: str) -> str:
    """Return a typed user name for the log, cut if it is too long for an account."""
    name = canonical_name(name)
    return name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…"


def list_users(session: Session) -> list[User]:
    """List all accounts by name."""
    return list(session.scalars(select(User).order_by(User.name)))


def count_administrators(session: Session) -> int:
    """Count the administrators who can sign in."""
    return session.scalar(select(func.count()).where(*_ADMINISTERS)) or 0


def may_sign_in(user: User, moment: datetime) -> bool:
    """Tell whether the right password gives access to the account."""
    expired = user.one_time and moment - user.password_set > ONE_TIME_PASSWORD_LIFETIME
    return user.disabled is None and not expired


def principal_of(user: User) -> Principal:
    """Return the principal of somebody signed in to this account."""
    return Principal(user.name, user.display, Role(user.role), user.id)


def _refuse_weak(password: str, name: str, display: str) -> None:
    if weakness := password_weakness(password, (name, display)):
        raise AccountError(weakness, "", field="new")


def _require_another_administrator(session: Session, user: User) -> None:
    others = select(func.count()).where(*_ADMINISTERS, User.id != user.id)
    if user.role == Role.ADMINISTRATOR and not session.scalar(others):
        raise AccountError(
            gettext("%(display)s is the only administrator.", display=user.display),
            gettext("Make another person an administrator first."),
        )
