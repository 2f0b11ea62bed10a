"""The app's secret: 32 random bytes in a file of their own, made on the first start.

It keys what the app hands to browsers and gets back: tokens of forms and of known devices.
It lies outside the database, so that a copy of the database alone is worth nothing.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path

from detector.files import flush_folder
from webapp.settings import SettingError

_FILE = "secret.key"
_BYTES = 32


def secret_key(data: Path) -> bytes:
    """The secret of a data folder, made if there is none.

    Raises :class:`SettingError` for a file that is too short or that others on this machine may read.
    """
    path = data / _FILE
    with contextlib.suppress(FileExistsError):
        _make(path)
    if path.stat().st_mode & 0o077:
        raise SettingError(f"Others on this machine may read {path}. Run: chmod 600 {path}")
    key = path.read_bytes()
    if len(key) < _BYTES:
        raise SettingError(
            f"{path} is too short to be Reelproof's key. Delete it: a new one is made, and everybody has to "
            "sign in again."
        )
    return key


def mac(key: bytes, purpose: str, text: str) -> str:
    """HMAC-SHA256 of ``text`` in hexadecimal; what is made for one purpose is worth nothing for another."""
    return hmac.new(key, f"{purpose}\0{text}".encode(), sha256).hexdigest()


def _make(path: Path) -> None:
    # Written beside and then linked: another process starting at the same time finds the whole key or none.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(beside, path)
    finally:
        beside.unlink()
    flush_folder(path.parent)
