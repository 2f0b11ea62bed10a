"""Which segments of annotated analyses were looked at and not flagged: kept in the row, for statistics.

Only the analysis itself says it, and a page that read thousands of them would take too long.
"""

from __future__ import annotations

import json
import logging

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from detector.schema.analysis import Analysis
from detector.verdict.persons.flagged import unflagged_segments
from webapp.queries.results import analysis_text, result_folder
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, AnnotationRow

log = logging.getLogger(__name__)


def keep(session: Session, analysis_id: str, analysis: Analysis) -> None:
    """Have the row say it; an analysis never changes, so once is enough."""
    ids = [segment.id for segment in unflagged_segments(analysis.persons, analysis.segments)]
    session.execute(
        update(AnalysisRow)
        .where(AnalysisRow.id == analysis_id, AnalysisRow.unflagged.is_(None))
        .values(unflagged=json.dumps(ids))
    )


def fill_older_rows(database: Database, folders: Folders) -> None:
    """Complete rows annotated before they kept it; a result that cannot be read leaves its row as it is."""
    annotated = select(AnnotationRow.analysis_id).where(AnnotationRow.kind == "segment")
    with database.begin() as session:
        missing = select(AnalysisRow).where(AnalysisRow.unflagged.is_(None), AnalysisRow.id.in_(annotated))
        rows = session.scalars(missing).all()
    for row in rows:
        try:
            analysis = Analysis.from_json(analysis_text(result_folder(database, folders, row)))
            with database.begin() as session:
                keep(session, row.id, analysis)
        except Exception as problem:
            log.warning("which segments of analysis %s are flagged is not known: %s", row.id, problem)
