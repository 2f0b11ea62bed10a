"""The second factor: time-based codes (TOTP, RFC 6238) and recovery codes."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from reports.language.translation import gettext
from webapp.accounts import passwords
from webapp.errors import UserError
from webapp.settings import Settings
from webapp.storage.database import Database
from webapp.storage.key_files import factor_key
from webapp.storage.tables import CLOCK_TOLERANCE, RecoveryCode, User, now

CODES = 10  # recovery codes of an account
STEP = 30  # seconds
_TOLERATED = (0, -1, 1)  # steps a clock may differ by
_AHEAD = max(_TOLERATED) + CLOCK_TOLERANCE // timedelta(seconds=STEP)  # steps: one further on says nothing
_NONCE = 12  # bytes
_CODE, _RECOVERY = re.compile(r"[0-9]{6}"), re.compile(r"[A-Z2-7]{24}")
Way = Literal["code", "recovery code"]


def required(settings: Settings, user: User) -> bool:
    """Whether the account's role needs one."""
    return user.role in settings.second_factor


def begin(settings: Settings, user: User) -> None:
    """Give the account a new secret, which counts from its first right code on.

    Raises :class:`~webapp.errors.UserError` where it has a second factor already.
    """
    import pyotp

    if user.factor_since is not None:
        raise UserError(409, gettext("There is a second factor already."), gettext("Remove it first."))
    user.factor_secret = _encrypted(settings, user, pyotp.random_base32())


def secret(settings: Settings, user: User) -> str:
    """The secret in base32, as authenticator apps take it.

    Raises :class:`~webapp.errors.UserError` where it cannot be read with the key there is.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    kept = base64.b64decode(user.factor_secret or "")
    try:
        plain = AESGCM(factor_key(settings.data)).decrypt(kept[:_NONCE], kept[_NONCE:], _bound(user))
    except (InvalidTag, ValueError):
        raise UserError(
            500,
            gettext("The second factor of this account cannot be read: it, or factors.key, was changed."),
            gettext("Put factors.key back from a backup, or have an administrator reset the second factor."),
        ) from None
    return plain.decode()


def address(settings: Settings, user: User) -> str:
    """What the picture shows: the ``otpauth`` address of the secret."""
    import pyotp

    return pyotp.TOTP(secret(settings, user)).provisioning_uri(name=user.name, issuer_name="Reelproof")


def qr_code(settings: Settings, user: User) -> str:
    """The address as a QR code, SVG to be put into a page; drawn here, nothing is asked for."""
    import segno

    code = segno.make(address(settings, user), error="m")
    drawn: str = code.svg_inline(scale=5, svgclass="qr", lineclass=None, dark="#000", light="#fff")
    return drawn


def check(
    database: Database, settings: Settings, user_id: int, text: str, moment: datetime, *, first: bool = False
) -> tuple[Way | None, timedelta]:
    """Whether a code is right, and of which kind; or how long until the next try.

    A right one is used up. ``first``: the code that shows that the secret arrived; recovery codes do not.
    """
    typed = re.sub(r"[\s-]", "", text).upper()
    with database.alone() as session:
        user = session.get_one(User, user_id)
        counted = passwords.code_bucket(user.name)
        if wait := passwords.throttle_attempt(session, counted, moment):
            return None, wait
        way: Way | None = None
        if user.factor_secret is not None and _is_code(settings, user, typed, moment):
            way = "code"
        elif not first and _is_recovery_code(session, user, typed, moment):
            way = "recovery code"
        if way is not None:
            passwords.forget_attempts(session, counted)
        return way, timedelta()


def new_codes(session: Session, user: User) -> list[str]:
    """New recovery codes, which are shown once; the old ones end."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    made = [base64.b32encode(secrets.token_bytes(15)).decode() for _ in range(CODES)]
    session.add_all(RecoveryCode(sha256=_hashed(code), user_id=user.id) for code in made)
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in made]


def codes_left(session: Session, user: User) -> int:
    """How many recovery codes were not used yet."""
    own = RecoveryCode.user_id == user.id, RecoveryCode.used.is_(None)
    return session.scalar(select(func.count()).where(*own)) or 0


def remove(session: Session, user: User) -> None:
    """Forget the second factor of an account."""
    user.factor_secret = user.factor_since = None
    user.factor_step = 0
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))


def _is_code(settings: Settings, user: User, typed: str, moment: datetime) -> bool:
    """Whether it is the code of a step that is now and was not used; notes that it is."""
    import pyotp

    if not _CODE.fullmatch(typed):
        return False
    totp, at = pyotp.TOTP(secret(settings, user)), int(moment.timestamp()) // STEP
    used = user.factor_step if user.factor_step <= at + _AHEAD else 0
    for step in (at + each for each in _TOLERATED):
        if hmac.compare_digest(totp.at(step * STEP), typed) and step > used:
            user.factor_step = step
            return True
    return False


def _is_recovery_code(session: Session, user: User, typed: str, moment: datetime) -> bool:
    if user.factor_since is None or not _RECOVERY.fullmatch(typed):
        return False
    row = session.get(RecoveryCode, _hashed(typed))
    if row is None or row.user_id != user.id or row.used is not None:
        return False
    row.used = moment
    return True


def _encrypted(settings: Settings, user: User, plain: str) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(factor_key(settings.data)).encrypt(nonce, plain.encode(), _bound(user))
    return base64.b64encode(nonce + sealed).decode()


def _bound(user: User) -> bytes:
    """One account's secret is worth nothing in another's row."""
    return f"second factor of {user.id} {user.name}".encode()


def _hashed(code: str) -> str:
    return sha256(code.encode()).hexdigest()


def seal(moment: datetime, user: User) -> str:
    """What a pending sign-in is about: worthless once password or second factor change."""
    return f"{user.id}\0{int(moment.timestamp())}\0{user.password_set}\0{user.factor_since}"


def confirm(session: Session, user: User) -> list[str]:
    """The second factor counts from now on; its recovery codes."""
    user.factor_since = now()
    return new_codes(session, user)
