"""Import annotations from a file or a bundle and merge them with the stored ones."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from reports.bundle.archive import is_zip
from reports.bundle.review_bundle import annotations_in
from reports.errors import ReportError, WrongFileError
from reports.language import formatting
from reports.language.formatting import grouped
from reports.language.translation import N_, gettext, translated
from reports.review.annotation_file import LARGEST_ANNOTATION_FILE, SavedAnnotations, read_file, to_json
from reports.review.annotations import CLOCK_SKEW, Annotation, References, Withdrawal, verified
from webapp import context
from webapp.accounts.permissions import current, login_is_on
from webapp.analyses.queries import reload_row
from webapp.analyses.results import LoadedResult
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http.uploads import Incoming, UploadLimit
from webapp.review import annotations as review_annotations
from webapp.review.annotations import (
    MAX_ANNOTATIONS,
    annotated_result,
    annotation_row,
    list_annotations,
    log_annotations,
    refuse_annotating,
    visible_annotations,
)
from webapp.settings import Settings
from webapp.storage.tables import AnalysisRow, now


@dataclass(frozen=True)
class MergeResult:
    """How many annotations of a file were new, and how many were there already.

    ``unverified`` of the new ones are not by who imported them; ``added`` are the new ones as they are kept.
    """

    new: int
    known: int
    unverified: int
    added: tuple[Annotation, ...]


# The annotations of a file, in order of time, each with why it speaks of nothing in the analysis
CheckedAnnotations = list[tuple[Annotation, str | None]]


def check_annotations(row: AnalysisRow, result: LoadedResult, saved: SavedAnnotations) -> CheckedAnnotations:
    """Check what does not depend on the annotations that are kept, before the session is alone.

    Raises :class:`UserError` for a file of another analysis.
    """
    _refuse_others(row.id, result, saved)
    known = References(result.analysis)  # the file's so far: what its page showed when the next one was made
    checked: CheckedAnnotations = []
    for annotation in saved.annotations:
        checked.append((annotation, known.rejection_reason(annotation)))
        known.add(annotation)
    return checked


def merge_annotations(
    session: Session, row: AnalysisRow, saved: CheckedAnnotations, importer: str | None
) -> MergeResult:
    """Take in an annotation file, all of it or, with the reason as a :class:`UserError`, nothing.

    An annotation is there already if its id is, or one by the same author of the same moment about
    the same thing. ``importer`` is the name of who signed in to import it: other authors' annotations are
    marked with it. The session must be alone.
    """
    before = list_annotations(session, row.id)
    fresh, ids = _sorted_out(saved, _Kept(before), row, importer)
    if len(before) + len(fresh) > MAX_ANNOTATIONS:
        raise _refused(
            gettext(
                "This would make more than %(most)s annotations of one analysis.",
                most=grouped(MAX_ANNOTATIONS),
            ),
            gettext("Check the file."),
        )
    added = tuple(
        each.model_copy(update={"about": ids.get(each.about, each.about)})
        if isinstance(each, Withdrawal)
        else each
        for each in fresh
    )
    session.add_all(annotation_row(row.id, each) for each in added)
    unverified = sum(not verified(each) for each in added)
    return MergeResult(len(added), len(saved) - len(added), unverified, added)


def _sorted_out(
    saved: CheckedAnnotations, kept: _Kept, row: AnalysisRow, importer: str | None
) -> tuple[list[Annotation], dict[str, str]]:
    """The annotations of a file that are not kept yet, and the ids here of those that have another in it."""
    ids: dict[str, str] = {}
    fresh: list[Annotation] = []
    for annotation, reason in saved:
        given = annotation if importer is None else _marked(annotation, importer)
        if (here := kept.same_as(given)) is not None:
            ids[annotation.id] = here.id
            continue
        _refuse_moment(annotation, row)
        if reason is not None:
            raise _refused(
                translated(reason),
                gettext("The file does not belong to this analysis, or was not saved by a bundle's page."),
            )
        if given.id in kept.by_id:  # somebody else imported it before the author did
            given = given.model_copy(update={"id": secrets.token_hex(16)})
            ids[annotation.id] = given.id
        fresh.append(given)
    return fresh, ids


def _marked(annotation: Annotation, importer: str) -> Annotation:
    """An annotation of a file as it is kept, whatever the file says of who imported it."""
    mark = None if annotation.author == importer else importer
    return annotation.model_copy(update={"imported_by": mark})


class _Kept:
    """The annotations there are, to be found by id or by author, moment and what they are about."""

    def __init__(self, there: Iterable[Annotation]) -> None:
        self.by_id: dict[str, Annotation] = {}
        self._verified: dict[str, Annotation] = {}
        self._all: dict[str, Annotation] = {}
        for each in there:
            self.by_id[each.id] = each
            self._all[_content(each)] = each
            if verified(each):
                self._verified[_content(each)] = each

    def same_as(self, given: Annotation) -> Annotation | None:
        """What is there already of an annotation. Raises :class:`UserError` where its id is another's.

        One that its author hands in is not there yet if only somebody else imported it so far.
        """
        here = self.by_id.get(given.id)
        if here is not None and _unmarked(here) != _unmarked(given):
            raise _refused(
                gettext(
                    "The annotation of %(made)s by %(author)s differs from the one kept here.",
                    made=formatting.moment(here.made),
                    author=here.author,
                ),
                gettext("Annotations are never changed. Save the file again from the bundle's page."),
            )
        if verified(given):
            return here if here is not None and verified(here) else self._verified.get(_content(given))
        return here or self._all.get(_content(given))


def _unmarked(annotation: Annotation) -> dict[str, object]:
    return {name: value for name, value in to_json(annotation).items() if name != "imported_by"}


def _refuse_moment(annotation: Annotation, row: AnalysisRow) -> None:
    """Refuse an annotation that was made before there was anything to annotate, or is yet to be made."""
    ended = row.finished or row.created
    if ended - CLOCK_SKEW <= annotation.made <= now() + CLOCK_SKEW:
        return
    told = {"made": formatting.moment(annotation.made), "author": annotation.author}
    if annotation.made < ended:
        error = gettext(
            "The annotation of %(made)s by %(author)s was made before this analysis ended, %(ended)s.",
            ended=formatting.moment(ended),
            **told,
        )
    else:
        error = gettext("The annotation of %(made)s by %(author)s lies in the future.", **told)
    raise _refused(error, gettext("Set the clocks of both machines right, then annotate and save again."))


def _refuse_others(analysis_id: str, result: LoadedResult, saved: SavedAnnotations) -> None:
    """Raise :class:`UserError` for annotations of another exhibit, analysis, or ``analysis.json``."""
    if saved.exhibit_sha256 != result.analysis.media.sha256:
        raise _refused(
            gettext("These annotations are about another exhibit."),
            gettext("Import them on the page of its analysis."),
        )
    if saved.analysis != analysis_id:
        raise _refused(
            gettext("These annotations are about another analysis of this exhibit."),
            gettext(
                "Import them on its own page: another model or other settings may have flagged other "
                "segments."
            ),
        )
    if saved.analysis_sha256 != result.sha256:
        raise _refused(
            gettext(
                "These annotations are about an analysis.json unlike the one kept here: one of them "
                "was changed."
            ),
            gettext(
                "Compare its SHA-256 in the manifest of the bundle with the one in the manifest of this page."
            ),
        )


def _refused(error: str, remedy: str) -> UserError:
    return UserError(400, error, gettext("Nothing was imported. %(remedy)s", remedy=remedy))


def _content(annotation: Annotation) -> str:
    """Author, moment and what is spoken of, as one text."""
    values = to_json(annotation)
    others = ("id", "note", "verdict", "imported_by")
    return json.dumps([[name, values[name]] for name in sorted(values) if name not in others])


_IMPORTING = threading.Lock()  # a file takes a core, and many times its size of memory: one at a time
_PATIENCE = 5  # seconds to wait for another one


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
    """What an import may bring: one annotation file, or a bundle."""
    return UploadLimit(
        files=1,
        bytes=settings.upload_limit,
        fewer=N_("Import one file at a time."),
        smaller=N_("Import the annotation file alone."),
    )


def import_file(row: AnalysisRow, stream: Incoming) -> tuple[MergeResult, tuple[Annotation, ...]]:
    """Take in an annotation file or a bundle; how many were new, and all there are now.

    Raises :class:`~webapp.errors.UserError`, and takes in nothing, where it cannot be read.
    """
    stream.complete()
    if not _IMPORTING.acquire(timeout=_PATIENCE):
        raise ImportInProgress()
    try:
        return _import(row, stream)
    finally:
        _IMPORTING.release()


def _import(row: AnalysisRow, stream: Incoming) -> tuple[MergeResult, tuple[Annotation, ...]]:
    """As :func:`import_file`, for who has the turn."""
    try:
        text, saved = _annotation_file(stream)
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
    with context.database().begin() as session:  # thousands take a while to be compared with the log
        everything = visible_annotations(session, row, current())
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
