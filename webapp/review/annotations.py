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
from detector.verdict.judged_persons import unflagged_segments
from reports.language.formatting import grouped
from reports.language.translation import gettext, translated
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
from webapp.analyses import queries as analysis_queries
from webapp.analyses.results import LoadedResult, load_result, read_analysis_json, result_folder
from webapp.cases import access
from webapp.custody import custody_log, job_records, people_records
from webapp.errors import UserError
from webapp.review import blinding
from webapp.review.blinding import Disclosure
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, AnnotationRow, State, now

_TICK = timedelta(milliseconds=1)  # as exact as times of annotations and statements are kept


class _Said(Protocol):
    @property
    def made(self) -> datetime: ...


def later_timestamp(known: Sequence[_Said]) -> datetime:
    """Now, and later than the last of ``known``: what is said last stands, even within one millisecond."""
    return max([now(), *(each.made + _TICK for each in known[-1:])])


log = logging.getLogger(__name__)


def store_unflagged(session: Session, analysis_id: str, analysis: Analysis) -> None:
    """Have the row say it; an analysis never changes, so once is enough."""
    ids = [segment.id for segment in unflagged_segments(analysis.persons, analysis.segments)]
    session.execute(
        update(AnalysisRow)
        .where(AnalysisRow.id == analysis_id, AnalysisRow.unflagged.is_(None))
        .values(unflagged=json.dumps(ids))
    )


def backfill_unflagged(database: Database, folders: Folders) -> None:
    """Complete rows annotated before they kept it; a result that cannot be read leaves its row as it is."""
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
            log.warning("which segments of analysis %s are flagged is not known: %s", row.id, problem)


MAX_ANNOTATIONS = 10_000  # of one analysis: far beyond what people say, and still quick


def list_annotations(session: Session, analysis_id: str) -> tuple[Annotation, ...]:
    """All annotations of an analysis, in order of time.

    Raises :class:`~webapp.custody.job_records.AlteredRecord` where they are not those of the custody log.
    """

    def read() -> Sequence[AnnotationRow]:
        rows = session.scalars(select(AnnotationRow).where(AnnotationRow.analysis_id == analysis_id)).all()
        people_records.refuse_altered_annotations(session, analysis_id, rows)
        return rows

    rows = job_records.read_consistently(session, analysis_id, read)
    return tuple(sorted((ANNOTATION.validate_json(row.body) for row in rows), key=sort_key))


def visible_annotations(session: Session, row: AnalysisRow, who: Principal) -> tuple[Annotation, ...]:
    """The annotations of an analysis that somebody may see: of what they have yet to judge, their own."""
    said = list_annotations(session, row.id)
    if blinding.pending_judgement(session, who.user_id, row.exhibit_id) is None:
        return said
    return tuple(each for each in said if who.display == (each.imported_by or each.author))


def find_annotatable(analysis_id: str) -> AnalysisRow:
    """The row of an analysis that can be annotated, or an answer that says why it cannot."""
    row = analysis_queries.get_or_404(analysis_id, Disclosure.FINDINGS)
    if row.state != State.DONE:
        raise UserError(
            409,
            gettext("This analysis has no result to annotate."),
            gettext("Its page says where it stands."),
        )
    return row


def refuse_annotating(session: Session, row: AnalysisRow) -> None:
    """Raise :class:`UserError` where who asks may not annotate.

    Nobody may in a case not to be changed, nor a second reviewer before the first has judged, who could read
    it.
    """
    access.refuse_changes(session, row.case_id)
    blinding.refuse_unblinding_first(session, current().user_id, row.exhibit_id)


