"""Fill in columns that rows written by earlier versions lack."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from sqlalchemy import select, update

from webapp import context
from webapp.casework import service
from webapp.exhibits import annotations as review_annotations
from webapp.exhibits.results import load_result, result_folder
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, State

log = logging.getLogger(__name__)


def backfill_durations(database: Database, folders: Folders) -> None:
    """Read missing durations from results; unreadable results are skipped."""
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
            log.warning("cannot read the duration of analysis %s: %s", analysis_id, problem)


# Each completes its rows one at a time, because others write to the database meanwhile.
BACKFILLS: tuple[Callable[[Database, Folders], None], ...] = (
    backfill_durations,
    review_annotations.backfill_unflagged,
    service.reassign_older_rows,
)


def frame_rate(row: AnalysisRow) -> str | None:
    """Return the average frame rate of a finished analysis's exhibit, a fraction; None for a photo.

    It is stored in the row so that pages need not load a long result for it. Raises
    :class:`~webapp.custody.job_records.AlteredRecord` if a result that must be read was altered.
    """
    if row.frame_rate is not None or not row.duration:
        return row.frame_rate
    database = context.database()
    rate = load_result(result_folder(database, context.folders(), row)).analysis.media.frame_rate
    with database.begin() as session:
        session.execute(update(AnalysisRow).where(AnalysisRow.id == row.id).values(frame_rate=rate))
    return rate
