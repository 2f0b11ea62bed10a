"""Fill in columns that rows written by earlier versions lack."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from sqlalchemy import select, update

from webapp import context
from webapp.analyses.results import load_result, result_folder
from webapp.cases import service
from webapp.review import annotations as review_annotations
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, State

log = logging.getLogger(__name__)


def backfill_durations(database: Database, folders: Folders) -> None:
    """Read lengths of exhibits from results; one that cannot be read leaves its row as it is."""
    missing = select(AnalysisRow.id).where(AnalysisRow.state == State.DONE, AnalysisRow.duration.is_(None))
    with database.begin() as session:
        ids = session.scalars(missing).all()
    for analysis_id in ids:
        try:
            analysis = json.loads((folders.result(analysis_id) / "analysis.json").read_bytes())
            length = float(analysis["media"]["duration"])
            with database.begin() as session:
                session.execute(
                    update(AnalysisRow).where(AnalysisRow.id == analysis_id).values(duration=length)
                )
        except Exception as problem:
            log.warning("the length of analysis %s is not known: %s", analysis_id, problem)


BACKFILLS: tuple[Callable[[Database, Folders], None], ...] = (
    backfill_durations,
    review_annotations.backfill_unflagged,
    service.reassign_older_rows,
)
"""Each completes the rows that need it, one at a time: others write meanwhile."""


def frame_rate(row: AnalysisRow) -> str | None:
    """The average frame rate of a finished analysis's exhibit, a fraction; None for a photo.

    The row has it, so that a page which shows nothing else of a long analysis need not read all of it.
    Raises :class:`~webapp.custody.job_records.AlteredRecord` where a result that has to be read is not the
    one that was made.
    """
    if row.frame_rate is not None or not row.duration:
        return row.frame_rate
    database = context.database()
    rate = load_result(result_folder(database, context.folders(), row)).analysis.media.frame_rate
    with database.begin() as session:
        session.execute(update(AnalysisRow).where(AnalysisRow.id == row.id).values(frame_rate=rate))
    return rate
