"""What reviewers said of an analysis, as rows: listed, shown, recorded. Never changed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from detector.schema.analysis import Analysis
from detector.schema.formatting import timecode
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
from reports.text.numbers import grouped
from reports.text.translation.language import gettext, translated
from webapp import this_app
from webapp.custody import altered
from webapp.custody import log as custody_log
from webapp.custody.records import review_records
from webapp.errors import UserError
from webapp.queries import analyses as analysis_queries
from webapp.queries.results import LoadedResult, load, result_folder
from webapp.security.access import blinding
from webapp.security.access.blinding import Discloses
from webapp.security.access.permissions import Principal, current, login_is_on
from webapp.services.case_rules import write_access
from webapp.services.review import unflagged
from webapp.services.review.times import later_than
from webapp.storage.tables import AnalysisRow, AnnotationRow, State

MOST_ANNOTATIONS = 10_000  # of one analysis: far beyond what people say, and still quick


def listed(session: Session, analysis_id: str) -> tuple[Annotation, ...]:
    """All annotations of an analysis, in order of time.

    Raises :class:`~webapp.custody.altered.AlteredRecord` where they are not those of the custody log.
    """

    def read() -> Sequence[AnnotationRow]:
        rows = session.scalars(select(AnnotationRow).where(AnnotationRow.analysis_id == analysis_id)).all()
        review_records.refuse_altered_annotations(session, analysis_id, rows)
        return rows

    rows = altered.compared(session, analysis_id, read)
    return tuple(sorted((ANNOTATION.validate_json(row.body) for row in rows), key=sort_key))


def shown(session: Session, row: AnalysisRow, who: Principal) -> tuple[Annotation, ...]:
    """The annotations of an analysis that somebody may see: of what they have yet to judge, their own."""
    said = listed(session, row.id)
    if blinding.awaited_judgement(session, who.user_id, row.exhibit_id) is None:
        return said
    return tuple(each for each in said if who.display == (each.imported_by or each.author))


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


def refuse_annotating(session: Session, row: AnalysisRow) -> None:
    """Raise :class:`UserError` where who asks may not annotate.

    Nobody may in a case not to be changed, nor a second reviewer before the first has judged, who could read
    it.
    """
    write_access.refuse_changes(session, row.case_id)
    blinding.refuse_telling_first(session, current().user_id, row.exhibit_id)


def record(
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
    result = result_of(row)
    with this_app.database().alone() as session:
        row = analysis_queries.still_there(session, row.id)
        kept = session.get(AnnotationRow, (row.id, annotation_id)) if annotation_id is not None else None
        if kept is not None:
            return ANNOTATION.validate_json(kept.body), shown(session, row, current())
        refuse_annotating(session, row)
        seen = shown(session, row, current())
        made = _add(session, row.id, result.analysis, said, seen, annotation_id)
        unflagged.keep(session, row.id, result.analysis)
        log_annotations(session, row, [made], None if login_is_on() else made.author)
        everything = shown(session, row, current())
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
    known = listed(session, analysis_id)
    if len(known) >= MOST_ANNOTATIONS:
        raise UserError(
            409,
            gettext(
                "This analysis has %(most)s annotations, the most it can.", most=grouped(MOST_ANNOTATIONS)
            ),
            gettext("Analyse the exhibit again."),
        )
    try:
        own = {"id": annotation_id or secrets.token_hex(16), "made": later_than(known)}
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


def result_of(row: AnalysisRow) -> LoadedResult:
    """The result that is annotated."""
    return load(result_folder(this_app.database(), this_app.folders(), row))


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
