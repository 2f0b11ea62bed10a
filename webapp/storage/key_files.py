"""Key files of 32 random bytes, outside the database: created once, never overwritten."""

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
    """The log's key is missing or cannot be used; the message says what to do."""


class CustodyKey:
    """The key as sessions use it: read from its file when first needed."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._key: bytes | None = None

    def read(self) -> bytes:
        """The key; raises :class:`CustodyKeyError` where there is none."""
        if self._key is None:
            self._key = read_key(self.file)
        return self._key


def read_key(file: Path) -> bytes:
    """The key in a file; raises :class:`CustodyKeyError` where it cannot be had, or others may read it."""
    try:
        key = file.read_bytes()
        shared = _others_may_read(file)
    except FileNotFoundError:
        raise CustodyKeyError(
            f"The custody log has entries, but its key {file} is missing. Put the file back from a backup "
            "of the data folder, or set REELPROOF_CUSTODY_KEY to where it is. Without it, "
            "`python -m webapp verify-log` still checks the chain of hashes; the app does not start."
        ) from None
    except OSError as problem:
        raise CustodyKeyError(
            f"The key of the custody log cannot be read: {problem}. Correct the file's owner and mode."
        ) from None
    if shared:
        raise CustodyKeyError(shared)
    if len(key) != KEY_BYTES:
        raise CustodyKeyError(
            f"{file} is no key of a custody log: it has {len(key)} bytes instead of {KEY_BYTES}. "
            "Put the file back from a backup."
        )
    return key


def create_key(file: Path) -> None:
    """Make a new key unless the file exists; raises :class:`CustodyKeyError` where it cannot be written."""
    try:
        _make_once(file)
    except OSError as problem:
        raise CustodyKeyError(
            f"The key of the custody log cannot be made: {problem}. Make its folder, or set "
            "REELPROOF_CUSTODY_KEY to another file."
        ) from None


def secret_key(data: Path) -> bytes:
    """The secret of a data folder, made if there is none.

    Raises :class:`SettingError` for a file that is too short, that others on this machine may read, or that
    this user may not.
    """
    path = data / "secret.key"
    key = _private(path)
    if len(key) < KEY_BYTES:
        raise SettingError(
            f"{path} is too short to be Reelproof's key. Delete it: a new one is made. Who is signed in "
            "stays so; forms that are open have to be reloaded."
        )
    return key


def webhook_key(data: Path) -> bytes:
    """The key of a data folder's webhooks, made if there is none.

    Raises :class:`SettingError` for a file that others on this machine may read, or that this user may not.
    """
    return _private(data / "webhooks.key")


def factor_key(data: Path) -> bytes:
    """The key that secrets of second factors are encrypted with, made if there is none.

    Raises :class:`SettingError` for a file that others on this machine may read, or that this user may not.
    """
    return _private(data / "factors.key")


def _private(path: Path) -> bytes:
    """The key in ``path``, made if there is none."""
    try:
        _make_once(path)
        if shared := _others_may_read(path):
            raise SettingError(shared)
        return path.read_bytes()
    except PermissionError as problem:  # of another user, who ran this before
        raise SettingError(
            f"{path} cannot be read or made ({problem.strerror}). Correct its owner and mode."
        ) from None


def mac(key: bytes, purpose: str, text: str) -> str:
    """HMAC-SHA256 of ``text`` in hexadecimal; what is made for one purpose is worth nothing for another."""
    return hmac.new(key, f"{purpose}\0{text}".encode(), sha256).hexdigest()


def _others_may_read(path: Path) -> str:
    """What to say of a key that not only its owner can read or change; empty for one that is well kept."""
    if path.stat().st_mode & 0o077:
        return f"Others on this machine may read {path}. Run: chmod 600 {path}"
    return ""


def _make_once(path: Path) -> None:
    """Write a new key, readable by its owner alone, unless the file exists."""
    if path.exists():
        return
    # Written beside and then linked: another process starting at the same time finds the whole key or none.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(beside, path)
    except FileExistsError:
        return
    finally:
        beside.unlink()
    flush_folder(path.parent)
