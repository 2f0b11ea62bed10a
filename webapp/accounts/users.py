"""User accounts: create, change role or password, disable. Each change ends the account's sessions."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from detector.schema.formatting import comparison_key
from reports.language.names import normalized
from reports.language.translation import gettext
from webapp.accounts import second_factor, sessions, tokens
from webapp.accounts.passwords import Passwords, password_weakness
from webapp.accounts.permissions import LOCAL, SYSTEM, Principal, Role
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http import request_values
from webapp.storage.tables import CaseReview, CaseRow, User, now

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,39}")
_LONGEST_NAME = 40
_LONGEST_DISPLAY = 80


# A password given out works so long, unless it is changed at the first sign-in.
ONE_TIME_FOR = timedelta(days=7)


class AccountError(UserError):
    """An account that cannot be made or changed so: what is the matter, and what to do."""

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
    **how: str,
) -> User:
    """A new account. ``one_time``: the password was given out and is to be changed at the first sign-in.

    As whatever changes an account here, it goes into the custody log, with ``how`` it came to be. Raises
    :class:`AccountError` for a name or password that cannot be, or is taken.
    """
    name = _free_name(session, name)
    display = _free_display(session, display, name)
    _refuse(password, name, display)
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
    custody_log.append_access_event(session, "account made", account=user.name, role=user.role, **how)
    return user


def _free_name(session: Session, name: str) -> str:
    """A user name as it is kept; raises :class:`AccountError` for one that cannot be, or is taken."""
    name = clean(name)
    if not _NAME.fullmatch(name) or name in (LOCAL.name, SYSTEM.name):
        raise AccountError(
            gettext("“%(name)s” cannot be a user name.", name=name),
            gettext(
                "Use 2 to 40 of the letters a to z, digits, and . _ @ - ; the first a letter or a digit."
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


def _free_display(session: Session, display: str, name: str) -> str:
    """What pages call an account, by default as its ``name``; raises :class:`AccountError` likewise."""
    display = normalized(" ".join(display.split()), _LONGEST_DISPLAY) or name
    if wrong := request_values.name_fault(display, _LONGEST_DISPLAY):
        raise AccountError(gettext("The full name cannot be used."), wrong, field="display")
    # Annotations stand under this name: two people must not share it.
    if any(comparison_key(user.display) == comparison_key(display) for user in listed(session)):
        raise AccountError(
            gettext("Somebody is called “%(display)s” already.", display=display),
            gettext("Add something that tells them apart."),
            field="display",
        )
    return display


def set_role(session: Session, user: User, role: Role, **how: str) -> None:
    """Give an account another role; ``how`` it came to be goes into the custody log.

    Raises :class:`AccountError` for the last administrator, and for a second reviewer who would become one.
    """
    if role != Role.ADMINISTRATOR:
        _keep_an_administrator(session, user)
    elif session.scalar(_REVIEWED_SECOND.where(CaseReview.second_id == user.id)):
        raise AccountError(
            gettext(
                "%(display)s is the second reviewer of an open case, and administrators see everything.",
                display=user.display,
            ),
            gettext("Name another second reviewer first, or close the case."),
        )
    user.role = role
    sessions.end_sessions_of(session, user.id)
    custody_log.append_access_event(session, "role changed", account=user.name, role=user.role, **how)


def disable(session: Session, user: User) -> None:
    """Let nobody sign in to it any more. What they did stays theirs."""
    _keep_an_administrator(session, user)
    user.disabled = now()
    sessions.end_sessions_of(session, user.id)
    custody_log.append_access_event(session, "account disabled", account=user.name)


def enable(session: Session, user: User) -> None:
    """Let its owner sign in again."""
    user.disabled = None
    custody_log.append_access_event(session, "account enabled", account=user.name)


def reset_password(
    session: Session, passwords: Passwords, user: User, password: str, *, one_time: bool
) -> int:
    """Give somebody else's account another password; returns how many API tokens ended."""
    ended = set_password(session, passwords, user, password, one_time=one_time)
    custody_log.append_access_event(session, "password reset", account=user.name, tokens=ended)
    return ended


def reset_second_factor(session: Session, user: User) -> None:
    """Forget the second factor of an account, whose owner lost it."""
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
    but: str = "",
    keep_tokens: bool = False,
) -> int:
    """Give an account another password; ends its sessions, ``but`` one, and its API tokens.

    ``keep_tokens``: they go on working. Returns how many tokens ended.
    """
    _refuse(password, user.name, user.display)
    user.password, user.password_set, user.one_time = passwords.hash(password), now(), one_time
    sessions.end_sessions_of(session, user.id, but)
    return 0 if keep_tokens else tokens.revoke_all(session, user.id)


def find(session: Session, name: str) -> User | None:
    """The account of this name."""
    name = possible(name)
    return session.scalar(select(User).where(User.name == name)) if name else None


def possible(name: str) -> str:
    """A name as it is compared, or nothing where no account can have it."""
    name = clean(name)
    return name if _NAME.fullmatch(name) else ""


def shortened(name: str) -> str:
    """A name somebody typed, for the log: one that is too long for an account is cut."""
    name = clean(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def listed(session: Session) -> list[User]:
    """All accounts, by name."""
    return list(session.scalars(select(User).order_by(User.name)))


def administrators(session: Session) -> int:
    """How many administrators can sign in."""
    return session.scalar(select(func.count()).where(*_ADMINISTERS)) or 0


def usable(user: User, moment: datetime) -> bool:
    """Whether somebody with the right password may sign in."""
    return user.disabled is None and not (user.one_time and moment - user.password_set > ONE_TIME_FOR)


def principal(user: User) -> Principal:
    """Who somebody signed in to this account is."""
    return Principal(user.name, user.display, Role(user.role), user.id)


def clean(name: str) -> str:
    """A user name as it is compared; of one that is too long for an account, its beginning."""
    return normalized(name, _LONGEST_NAME, "NFKC").lower()


_REVIEWED_SECOND = (
    select(func.count())
    .select_from(CaseReview)
    .join(CaseRow, CaseRow.id == CaseReview.case_id)
    .where(CaseRow.closed.is_(None))
)
_ADMINISTERS = (User.role == Role.ADMINISTRATOR, User.disabled.is_(None))


def _refuse(password: str, name: str, display: str) -> None:
    if reason := password_weakness(password, (name, display)):
        raise AccountError(reason, "", field="new")


def _keep_an_administrator(session: Session, user: User) -> None:
    others = select(func.count()).where(*_ADMINISTERS, User.id != user.id)
    if user.role == Role.ADMINISTRATOR and not session.scalar(others):
        raise AccountError(
            gettext("%(display)s is the only administrator.", display=user.display),
            gettext("Make somebody else an administrator first."),
        )
