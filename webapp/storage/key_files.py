"""Key files of 32 random bytes, outside the database: created once, never overwritten.

A copy of the database is useless without them. ``custody.key`` is the key of the custody log,
``secret.key`` protects values that the app gives to browsers and gets back (CSRF tokens, known devices),
``webhooks.key`` signs the messages of webhooks, and ``factors.key`` encrypts second factors.
"""

from __future__ import annotations

import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path

from detector.files import flush_folder
from webapp.settings import SettingError

KEY_BYTES = 32


class CustodyKeyError(SettingError):
    """The key of the custody log is missing or unusable."""


class CustodyKey:
    """The key of the custody log for sessions, read from its file at first use."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._key: bytes | None = None

    def read(self) -> bytes:
        """Return the key; raises :class:`CustodyKeyError` if it is missing or unusable."""
        if self._key is None:
            self._key = read_key(self.file)
        return self._key


def read_key(file: Path) -> bytes:
    """Return the key of the custody log; raises :class:`CustodyKeyError` if missing or readable by others."""
    try:
        key = file.read_bytes()
        problem = _permission_problem(file)
    except FileNotFoundError:
        raise CustodyKeyError(
            f"The custody log has entries, but its key {file} is missing. Put the file back from a backup "
            "of the data folder, or set REELPROOF_CUSTODY_KEY to where it is. Without it, "
            "`python -m webapp verify-log` still checks the chain of hashes; the app does not start."
        ) from None
    except OSError as error:
        raise CustodyKeyError(
            f"The key of the custody log cannot be read: {error}. Correct the file's owner and mode."
        ) from None
    if problem:
        raise CustodyKeyError(problem)
    if len(key) != KEY_BYTES:
        raise CustodyKeyError(
            f"{file} is no key of a custody log: it has {len(key)} bytes instead of {KEY_BYTES}. "
            "Put the file back from a backup."
        )
    return key


def create_key(file: Path) -> None:
    """Create the key of the custody log unless it exists; raises :class:`CustodyKeyError` on failure."""
    try:
        _create_once(file)
    except OSError as problem:
        raise CustodyKeyError(
            f"The key of the custody log cannot be made: {problem}. Make its folder, or set "
            "REELPROOF_CUSTODY_KEY to another file."
        ) from None


def secret_key(data: Path) -> bytes:
    """Return the secret key of a data folder, creating it if needed.

    Raises :class:`SettingError` if the file is too short, readable by others, or not readable by this user.
    """
    path = data / "secret.key"
    key = _read_or_create(path)
    if len(key) < KEY_BYTES:
        raise SettingError(
            f"{path} is too short to be Reelproof's key. Delete it: a new one is made. Who is signed in "
            "stays so; forms that are open have to be reloaded."
        )
    return key


def webhook_key(data: Path) -> bytes:
    """Return the key that signs webhook messages, creating it if needed.

    Raises :class:`SettingError` if the file is readable by others, or not readable by this user.
    """
    return _read_or_create(data / "webhooks.key")


def factor_key(data: Path) -> bytes:
    """Return the key that encrypts second factors, creating it if needed.

    Raises :class:`SettingError` if the file is readable by others, or not readable by this user.
    """
    return _read_or_create(data / "factors.key")


def _read_or_create(path: Path) -> bytes:
    try:
        _create_once(path)
        if problem := _permission_problem(path):
            raise SettingError(problem)
        return path.read_bytes()
    except PermissionError as error:  # owned by another user
        raise SettingError(
            f"{path} cannot be read or made ({error.strerror}). Correct its owner and mode."
        ) from None


def mac(key: bytes, purpose: str, text: str) -> str:
    """Return the HMAC-SHA256 of ``text`` in hex. A MAC for one purpose is not valid for another."""
    return hmac.new(key, f"{purpose}\0{text}".encode(), sha256).hexdigest()


def _permission_problem(path: Path) -> str:
    """Return an error message if others can read or change a key; empty if its mode is safe."""
    if path.stat().st_mode & 0o077:
        return f"Others on this machine may read {path}. Run: chmod 600 {path}"
    return ""


def _create_once(path: Path) -> None:
    """Write a new key, readable by its owner alone, unless the file exists."""
    if path.exists():
        return
    # Written beside and then linked: another process starting at the same time sees a complete key or none.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink()
    flush_folder(path.parent)
