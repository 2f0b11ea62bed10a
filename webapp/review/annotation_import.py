"""Import annotations from a file or a bundle and merge them with the stored ones."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from language import formatting
from language.formatting import grouped
from language.translation import N_, gettext, translated
from reports.bundle.archive import is_zip
from reports.bundle.review_bundle import annotations_in
from reports.errors import ReportError, WrongFileError
from reports.review.annotation_file import LARGEST_ANNOTATION_FILE, SavedAnnotations, read_file, to_json
from reports.review.annotations import CLOCK_SKEW, Annotation, References, Withdrawal, verified
from webapp import context
from webapp.accounts.permissions import current, login_is_on
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.exhibits import annotations as review_annotations
from webapp.exhibits.annotations import (
    MAX_ANNOTATIONS,
    annotated_result,
    annotation_row,
    list_annotations,
    log_annotations,
    refuse_annotating,
    visible_annotations,
)
from webapp.exhibits.queries import reload_row
from webapp.exhibits.results import LoadedResult
from webapp.http.uploads import Incoming, UploadLimit
from webapp.settings import Settings
from webapp.storage.tables import AnalysisRow, now


@dataclass(frozen=True)
class MergeResult:
    """Counts of new and known annotations of a file.

    ``unverified`` of the new ones are not by their importer; ``added`` are the new ones as stored.
    """

    new: int
    known: int
    unverified: int
    added: tuple[Annotation, ...]


# Annotations of a file in order of time, with the reason why one refers to nothing in the analysis.
CheckedAnnotations = list[tuple[Annotation, str | None]]


def check_annotations(row: AnalysisRow, result: LoadedResult, saved: SavedAnnotations) -> CheckedAnnotations:
    """Check everything that does not depend on stored annotations, before the session is exclusive.

    Raises :class:`UserError` for a file of another analysis.
    """
    _refuse_other_analysis(row.id, result, saved)
    known = References(result.analysis)  # what the file's page showed when the annotation was made
    checked: CheckedAnnotations = []
    for annotation in saved.annotations:
        checked.append((annotation, known.rejection_reason(annotation)))
        known.add(annotation)
    return checked


def merge_annotations(
    session: Session, row: AnalysisRow, saved: CheckedAnnotations, importer: str | None
) -> MergeResult:
    """Add all new annotations of a file or, with the reason as a :class:`UserError`, none.

    An annotation is known if its id is, or one of the same author, moment and subject. Annotations of other
    authors are marked with ``importer``, the name of the signed-in account. The session must be exclusive.
    """
    before = list_annotations(session, row.id)
    new, ids = _select_new(saved, _Stored(before), row, importer)
    if len(before) + len(new) > MAX_ANNOTATIONS:
        raise _import_error(
            gettext(
                "This would make more than %(most)s annotations of one analysis.",
                most=grouped(MAX_ANNOTATIONS),
            ),
            gettext("Check the file."),
        )
    added = tuple(
        annotation.model_copy(update={"about": ids.get(annotation.about, annotation.about)})
        if isinstance(annotation, Withdrawal)
        else annotation
        for annotation in new
    )
    session.add_all(annotation_row(row.id, annotation) for annotation in added)
    unverified = sum(not verified(annotation) for annotation in added)
    return MergeResult(len(added), len(saved) - len(added), unverified, added)


def _select_new(
    saved: CheckedAnnotations, stored: _Stored, row: AnalysisRow, importer: str | None
) -> tuple[list[Annotation], dict[str, str]]:
    """Return the new annotations of a file, and the ids here of annotations with another id in the file."""
    ids: dict[str, str] = {}
    new: list[Annotation] = []
    for original, reason in saved:
        annotation = original
        if importer is not None:  # whatever the file says about its importer
            mark = None if original.author == importer else importer
            annotation = original.model_copy(update={"imported_by": mark})
        if (known := stored.find(annotation)) is not None:
            ids[original.id] = known.id
            continue
        _refuse_moment(original, row)
        if reason is not None:
            raise _import_error(
                translated(reason),
                gettext("The file does not belong to this analysis, or was not saved by a bundle's page."),
            )
        if annotation.id in stored.by_id:  # imported by somebody else before its author
            annotation = annotation.model_copy(update={"id": secrets.token_hex(16)})
            ids[original.id] = annotation.id
        new.append(annotation)
    return new, ids


class _Stored:
    """The stored annotations, by id and by author, moment and subject."""

    def __init__(self, annotations: Iterable[Annotation]) -> None:
        self.by_id: dict[str, Annotation] = {}
        self._verified: dict[str, Annotation] = {}
        self._all: dict[str, Annotation] = {}
        for annotation in annotations:
            self.by_id[annotation.id] = annotation
            self._all[_content(annotation)] = annotation
            if verified(annotation):
                self._verified[_content(annotation)] = annotation

    def find(self, annotation: Annotation) -> Annotation | None:
        """Find a stored annotation. Raises :class:`UserError` if its id belongs to another one.

        If its own author imports it, copies imported by others do not count.
        """
        stored = self.by_id.get(annotation.id)
        if stored is not None and _unmarked(stored) != _unmarked(annotation):
            raise _import_error(
                gettext(
                    "The annotation of %(made)s by %(author)s differs from the one kept here.",
                    made=formatting.moment(stored.made),
                    author=stored.author,
                ),
                gettext("Annotations are never changed. Save the file again from the bundle's page."),
            )
        if verified(annotation):
            is_own = stored is not None and verified(stored)
            return stored if is_own else self._verified.get(_content(annotation))
        return stored or self._all.get(_content(annotation))


def _unmarked(annotation: Annotation) -> dict[str, object]:
    return {name: value for name, value in to_json(annotation).items() if name != "imported_by"}


def _refuse_moment(annotation: Annotation, row: AnalysisRow) -> None:
    """Refuse an annotation from before the end of the analysis, or from the future."""
    ended = row.finished or row.created
    if ended - CLOCK_SKEW <= annotation.made <= now() + CLOCK_SKEW:
        return
    names = {"made": formatting.moment(annotation.made), "author": annotation.author}
    if annotation.made < ended:
        error = gettext(
            "The annotation of %(made)s by %(author)s was made before this analysis ended, %(ended)s.",
            ended=formatting.moment(ended),
            **names,
        )
    else:
        error = gettext("The annotation of %(made)s by %(author)s lies in the future.", **names)
    raise _import_error(error, gettext("Correct the clocks of both machines, then annotate and save again."))


def _refuse_other_analysis(analysis_id: str, result: LoadedResult, saved: SavedAnnotations) -> None:
    """Raise :class:`UserError` for annotations of another exhibit, analysis, or ``analysis.json``."""
    if saved.exhibit_sha256 != result.analysis.media.sha256:
        raise _import_error(
            gettext("These annotations are about another exhibit."),
            gettext("Import them on the page of its analysis."),
        )
    if saved.analysis != analysis_id:
        raise _import_error(
            gettext("These annotations are about another analysis of this exhibit."),
            gettext(
                "Import them on its own page: another model or other settings may have flagged other "
                "segments."
            ),
        )
    if saved.analysis_sha256 != result.sha256:
        raise _import_error(
            gettext(
                "These annotations are about a different analysis.json than the one stored here: one of "
                "them was changed."
            ),
            gettext(
                "Compare its SHA-256 in the manifest of the bundle with the one in the manifest of this page."
            ),
        )


def _import_error(error: str, remedy: str) -> UserError:
    return UserError(400, error, gettext("Nothing was imported. %(remedy)s", remedy=remedy))


def _content(annotation: Annotation) -> str:
    """Return author, moment and subject as one text."""
    values = to_json(annotation)
    others = ("id", "note", "verdict", "imported_by")
    return json.dumps([[name, values[name]] for name in sorted(values) if name not in others])


_IMPORTING = threading.Lock()  # an import takes a core and many times the file's size in memory
_PATIENCE = 5  # seconds to wait for another import


class ImportInProgress(UserError):
    """Another file is being imported."""

    retry_after = 5

    def __init__(self) -> None:
        super().__init__(
            503,
            gettext("Another file of annotations is being imported at the moment."),
            gettext("Try again in a minute."),
        )


def import_limit(settings: Settings) -> UploadLimit:
    """Limit an import to one annotation file or bundle."""
    return UploadLimit(
        files=1,
        bytes=settings.upload_limit,
        fewer=N_("Import one file at a time."),
        smaller=N_("Import only the annotation file."),
    )


def import_file(row: AnalysisRow, stream: Incoming) -> tuple[MergeResult, tuple[Annotation, ...]]:
    """Import an annotation file or a bundle; return the result and all visible annotations.

    Raises :class:`~webapp.errors.UserError`, and imports nothing, if it cannot be read.
    """
    stream.complete()
    if not _IMPORTING.acquire(timeout=_PATIENCE):
        raise ImportInProgress()
    try:
        return _import(row, stream)
    finally:
        _IMPORTING.release()


def _import(row: AnalysisRow, stream: Incoming) -> tuple[MergeResult, tuple[Annotation, ...]]:
    try:
        text, saved = _read(stream)
    except WrongFileError as problem:
        raise UserError(400, translated(str(problem)), _other_file()) from None
    except ReportError as problem:
        raise UserError(400, translated(str(problem)), gettext("Nothing was imported.")) from None
    result = annotated_result(row)
    checked = check_annotations(row, result, saved)
    importer = current().display if login_is_on() else None
    with context.database().alone() as session:
        row = reload_row(session, row.id)
        refuse_annotating(session, row)
        merged = merge_annotations(session, row, checked, importer)
        review_annotations.store_unflagged(session, row.id, result.analysis)
        details: dict[str, str | int | None] = {"new": merged.new, "known": merged.known}
        details |= {"unverified": merged.unverified, "sha256": hashlib.sha256(text).hexdigest()}
        custody_log.append(session, "import", details, exhibit=row.exhibit.sha256, analysis=row.id)
        log_annotations(session, row, merged.added)
    # In another session, because comparing thousands with the log takes a while.
    with context.database().begin() as session:
        return merged, visible_annotations(session, row, current())


def _read(stream: Incoming) -> tuple[bytes, SavedAnnotations]:
    """Read an uploaded annotation file, alone or in a bundle, as text and parsed."""
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
