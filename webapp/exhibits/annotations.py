"""Annotations of an analysis: list, add and record them. They never change."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from detector.schema.analysis import Analysis
from detector.schema.formatting import timecode
from detector.verdict.finding import finding_of
from language.formatting import grouped
from language.translation import gettext, translated
from reports.review.annotation_file import AnnotationFileError, checksum, parse, to_json
from reports.review.annotations import (
    ANNOTATION,
    Annotation,
    SegmentAnnotation,
    SpanAnnotation,
    rejection_reason,
    sort_key,
    verified,
)
from webapp import context
from webapp.accounts.permissions import Principal, current, login_is_on
from webapp.casework import access, blinding
from webapp.casework.blinding import Disclosure
from webapp.custody import custody_log, job_records, people_records
from webapp.errors import NotReady, UserError
from webapp.exhibits import queries as analysis_queries
from webapp.exhibits.results import LoadedResult, load_result, read_analysis_json, result_folder
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, AnnotationRow, State, now

log = logging.getLogger(__name__)

_TICK = timedelta(milliseconds=1)  # the precision of stored times


class _Timed(Protocol):
    @property
    def made(self) -> datetime: ...


def later_timestamp(earlier: Sequence[_Timed]) -> datetime:
    """Return now, or a moment after the last entry: the latest must win even within one millisecond."""
    return max([now(), *(entry.made + _TICK for entry in earlier[-1:])])


def store_unflagged(session: Session, analysis_id: str, analysis: Analysis) -> None:
    """Store the ids of unflagged segments in the row, once: an analysis never changes."""
    finding = finding_of(analysis)
    ids = [segment.id for segment in finding.unflagged]
    if finding.voices:
        ids += [segment.id for segment in finding.voices.unflagged]
    session.execute(
        update(AnalysisRow)
        .where(AnalysisRow.id == analysis_id, AnalysisRow.unflagged.is_(None))
        .values(unflagged=json.dumps(ids))
    )


def backfill_unflagged(database: Database, folders: Folders) -> None:
    """Complete rows annotated by earlier versions; unreadable results are skipped."""
    annotated = select(AnnotationRow.analysis_id).where(AnnotationRow.kind == "segment")
    with database.begin() as session:
        missing = select(AnalysisRow).where(AnalysisRow.unflagged.is_(None), AnalysisRow.id.in_(annotated))
        rows = session.scalars(missing).all()
    for row in rows:
        try:
            analysis = Analysis.from_json(read_analysis_json(result_folder(database, folders, row)))
            with database.begin() as session:
                store_unflagged(session, row.id, analysis)
        except Exception as problem:
            log.warning("cannot tell which segments of analysis %s are flagged: %s", row.id, problem)


MAX_ANNOTATIONS = 10_000  # per analysis; far beyond real use, and still fast


def list_annotations(session: Session, analysis_id: str) -> tuple[Annotation, ...]:
    """Load all annotations of an analysis in order of time.

    Raises :class:`~webapp.custody.job_records.AlteredRecord` if they differ from the custody log.
    """

    def read() -> Sequence[AnnotationRow]:
        rows = session.scalars(select(AnnotationRow).where(AnnotationRow.analysis_id == analysis_id)).all()
        people_records.refuse_altered_annotations(session, analysis_id, rows)
        return rows

    rows = job_records.read_consistently(session, analysis_id, read)
    return tuple(sorted((ANNOTATION.validate_json(row.body) for row in rows), key=sort_key))


def visible_annotations(session: Session, row: AnalysisRow, who: Principal) -> tuple[Annotation, ...]:
    """Load the annotations an account may see: only its own while it owes a judgement."""
    annotations = list_annotations(session, row.id)
    if blinding.pending_judgement(session, who.user_id, row.exhibit_id) is None:
        return annotations
    return tuple(entry for entry in annotations if who.display == (entry.imported_by or entry.author))


def find_annotatable(analysis_id: str) -> AnalysisRow:
    """Return the row of an analysis with a result; raise :class:`UserError` otherwise."""
    row = analysis_queries.get_or_404(analysis_id, Disclosure.FINDINGS)
    if not row.has_finding:
        raise UserError(
            409,
            gettext("This analysis has no result to annotate."),
            gettext("Its page says where it stands."),
        )
    return row


def refuse_annotating(session: Session, row: AnalysisRow) -> None:
    """Raise :class:`UserError` if the caller may not annotate.

    Nobody may while its heatmaps are being made, in a closed case or one of others, nor a second reviewer
    before the first, who could read the annotation, has judged.
    """
    if row.shown_state is State.EXPLAINING:
        raise NotReady(
            gettext("The heatmaps of this analysis are still being made."),
            gettext("Annotate it when they are complete."),
        )
    access.refuse_changes(session, row.case_id)
    blinding.refuse_unblinding_first(session, current().user_id, row.exhibit_id)


def record_annotation(
    row: AnalysisRow, values: Mapping[str, object], annotation_id: str | None = None
) -> tuple[Annotation, tuple[Annotation, ...]]:
    """Record an annotation and return it with all visible ones.

    ``values`` lacks the fields that Reelproof sets. If ``annotation_id`` exists, the request was repeated and
    records nothing. Raises :class:`UserError` for invalid values, references to nothing in the analysis, and
    callers who may not annotate.
    """
    if login_is_on():  # nobody annotates under another name
        values = {**values, "author": current().display}
    result = annotated_result(row)
    with context.database().alone() as session:
        row = analysis_queries.reload_row(session, row.id)
        stored = session.get(AnnotationRow, (row.id, annotation_id)) if annotation_id is not None else None
        if stored is not None:
            return ANNOTATION.validate_json(stored.body), visible_annotations(session, row, current())
        refuse_annotating(session, row)
        annotation = _create(session, row.id, values, annotation_id)
        _refuse_invalid_reference(result.analysis, annotation, visible_annotations(session, row, current()))
        session.add(annotation_row(row.id, annotation))
        store_unflagged(session, row.id, result.analysis)
        log_annotations(session, row, [annotation], None if login_is_on() else annotation.author)
        visible = visible_annotations(session, row, current())
    return annotation, visible


def _create(
    session: Session, analysis_id: str, values: Mapping[str, object], annotation_id: str | None
) -> Annotation:
    """Create the annotation with these values. The session must be exclusive."""
    if {"id", "made", "imported_by"} & set(values):
        raise UserError(
            400,
            gettext("A new annotation must not have the fields “id”, “made” and “imported_by”."),
            gettext("Reelproof sets them. Leave them out."),
        )
    earlier = list_annotations(session, analysis_id)
    if len(earlier) >= MAX_ANNOTATIONS:
        raise UserError(
            409,
            gettext("This analysis has %(most)s annotations, the maximum.", most=grouped(MAX_ANNOTATIONS)),
            gettext("Analyse the exhibit again."),
        )
    try:
        own = {"id": annotation_id or secrets.token_hex(16), "made": later_timestamp(earlier)}
        return parse({**values, **own})
    except AnnotationFileError as problem:
        raise UserError(400, translated(str(problem)), gettext("Nothing was recorded.")) from None


def _refuse_invalid_reference(
    analysis: Analysis, annotation: Annotation, visible: Sequence[Annotation]
) -> None:
    """Raise :class:`UserError` if the annotation refers to nothing in the analysis or in ``visible``."""
    length = analysis.end
    if isinstance(annotation, SpanAnnotation) and annotation.start == annotation.end and length:
        raise UserError(
            400, gettext("The stretch has no length."), gettext("Nothing was recorded. Choose a later end.")
        )
    reason = rejection_reason(analysis, annotation, visible)
    if not reason:
        return
    remedy = gettext("Nothing was recorded. Reload the page: others may have changed it meanwhile.")
    if isinstance(annotation, SpanAnnotation) and annotation.end > length + 1:
        end = timecode(length)
        remedy = gettext("Nothing was recorded. Choose an end that is not after %(end)s.", end=end)
    elif isinstance(annotation, SegmentAnnotation):  # segments never change, so reloading would not help
        remedy = gettext("Nothing was recorded.")
    raise UserError(400, translated(reason), remedy)


def annotation_row(analysis_id: str, annotation: Annotation) -> AnnotationRow:
    """Convert an annotation to its row."""
    return AnnotationRow(
        analysis_id=analysis_id,
        id=annotation.id,
        kind=annotation.kind,
        author=annotation.imported_by or annotation.author,
        verdict=getattr(annotation, "verdict", None),
        made=annotation.made,
        body=json.dumps(to_json(annotation), ensure_ascii=False),
    )


def annotated_result(row: AnalysisRow) -> LoadedResult:
    """Load the result of an annotated analysis."""
    return load_result(result_folder(context.database(), context.folders(), row))


def log_annotations(
    session: Session, row: AnalysisRow, annotations: Iterable[Annotation], actor: str | None = None
) -> None:
    """Append new annotations to the custody log, in the transaction that records them."""
    custody_log.append_all(
        session,
        "annotation",
        [_details(annotation) for annotation in annotations],
        exhibit=row.exhibit.sha256,
        analysis=row.id,
        actor=actor,
    )


def _details(annotation: Annotation) -> custody_log.EntryDetails:
    values = to_json(annotation)
    return {
        "kind": annotation.kind,
        "id": annotation.id,
        "about": values.get("segment") or values.get("about"),
        "verdict": values.get("verdict"),
        "sha256": checksum([values]),
        "said to be by": None if verified(annotation) else annotation.author,
    }
