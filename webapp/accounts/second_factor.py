"""The second factor: time-based codes (TOTP, RFC 6238) and recovery codes.

The secret of each account is stored encrypted (AES-256-GCM) with ``factors.key`` of the data folder and bound
to the account. A code works once: its time step must be later than the last one used. Recovery codes are 120
random bits, stored as SHA-256; each works once.

Wrong codes are counted by account alone: a code is only asked for after the right password, so a stranger
cannot lock out the owner.
"""

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

from language.translation import gettext
from webapp.accounts.passwords import code_bucket, forget_attempts, throttle_attempt
from webapp.errors import UserError
from webapp.settings import Settings
from webapp.storage.database import Database
from webapp.storage.key_files import factor_key
from webapp.storage.tables import CLOCK_TOLERANCE, RecoveryCode, User, now

RECOVERY_CODES = 10  # of an account
STEP = 30  # seconds
_TOLERATED_STEPS = (0, -1, 1)  # that a clock may be off
# A last used step beyond this is an error of a clock and is ignored.
_MAX_STEPS_AHEAD = max(_TOLERATED_STEPS) + CLOCK_TOLERANCE // timedelta(seconds=STEP)
_NONCE_BYTES = 12
Way = Literal["code", "recovery code"]


def required(settings: Settings, user: User) -> bool:
    """Tell whether the account's role requires a second factor."""
    return user.role in settings.second_factor


def begin(settings: Settings, user: User) -> None:
    """Give the account a new secret, which takes effect with its first right code.

    Raises :class:`~webapp.errors.UserError` if the account has a second factor already.
    """
    import pyotp
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if user.factor_since is not None:
        raise UserError(409, gettext("There is a second factor already."), gettext("Remove it first."))
    nonce, plain = secrets.token_bytes(_NONCE_BYTES), pyotp.random_base32().encode()
    encrypted = AESGCM(factor_key(settings.data)).encrypt(nonce, plain, _associated_data(user))
    user.factor_secret = base64.b64encode(nonce + encrypted).decode()


def secret(settings: Settings, user: User) -> str:
    """Return the secret in base32, as authenticator apps take it.

    Raises :class:`~webapp.errors.UserError` if it cannot be decrypted.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    stored = base64.b64decode(user.factor_secret or "")
    nonce, encrypted = stored[:_NONCE_BYTES], stored[_NONCE_BYTES:]
    try:
        return AESGCM(factor_key(settings.data)).decrypt(nonce, encrypted, _associated_data(user)).decode()
    except (InvalidTag, ValueError):
        raise UserError(
            500,
            gettext("The second factor of this account cannot be read: it, or factors.key, was changed."),
            gettext("Restore factors.key from a backup, or ask an administrator to reset the second factor."),
        ) from None


def _associated_data(user: User) -> bytes:
    """Bind a secret to its account: it is worthless in another row."""
    return f"second factor of {user.id} {user.name}".encode()


def provisioning_uri(settings: Settings, user: User) -> str:
    """Return the ``otpauth`` URI of the secret."""
    import pyotp

    return pyotp.TOTP(secret(settings, user)).provisioning_uri(name=user.name, issuer_name="Reelproof")


def qr_code(settings: Settings, user: User) -> str:
    """Draw the URI as a QR code, an inline SVG; no request leaves this machine for it."""
    import segno

    code = segno.make(provisioning_uri(settings, user), error="m")
    svg: str = code.svg_inline(scale=5, svgclass="qr", lineclass=None, dark="#000", light="#fff")
    return svg


def check_code(
    database: Database, settings: Settings, user_id: int, text: str, moment: datetime, *, first: bool = False
) -> tuple[Way | None, timedelta]:
    """Check a code and use it up: return its kind, or None and the wait until the next attempt.

    ``first`` is the code that proves that the secret arrived; a recovery code cannot.
    """
    code = re.sub(r"[\s-]", "", text).upper()
    with database.alone() as session:
        user = session.get_one(User, user_id)
        buckets = code_bucket(user.name)
        if wait := throttle_attempt(session, buckets, moment):
            return None, wait
        way: Way | None = None
        if user.factor_secret is not None and _use_code(settings, user, code, moment):
            way = "code"
        elif not first and _use_recovery_code(session, user, code, moment):
            way = "recovery code"
        if way is not None:
            forget_attempts(session, buckets)
        return way, timedelta()


def create_recovery_codes(session: Session, user: User) -> list[str]:
    """Replace the recovery codes; the new ones are shown once."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = [base64.b32encode(secrets.token_bytes(15)).decode() for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(sha256=_hash(code), user_id=user.id) for code in codes)
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def count_recovery_codes(session: Session, user: User) -> int:
    """Count the unused recovery codes."""
    unused = RecoveryCode.user_id == user.id, RecoveryCode.used.is_(None)
    return session.scalar(select(func.count()).where(*unused)) or 0


def confirm(session: Session, user: User) -> list[str]:
    """Put the second factor into effect; return its recovery codes."""
    user.factor_since = now()
    return create_recovery_codes(session, user)


def remove(session: Session, user: User) -> None:
    """Remove the second factor of an account."""
    user.factor_secret = user.factor_since = None
    user.factor_step = 0
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))


def _use_code(settings: Settings, user: User, code: str, moment: datetime) -> bool:
    """Use up a time-based code; False if it is wrong or its step was used."""
    import pyotp

    if not re.fullmatch(r"[0-9]{6}", code):
        return False
    totp, current = pyotp.TOTP(secret(settings, user)), int(moment.timestamp()) // STEP
    last_used = user.factor_step if user.factor_step <= current + _MAX_STEPS_AHEAD else 0
    for step in (current + offset for offset in _TOLERATED_STEPS):
        if hmac.compare_digest(totp.at(step * STEP), code) and step > last_used:
            user.factor_step = step
            return True
    return False


def _use_recovery_code(session: Session, user: User, code: str, moment: datetime) -> bool:
    if user.factor_since is None or not re.fullmatch(r"[A-Z2-7]{24}", code):
        return False
    row = session.get(RecoveryCode, _hash(code))
    if row is None or row.user_id != user.id or row.used is not None:
        return False
    row.used = moment
    return True


def _hash(code: str) -> str:
    return sha256(code.encode()).hexdigest()
