"""The key of the custody log: 32 bytes in a file outside the database, made once, never overwritten."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from detector.files import flush_folder
from webapp.settings import SettingError

BYTES = 32


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
            self._key = read(self.file)
        return self._key


def read(file: Path) -> bytes:
    """The key in a file; raises :class:`CustodyKeyError` where it cannot be had."""
    try:
        key = file.read_bytes()
    except FileNotFoundError:
        raise CustodyKeyError(
            f"The custody log has entries, but its key {file} is missing. Put the file back from a back-up "
            "of the data folder, or set REELPROOF_CUSTODY_KEY to where it is. Without it, "
            "`python -m webapp verify-log` still checks the chain of hashes; the app does not start."
        ) from None
    except OSError as problem:
        raise CustodyKeyError(
            f"The key of the custody log cannot be read: {problem}. Correct the file's owner and mode."
        ) from None
    if len(key) != BYTES:
        raise CustodyKeyError(
            f"{file} is no key of a custody log: it has {len(key)} bytes instead of {BYTES}. "
            "Put the file back from a back-up."
        )
    return key


def create(file: Path) -> None:
    """Make a new key unless the file exists."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    except OSError as problem:
        raise CustodyKeyError(
            f"The key of the custody log cannot be made: {problem}. Make its folder, or set "
            "REELPROOF_CUSTODY_KEY to another file."
        ) from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(secrets.token_bytes(BYTES))
        stream.flush()
        os.fsync(stream.fileno())
    flush_folder(file.parent)
