"""Recording what is handed out: which file, with its SHA-256, to whom and when."""

from __future__ import annotations

from pathlib import Path

from flask import request

from webapp.custody import log as custody_log
from webapp.queries.analyses import database
from webapp.storage.tables import AnalysisRow


def log_download(row: AnalysisRow, name: str, content: Path | bytes, log: bytes | None = None) -> None:
    """Put the export of a file into the custody log.

    ``log`` is the ``custody.json`` that the file holds: where the log stood then is recorded. Parts
    of a file beyond its start, and requests for headers alone, are no further export.
    """
    asked = request.range
    if request.method == "HEAD" or (asked is not None and asked.ranges and asked.ranges[0][0] != 0):
        return
    details = custody_log.export_details(name, content, log)
    with database().begin() as session:
        custody_log.append(session, "export", details, exhibit=row.exhibit.sha256, analysis=row.id)