def record_annotation(
    row: AnalysisRow, said: Mapping[str, object], annotation_id: str | None = None
) -> tuple[Annotation, tuple[Annotation, ...]]:
    """Record what somebody says now; the annotation that became of it, and all there are.

    ``said`` is an annotation without what Reelproof gives it. ``annotation_id`` is its id, if not a new one;
    where there is one of this id nothing is recorded: the request that made it was cut off. Raises
    :class:`UserError` where ``said`` is no annotation, speaks of nothing in the analysis, or who asks
    annotates nothing in it.
    """
    if login_is_on():  # nobody annotates under somebody else's name
        said = {**said, "author": current().display}
    result = annotated_result(row)
    with context.database().alone() as session:
        row = analysis_queries.reload_row(session, row.id)
        kept = session.get(AnnotationRow, (row.id, annotation_id)) if annotation_id is not None else None
        if kept is not None:
            return ANNOTATION.validate_json(kept.body), visible_annotations(session, row, current())
        refuse_annotating(session, row)
        seen = visible_annotations(session, row, current())
        made = _add(session, row.id, result.analysis, said, seen, annotation_id)
        store_unflagged(session, row.id, result.analysis)
        log_annotations(session, row, [made], None if login_is_on() else made.author)
        everything = visible_annotations(session, row, current())
    return made, everything


def _add(
    session: Session,
    analysis_id: str,
    analysis: Analysis,
    said: Mapping[str, object],
    seen: Sequence[Annotation],
    annotation_id: str | None,
) -> Annotation:
    """Add the row of what somebody says, which is an annotation without what Reelproof gives it.

    ``seen`` are those it may refer to. The session must be alone.
    """
    if {"id", "made", "imported_by"} & set(said):
        raise UserError(
            400,
            gettext("A new annotation must not have the fields “id”, “made” and “imported_by”."),
            gettext("Reelproof sets them. Leave them out."),
        )
    known = list_annotations(session, analysis_id)
    if len(known) >= MAX_ANNOTATIONS:
        raise UserError(
            409,
            gettext(
                "This analysis has %(most)s annotations, the most it can.", most=grouped(MAX_ANNOTATIONS)
            ),
            gettext("Analyse the exhibit again."),
        )
    try:
        own = {"id": annotation_id or secrets.token_hex(16), "made": later_timestamp(known)}
        annotation = parse({**said, **own})
    except AnnotationFileError as problem:
        raise UserError(400, translated(str(problem)), gettext("Nothing was recorded.")) from None
    _refuse_unfit(analysis, annotation, seen)
    session.add(annotation_row(analysis_id, annotation))
    return annotation


def _refuse_unfit(analysis: Analysis, annotation: Annotation, seen: Sequence[Annotation]) -> None:
    """Raise :class:`UserError` for an annotation of nothing in the analysis, or of nothing in ``seen``."""
    empty = isinstance(annotation, SpanAnnotation) and annotation.start == annotation.end
    if empty and analysis.media.duration:
        raise UserError(
            400, gettext("The stretch has no length."), gettext("Nothing was recorded. Choose a later end.")
        )
    if reason := rejection_reason(analysis, annotation, seen):
        raise UserError(400, translated(reason), _remedy(analysis, annotation))


def _remedy(analysis: Analysis, annotation: Annotation) -> str:
    """What to do about an annotation that speaks of nothing in the analysis."""
    length = analysis.media.duration
    match annotation:
        case SpanAnnotation() if annotation.end > length + 1:
            end = timecode(length)
            return gettext("Nothing was recorded. Choose an end that is not after %(end)s.", end=end)
        case SegmentAnnotation():  # those never change
            return gettext("Nothing was recorded.")
    return gettext("Nothing was recorded. Reload the page: others may have changed it meanwhile.")


def annotation_row(analysis_id: str, annotation: Annotation) -> AnnotationRow:
    """An annotation as it is kept."""
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
    """The result that is annotated."""
    return load_result(result_folder(context.database(), context.folders(), row))


def log_annotations(
    session: Session, row: AnalysisRow, made: Iterable[Annotation], actor: str | None = None
) -> None:
    """Write what was said into the custody log, in the transaction that records it."""
    details = [_details(each) for each in made]
    custody_log.append_all(
        session, "annotation", details, exhibit=row.exhibit.sha256, analysis=row.id, actor=actor
    )


def _details(made: Annotation) -> custody_log.EntryDetails:
    said = to_json(made)
    return {
        "kind": made.kind,
        "id": made.id,
        "about": said.get("segment") or said.get("about"),
        "verdict": said.get("verdict"),
        "sha256": checksum([said]),
        "said to be by": None if verified(made) else made.author,
    }
