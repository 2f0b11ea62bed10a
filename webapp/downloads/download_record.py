"""A download is recorded in the custody log, as an *export*. Pictures and playback of pages are none."""

from __future__ import annotations

from pathlib import Path

from flask import request
from werkzeug.wrappers import Response

from webapp import this_app
from webapp.custody import log as custody_log
from webapp.custody import log_queries
from webapp.storage.tables import AnalysisRow


def record_download(
    row: AnalysisRow,
    name: str,
    content: Path | bytes,
    log: bytes | None = None,
    answer: Response | None = None,
) -> None:
    """Put the export of a file into the custody log.

    ``log`` is the ``custody.json`` that the file holds: where the log stood then is recorded.
    ``answer`` is what sends the file, where that may be a part of it: a part beyond the start of a
    file that the same person had before is no further export. Nor are answers without content: to requests
    for headers alone, and to who has the file already (304).
    """
    if request.method == "HEAD" or (answer is not None and answer.status_code == 304):
        return
    details = custody_log.export_details(name, content, log)
    # What was asked for says nothing: many a file is sent whole whatever part is asked for.
    goes_on = answer is not None and answer.status_code == 206 and answer.content_range.start != 0
    with this_app.database().begin() as session:
        if goes_on and log_queries.has_exported(session, row.exhibit.sha256, row.id, str(details["sha256"])):
            return
        custody_log.append(session, "export", details, exhibit=row.exhibit.sha256, analysis=row.id)
