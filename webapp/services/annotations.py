"""What reviewers said of an analysis, as rows: listed, added, merged from a file. Never changed.

A file names its authors, and anybody can write one. Where people sign in, an annotation of a file counts as
its author's only if the author is who imports it; every other one is kept as imported by them.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from detector.schema.analysis import Analysis
from reports.bundle.archive import is_zip
from reports.bundle.returned import annotations_in
from reports.errors import ReportError
from reports.review.annotation_file import (
    AnnotationFile,
    AnnotationFileError,
    checksum,
    parse,
    read_file,
    to_json,
)
from reports.review.annotations import (
    ANNOTATION,
    Annotation,
    ExhibitAnnotation,
    PersonMerge,
    PersonRename,
    PersonSplit,
    SegmentAnnotation,
    Withdrawal,
    rejection_reason,
    sort_key,
    verified,
)
from reports.text import dates
from reports.text.language import N_, gettext, stored
from reports.text.numbers import grouped
from webapp.custody import log as custody_log
from webapp.custody import records
from webapp.errors import UserError
from webapp.intake.incoming import Incoming, UploadLimit
from webapp.queries import analyses as analysis_queries
from webapp.queries.analyses import database
from webapp.queries.results import Result, load, result_folder
from webapp.security import blinding
from webapp.security.blinding import Discloses
from webapp.security.permissions import Principal, current, login_is_on
from webapp.services import cases
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, AnnotationRow, State, now

MOST = 10_000  # of one analysis: far beyond what people say, and still quick
# How far the clock of the machine that annotations come from may differ.
_CLOCKS = timedelta(minutes=5)
_TICK = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Merged:
    """How many annotations of a file were new, and how many were there already.

    ``unverified`` of the new ones are not by who imported them; ``added`` are the new ones as they are kept.
    """

    new: int
    known: int
    unverified: int
    added: tuple[Annotation, ...]


def listed(session: Session, analysis_id: str) -> tuple[Annotation, ...]:
    """All annotations of an analysis, in order of time.

    Raises :class:`~webapp.custody.records.AlteredRecord` where they are not those of the custody log.
    """
    rows = session.scalars(select(AnnotationRow).where(AnnotationRow.analysis_id == analysis_id)).all()
    records.refuse_altered_annotations(session, analysis_id, rows)
    return tuple(sorted((ANNOTATION.validate_json(row.body) for row in rows), key=sort_key))


def shown(session: Session, row: AnalysisRow, who: Principal) -> tuple[Annotation, ...]:
    """The annotations of an analysis that somebody may see: of what they have yet to judge, their own."""
    said = listed(session, row.id)
    if blinding.blind(session, who.user_id, row.exhibit_id) is None:
        return said
    return tuple(each for each in said if who.display == (each.imported_by or each.author))


def add(
    session: Session,
    analysis_id: str,
    analysis: Analysis,
    said: Mapping[str, object],
    seen: Sequence[Annotation] | None = None,
) -> Annotation:
    """Record what somebody says now; ``said`` is an annotation without what Reelproof gives it.

    ``seen`` are those it may refer to, if not all there are. The session must be alone
    (:meth:`webapp.storage.database.Database.alone`). Raises :class:`UserError`
    where it is no annotation or speaks of nothing in the analysis.
    """
    if {"id", "made", "imported_by"} & set(said):
        raise UserError(
            400,
            gettext("A new annotation must not have the fields “id”, “made” and “imported_by”."),
            gettext("Reelproof sets them. Leave them out."),
        )
    known = listed(session, analysis_id)
    if len(known) >= MOST:
        raise UserError(
            409,
            gettext("This analysis has %(most)s annotations, the most it can.", most=grouped(MOST)),
            gettext("Analyse the exhibit again."),
        )
    # Later than all there is: what was said last stands, even within one millisecond.
    moment = max([now(), *(annotation.made + _TICK for annotation in known[-1:])])
    try:
        annotation = parse({**said, "id": secrets.token_hex(16), "made": moment})
    except AnnotationFileError as problem:
        raise UserError(400, stored(str(problem)), gettext("Nothing was recorded.")) from None
    if reason := rejection_reason(analysis, annotation, known if seen is None else seen):
        raise UserError(
            400,
            stored(reason),
            gettext("Nothing was recorded. Reload the page: others may have changed it meanwhile."),
        )
    session.add(_row(analysis_id, annotation))
    return annotation


def merge(
    session: Session,
    row: AnalysisRow,
    analysis: Analysis,
    analysis_sha256: str,
    saved: AnnotationFile,
    importer: str | None = None,
) -> Merged:
    """Take in an annotation file, all of it or, with the reason as a :class:`UserError`, nothing.

    An annotation is there already if its id is, or one by the same author of the same moment about
    the same thing. ``importer`` is the name of who signed in to import it: other authors' annotations are
    marked with it. The session must be alone.
    """
    _refuse_others(row.id, analysis, analysis_sha256, saved)
    stored = listed(session, row.id)
    kept = _Kept(stored)
    ids: dict[str, str] = {}  # what the file calls an annotation that has another id here
    own: list[Annotation] = []  # the file's so far: what its page showed when the next one was made
    fresh: list[Annotation] = []
    for annotation in saved.annotations:
        given = annotation if importer is None else _marked(annotation, importer)
        if (here := kept.same_as(given)) is not None:
            ids[annotation.id] = here.id
        else:
            _refuse_moment(annotation, row)
            if reason := rejection_reason(analysis, annotation, _concerning(annotation, own)):
                raise _refused(
                    reason, "The file does not belong to this analysis, or was not saved by a bundle's page."
                )
            if given.id in kept.by_id:  # somebody else imported it before the author did
                given = given.model_copy(update={"id": secrets.token_hex(16)})
                ids[annotation.id] = given.id
            fresh.append(given)
        own.append(annotation)
    if len(stored) + len(fresh) > MOST:
        raise _refused(f"This would make more than {MOST:,} annotations of one analysis.", "Check the file.")
    added = tuple(
        each.model_copy(update={"about": ids.get(each.about, each.about)})
        if isinstance(each, Withdrawal)
        else each
        for each in fresh
    )
    session.add_all(_row(row.id, each) for each in added)
    unverified = sum(not verified(each) for each in added)
    return Merged(len(added), len(saved.annotations) - len(added), unverified, added)


def _marked(annotation: Annotation, importer: str) -> Annotation:
    """An annotation of a file as it is kept, whatever the file says of who imported it."""
    mark = None if annotation.author == importer else importer
    return annotation.model_copy(update={"imported_by": mark})


class _Kept:
    """The annotations there are, to be found by id or by author, moment and what they are about."""

    def __init__(self, stored: Iterable[Annotation]) -> None:
        self.by_id: dict[str, Annotation] = {}
        self._verified: dict[str, Annotation] = {}
        self._all: dict[str, Annotation] = {}
        for each in stored:
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
                    made=dates.moment(here.made),
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
    told = {"made": dates.moment(annotation.made), "author": annotation.author}
    remedy = gettext("Set the clocks of both machines right, then annotate and save again.")
    if annotation.made > now() + _CLOCKS:
        raise _refused(
            gettext("The annotation of %(made)s by %(author)s lies in the future.", **told), remedy
        )
    ended = row.finished or row.created
    if annotation.made < ended - _CLOCKS:
        error = gettext(
            "The annotation of %(made)s by %(author)s was made before this analysis ended, %(ended)s.",
            ended=dates.moment(ended),
            **told,
        )
        raise _refused(error, remedy)


def _refuse_others(analysis_id: str, analysis: Analysis, analysis_sha256: str, saved: AnnotationFile) -> None:
    if saved.exhibit_sha256 != analysis.media.sha256:
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
    if saved.analysis_sha256 != analysis_sha256:
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


def _concerning(annotation: Annotation, known: Iterable[Annotation]) -> tuple[Annotation, ...]:
    """Those of ``known`` on which it depends whether ``annotation`` fits: few, even of thousands."""
    match annotation:
        case SegmentAnnotation() | ExhibitAnnotation():
            return ()
        case Withdrawal():
            return tuple(each for each in known if each.id == annotation.about)
    acts = (PersonRename, PersonMerge, PersonSplit, Withdrawal)
    return tuple(each for each in known if isinstance(each, acts))


def _content(annotation: Annotation) -> str:
    """Author, moment and what is spoken of, as one text."""
    values = to_json(annotation)
    others = ("id", "note", "verdict", "imported_by")
    return json.dumps([[name, values[name]] for name in sorted(values) if name not in others])


def _row(analysis_id: str, annotation: Annotation) -> AnnotationRow:
    return AnnotationRow(
        analysis_id=analysis_id,
        id=annotation.id,
        kind=annotation.kind,
        author=annotation.imported_by or annotation.author,
        verdict=getattr(annotation, "verdict", None),
        made=annotation.made,
        body=json.dumps(to_json(annotation), ensure_ascii=False),
    )


_LARGEST_FILE = 10_000_000  # of annotations; a bundle may be as large as an exhibit


def import_limit(settings: Settings) -> UploadLimit:
    """What an import may bring: one annotation file, or a bundle."""
    return UploadLimit(
        files=1,
        bytes=settings.upload_limit,
        fewer=N_("Import one file at a time."),
        smaller=N_("Import the annotation file alone."),
    )


def find_annotatable(analysis_id: str) -> AnalysisRow:
    """The row of an analysis that can be annotated, or an answer that says why it cannot."""
    row = analysis_queries.get_or_404(analysis_id, Discloses.FINDINGS)
    if row.state != State.DONE:
        raise UserError(
            409,
            gettext("This analysis has no result to annotate."),
            gettext("Its page says where it stands."),
        )
    return row


def _annotations(stream: Incoming) -> bytes:
    """The annotation file that was handed in, on its own or in a bundle."""
    if is_zip(stream.path):
        return annotations_in(stream.path)
    if stream.bytes > _LARGEST_FILE:
        raise UserError(
            413, gettext("This is too large for an annotation file."), gettext("Nothing was imported.")
        )
    return stream.path.read_bytes()


def _result(row: AnalysisRow) -> Result:
    return load(result_folder(database(), Folders.of(current_app.extensions["settings"]), row))


def _log_annotations(
    session: Session, row: AnalysisRow, made: Iterable[Annotation], actor: str | None = None
) -> None:
    details = [_details(each) for each in made]
    custody_log.append_all(
        session, "annotation", details, exhibit=row.exhibit.sha256, analysis=row.id, actor=actor
    )


def _details(made: Annotation) -> custody_log.Details:
    said = to_json(made)
    return {
        "kind": made.kind,
        "id": made.id,
        "about": said.get("segment") or said.get("about"),
        "verdict": said.get("verdict"),
        "sha256": checksum([said]),
        "said to be by": None if verified(made) else made.author,
    }


def import_file(row: AnalysisRow, stream: Incoming) -> tuple[Merged, tuple[Annotation, ...]]:
    """Take in an annotation file or a bundle; how many were new, and all there are now."""
    stream.complete()
    try:
        text = _annotations(stream)
        saved = read_file(text)
    except ReportError as problem:
        raise UserError(400, stored(str(problem)), gettext("Nothing was imported.")) from None
    result = _result(row)
    importer = current().display if login_is_on() else None
    with database().alone() as session:
        cases.refuse_closed(session, row.case_id)
        merged = merge(session, row, result.analysis, result.sha256, saved, importer)
        details: dict[str, str | int | None] = {"new": merged.new, "known": merged.known}
        details |= {"unverified": merged.unverified, "sha256": hashlib.sha256(text).hexdigest()}
        custody_log.append(session, "import", details, exhibit=row.exhibit.sha256, analysis=row.id)
        _log_annotations(session, row, merged.added)
        everything = shown(session, row, current())
    return merged, everything


def record(row: AnalysisRow, said: Mapping[str, object]) -> tuple[Annotation, tuple[Annotation, ...]]:
    """Record what somebody says now; the annotation that became of it, and all there are."""
    if login_is_on():  # nobody annotates under somebody else's name
        said = {**said, "author": current().display}
    result = _result(row)
    with database().alone() as session:
        cases.refuse_closed(session, row.case_id)
        made = add(session, row.id, result.analysis, said, shown(session, row, current()))
        _log_annotations(session, row, [made], None if login_is_on() else made.author)
        everything = shown(session, row, current())
    return made, everything
