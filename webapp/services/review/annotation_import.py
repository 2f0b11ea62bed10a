"""Annotations that come in with a file or a bundle of an analysis.

What becomes of each is in :mod:`~webapp.services.review.annotation_merge`.
"""

from __future__ import annotations

import hashlib
import threading

from reports.bundle.archive import is_zip
from reports.bundle.returned import annotations_in
from reports.errors import ReportError, WrongFileError
from reports.review.annotation_file import LARGEST_ANNOTATION_FILE, SavedAnnotations, read_file
from reports.review.annotations import Annotation
from reports.text.translation.language import N_, gettext, translated
from webapp import this_app
from webapp.custody import log as custody_log
from webapp.errors import UserError
from webapp.intake.incoming import Incoming, UploadLimit
from webapp.queries.analyses import still_there
from webapp.security.access.permissions import current, login_is_on
from webapp.services.review import unflagged
from webapp.services.review.annotation_merge import Merged, check, merge
from webapp.services.review.annotations import log_annotations, refuse_annotating, result_of, shown
from webapp.settings import Settings
from webapp.storage.tables import AnalysisRow

_IMPORTING = threading.Lock()  # a file takes a core, and many times its size of memory: one at a time
_PATIENCE = 5  # seconds to wait for another one


class ImportUnderWay(UserError):
    """Another file is being imported."""

    retry_after = 5

    def __init__(self) -> None:
        super().__init__(
            503,
            gettext("Another file of annotations is being imported at the moment."),
            gettext("Try again in a minute."),
        )


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
    if not _IMPORTING.acquire(timeout=_PATIENCE):
        raise ImportUnderWay()
    try:
        return _import(row, stream)
    finally:
        _IMPORTING.release()


def _import(row: AnalysisRow, stream: Incoming) -> tuple[Merged, tuple[Annotation, ...]]:
    """As :func:`import_file`, for who has the turn."""
    try:
        text, saved = _annotation_file(stream)
    except WrongFileError as problem:
        raise UserError(400, translated(str(problem)), _other_file()) from None
    except ReportError as problem:
        raise UserError(400, translated(str(problem)), gettext("Nothing was imported.")) from None
    result = result_of(row)
    checked = check(row, result, saved)
    importer = current().display if login_is_on() else None
    with this_app.database().alone() as session:
        row = still_there(session, row.id)
        refuse_annotating(session, row)
        merged = merge(session, row, checked, importer)
        unflagged.keep(session, row.id, result.analysis)
        details: dict[str, str | int | None] = {"new": merged.new, "known": merged.known}
        details |= {"unverified": merged.unverified, "sha256": hashlib.sha256(text).hexdigest()}
        custody_log.append(session, "import", details, exhibit=row.exhibit.sha256, analysis=row.id)
        log_annotations(session, row, merged.added)
    with this_app.database().begin() as session:  # thousands take a while to be compared with the log
        everything = shown(session, row, current())
    return merged, everything


def _annotation_file(stream: Incoming) -> tuple[bytes, SavedAnnotations]:
    """The annotation file that was handed in, on its own or in a bundle, as text and read."""
    if is_zip(stream.path):
        return annotations_in(stream.path)
    if stream.bytes > LARGEST_ANNOTATION_FILE:
        raise UserError(413, gettext("This is too large for an annotation file."), _other_file())
    text = stream.path.read_bytes()
    return text, read_file(text)


def _other_file() -> str:
    return gettext(
        "Nothing was imported. Choose a file that was saved with “Save annotations to a file” on a bundle’s "
        "page, or the whole bundle, a zip."
    )
