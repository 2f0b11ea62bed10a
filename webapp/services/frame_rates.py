"""The frame rate of an analysed exhibit; read from the result once where the row is older than its column."""

from __future__ import annotations

from sqlalchemy import update

from webapp import this_app
from webapp.queries.results import load, result_folder
from webapp.storage.tables import AnalysisRow


def of(row: AnalysisRow) -> str | None:
    """The average frame rate of a finished analysis's exhibit, a fraction; None for a photo.

    The row has it, so that a page which shows nothing else of a long analysis need not read all of it.
    Raises :class:`~webapp.custody.altered.AlteredRecord` where a result that has to be read is not the one
    that was made.
    """
    if row.frame_rate is not None or not row.duration:
        return row.frame_rate
    database = this_app.database()
    rate = load(result_folder(database, this_app.folders(), row)).analysis.media.frame_rate
    with database.begin() as session:
        session.execute(update(AnalysisRow).where(AnalysisRow.id == row.id).values(frame_rate=rate))
    return rate
