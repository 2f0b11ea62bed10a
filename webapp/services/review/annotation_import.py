"""Annotations that come in with a file or a bundle of an analysis.

What becomes of each is in :mod:`~webapp.services.review.annotation_merge`.
"""

from __future__ import annotations

import hashlib

from reports.bundle.archive import is_zip
from reports.bundle.returned import annotations_in
from reports.errors import ReportError
from reports.review.annotation_file import read_file
from reports.review.annotations import Annotation
from reports.text.language import N_, gettext, translated
from webapp import this_app
from webapp.custody import log as custody_log
from webapp.errors import UserError
from webapp.intake.incoming import Incoming, UploadLimit
from webapp.security.permissions import current, login_is_on
from webapp.services import cases
from webapp.services.review.annotation_merge import Merged, check, merge
from webapp.services.review.annotations import log_annotations, result_of, shown
from webapp.settings import Settings
from webapp.storage.tables import AnalysisRow

_LARGEST_FILE = 10_000_000  # bytes of annotations; a bundle may be as large as an exhibit


def import_limit(settings: Settings) -> UploadLimit:
    """What an import may bring: one annotation file, or a bundle."""
    return UploadLimit(
        files=1,
        bytes=settings.upload_limit,
        fewer=N_("Import one file at a time."),
        smaller=N_("Import the annotation file alone."),
    )


def import_file(row: AnalysisRow, stream: Incoming) -> tuple[Merged, tuple[Annotation, ...]]:
    """Take in an annotation file or a bundle; how many were new, and all there are now.

    Raises :class:`~webapp.errors.UserError`, and takes in nothing, where it cannot be read.
    """
    stream.complete()
    try:
        text = _annotation_file(stream)
        saved = read_file(text)
    except ReportError as problem:
        raise UserError(400, translated(str(problem)), gettext("Nothing was imported.")) from None
    checked = check(row, result_of(row), saved)
    importer = current().display if login_is_on() else None
    with this_app.database().alone() as session:
        cases.refuse_closed(session, row.case_id)
        merged = merge(session, row, checked, importer)
        details: dict[str, str | int | None] = {"new": merged.new, "known": merged.known}
        details |= {"unverified": merged.unverified, "sha256": hashlib.sha256(text).hexdigest()}
        custody_log.append(session, "import", details, exhibit=row.exhibit.sha256, analysis=row.id)
        log_annotations(session, row, merged.added)
    with this_app.database().begin() as session:  # thousands take a while to be compared with the log
        everything = shown(session, row, current())
    return merged, everything


def _annotation_file(stream: Incoming) -> bytes:
    """The annotation file that was handed in, on its own or in a bundle."""
    if is_zip(stream.path):
        return annotations_in(stream.path)
    if stream.bytes > _LARGEST_FILE:
        raise UserError(
            413, gettext("This is too large for an annotation file."), gettext("Nothing was imported.")
        )
    return stream.path.read_bytes()
