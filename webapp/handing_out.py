"""Recording what is handed out: which file, with its SHA-256, to whom and when."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import request

from webapp import custody
from webapp.rows import database
from webapp.tables import AnalysisRow


def record(row: AnalysisRow, name: str, content: Path | bytes, log: bytes | None = None) -> None:
    """Put the export of a file into the custody log.

    ``log`` is the ``custody.json`` that the file holds: where the log stood then is recorded. Parts
    of a file beyond its start, and requests for headers alone, are no further export.
    """
    asked = request.range
    if request.method == "HEAD" or (asked is not None and asked.ranges and asked.ranges[0][0] != 0):
        return
    details: dict[str, str | int | None] = {"file": name, "bytes": _size(content), "sha256": _sha256(content)}
    if log is not None:
        details |= custody.standing_of(log)
    with database().begin() as session:
        custody.record(session, "export", details, exhibit=row.exhibit.sha256, analysis=row.id)


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _sha256(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
