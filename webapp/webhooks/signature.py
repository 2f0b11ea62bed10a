"""How a webhook's messages are signed: the secret of each, and the header."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path

from webapp.storage.key_files import webhook_key

SIGNATURE = "Reelproof-Signature"


def secret(data: Path, webhook_id: str) -> str:
    """What a webhook's messages are signed with. Made from a key beside the database, and so not in it."""
    digest = hmac.digest(webhook_key(data), f"webhook {webhook_id}".encode(), "sha256")
    return "whsec_" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def signature(secret: str, moment: int, body: bytes) -> str:
    """The header that lets a receiver know who sent a message, when, and that nobody changed it.

    HMAC-SHA256 over the time in seconds since 1970, a full stop and the body.
    """
    signed = hmac.digest(secret.encode(), f"{moment}.".encode() + body, "sha256").hex()
    return f"t={moment},v1={signed}"
