"""An exhibit as it was handed in, for who reviews it."""

from __future__ import annotations

from flask import current_app, send_file
from werkzeug.wrappers import Response

from detector.files import hashed
from webapp.downloads import bundles, custody_access
from webapp.queries.analyses import database
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow


def send(row: AnalysisRow) -> Response:
    """The exhibit of an analysis, hashed again before; that it is handed out is recorded."""
    folders = Folders.of(current_app.extensions["settings"])
    path = folders.data / row.exhibit.path
    folders.store.fetch(path, row.exhibit.sha256)
    bundles.refuse_altered_exhibit(database(), folders, row, hashed(path)[1])
    custody_access.log_download(row, "exhibit", path)
    # No browser shows it on this site: whatever it is, it is saved.
    return send_file(path, mimetype="application/octet-stream", as_attachment=True, download_name=row.file)
