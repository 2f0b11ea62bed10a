"""What tests ask of the REST API with, and how it refuses."""

from __future__ import annotations

import io

API = "/api/v1"


def problem(answer, status: int) -> dict:
    """What an answer that must be an error says, as RFC 9457 has it."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    details = answer.json
    assert details["status"] == status and details["title"] and details["detail"]
    return details


def form(content: bytes = b"bytes", name: str = "clip.mp4", **fields: str) -> dict:
    """Arguments of a request that hands in a file."""
    return {"data": {"file": (io.BytesIO(content), name), **fields}, "content_type": "multipart/form-data"}
