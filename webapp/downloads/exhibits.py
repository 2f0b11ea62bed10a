"""An exhibit as it was handed in: for who reviews it, and for bundles and archives."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from flask import send_file
from werkzeug.wrappers import Response

from detector.files import hashed
from reports.text.translation.language import gettext
from webapp import this_app
from webapp.custody import integrity
from webapp.custody.altered import AlteredRecord
from webapp.downloads.download_record import record_download
from webapp.errors import DamagedFile
from webapp.queries import second_reviews
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow


def send_under_review(row: AnalysisRow) -> Response:
    """The exhibit of a second review, whatever is hidden of it.

    Raises :class:`~webapp.errors.UserError` where nobody reviews it a second time.
    """
    with this_app.database().begin() as session:
        second_reviews.find_or_404(session, row)
    return send(row)


def send(row: AnalysisRow) -> Response:
    """The exhibit of an analysis, hashed again before; that it is handed out is recorded."""
    path = sound_exhibit(this_app.database(), this_app.folders(), row)
    # No browser shows it on this site: whatever it is, it is saved.
    answer = send_file(path, mimetype="application/octet-stream", as_attachment=True, download_name=row.file)
    record_download(row, "exhibit", path, answer=answer)
    return answer


def sound_exhibit(database: Database, folders: Folders, row: AnalysisRow) -> Path:
    """The file of an exhibit, hashed now, and fetched where there is a store and no sound copy of it here.

    Raises :class:`AlteredRecord` where no kept file has the bytes that were handed in.
    """
    path, sha256 = folders.data / row.exhibit.path, row.exhibit.sha256
    folders.store.fetch(path, sha256)
    found = hashed(path)[1]
    if found != sha256 and folders.store.elsewhere:
        # What lies here is a copy; whether the exhibit was altered is told by the store's.
        with suppress(DamagedFile):
            if folders.store.fetch(path, sha256, anew=True):
                return path
    refuse_altered_exhibit(database, folders, row, found)
    return path


def refuse_altered_exhibit(database: Database, folders: Folders, row: AnalysisRow, sha256: str) -> None:
    """Raise :class:`AlteredRecord` where the kept file has another SHA-256 than what was handed in."""
    if sha256 != row.exhibit.sha256:
        integrity.check(database, folders, row.exhibit)  # which puts it into the log
        raise AlteredRecord(gettext("The kept file no longer has the bytes that were handed in."))
