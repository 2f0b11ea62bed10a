"""An exhibit as it was handed in, for who reviews it."""

from __future__ import annotations

from flask import send_file
from werkzeug.wrappers import Response

from webapp import this_app
from webapp.downloads import bundles, custody_access
from webapp.storage.tables import AnalysisRow


def send(row: AnalysisRow) -> Response:
    """The exhibit of an analysis, hashed again before; that it is handed out is recorded."""
    path = bundles.sound_exhibit(this_app.database(), this_app.folders(), row)
    # No browser shows it on this site: whatever it is, it is saved.
    answer = send_file(path, mimetype="application/octet-stream", as_attachment=True, download_name=row.file)
    custody_access.log_download(row, "exhibit", path, answer=answer)
    return answer
