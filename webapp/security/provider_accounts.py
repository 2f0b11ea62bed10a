"""Which account somebody has whom the provider signed in, and with which role.

An account belongs to issuer and subject together, never to a name or an address of mail, which somebody else
may get. Roles follow the provider's groups at each sign-in; whose groups give none is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from detector.schema.joiners import compared
from reports.text.translation.language import gettext
from webapp.custody import log as custody_log
from webapp.custody.records import account_records
from webapp.errors import UserError
from webapp.security import accounts as account_store
from webapp.security.access.permissions import Role
from webapp.security.sign_in import sessions
from webapp.security.sign_in.passwords import Passwords, generate
from webapp.settings import Settings
from webapp.storage.tables import SessionRow, User

ANYBODY = "*"
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._@-]+")


def subject(issuer: str, sub: str) -> str:
    """What an account is known by: a hash of who it is at which provider."""
    return sha256(f"{issuer}\0{sub}".encode()).hexdigest()


def role_of(settings: Settings, claims: Mapping[str, Any]) -> Role | None:
    """The role of somebody's groups, the highest of several; none: they may not sign in."""
    found = claims.get(settings.oidc_claim, [])
    groups = {found} if isinstance(found, str) else {str(each) for each in found or []}
    given = {role for group, role in settings.oidc_roles.items() if group in groups or group == ANYBODY}
    return max((Role(role) for role in given), key=list(Role).index, default=None)


def account(session: Session, settings: Settings, passwords: Passwords, claims: Mapping[str, Any]) -> User:
    """The account of who signed in, made if there is none; raises :class:`UserError` for one refused.

    The session must be alone (:meth:`webapp.storage.database.Database.alone`).
    """
    role = role_of(settings, claims)
    if role is None:
        raise _refused(gettext("Your groups at the provider give no role here."))
    known = subject(str(settings.oidc_issuer), str(claims["sub"]))
    user = session.scalar(select(User).where(User.subject == known))
    if user is None:
        return _new_account(session, passwords, claims, known, role)
    account_records.refuse_altered_account(session, user)
    if user.disabled is not None:
        raise _refused(gettext("This account is disabled."))
    if user.role != role:
        account_store.set_role(session, user, role, by="provider")
    return user


def link(session: Session, settings: Settings, user: User, sub: str) -> None:
    """Let somebody of the provider sign in to an account there is.

    Raises :class:`~webapp.errors.UserError` where no provider is set, and where they have another one.
    """
    if settings.oidc_issuer is None:
        raise UserError(
            409, gettext("REELPROOF_OIDC_ISSUER names no provider."), gettext("Set it as the app has it.")
        )
    known = subject(settings.oidc_issuer, sub)
    other = session.scalar(select(User).where(User.subject == known, User.id != user.id))
    if other is not None:
        raise UserError(
            409,
            gettext("This SUBJECT signs in to the account “%(name)s” already.", name=other.name),
            gettext("First link that account to another SUBJECT."),
        )
    user.subject = known
    custody_log.append_access_event(session, "account linked", account=user.name, subject=user.subject)


def end_sessions(session: Session, settings: Settings, sub: str) -> tuple[str, int]:
    """End what somebody of the provider opened through it; their account's name, and how many."""
    known = subject(str(settings.oidc_issuer), sub)
    user = session.scalar(select(User).where(User.subject == known))
    if user is None:
        return "", 0
    return user.name, sessions.end(session, SessionRow.user_id == user.id, SessionRow.way == "provider")


def name_of(claims: Mapping[str, Any]) -> str:
    """What the account is called: what the provider prefers, in the letters that names have here."""
    for claim in ("preferred_username", "email", "sub"):
        name = _NOT_IN_NAMES.sub("-", str(claims.get(claim) or "").lower()).strip("-._@")[:40]
        if len(name) > 1:
            return name
    return f"account-{sha256(str(claims['sub']).encode()).hexdigest()[:12]}"


def _new_account(
    session: Session, passwords: Passwords, claims: Mapping[str, Any], known: str, role: Role
) -> User:
    """An account made for somebody who signs in for the first time.

    Raises :class:`UserError` where an account of their name is somebody's here already.
    """
    name = name_of(claims)
    if account_store.find(session, name) is not None:
        raise _refused(
            gettext(
                "There is an account “%(name)s” here that is not linked to yours at the provider.", name=name
            ),
            gettext(
                "An administrator can link it: python -m webapp link-account %(name)s SUBJECT", name=name
            ),
        )
    display = " ".join(str(claims.get("name") or name).split())[:60]
    taken = {compared(user.display) for user in account_store.listed(session)}
    display = f"{display} ({name})"[:80] if compared(display) in taken else display
    # A password that nobody knows: an administrator can give another one.
    user = account_store.add(
        session, passwords, name, display, role, generate(), one_time=False, by="provider"
    )
    user.subject = known
    return user


def _refused(error: str, remedy: str = "") -> UserError:
    return UserError(403, error, remedy or gettext("Ask an administrator."))
