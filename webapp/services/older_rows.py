"""What rows of earlier versions lack, since the column or the rule is newer: filled in while the app runs.

A migration fills in what other rows tell; here is what takes results, or many steps. :data:`FILLS` go over
all rows after each start, beside the pages; a frame rate is filled in when it is asked for.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from sqlalchemy import select, update

from webapp import this_app
from webapp.queries.results import load, result_folder
from webapp.services.cases import ownership
from webapp.services.review import unflagged
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, State

log = logging.getLogger(__name__)


def fill_durations(database: Database, folders: Folders) -> None:
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


FILLS: tuple[Callable[[Database, Folders], None], ...] = (
    fill_durations,
    unflagged.fill_older_rows,
    ownership.hand_on_older_rows,
)
"""Each completes the rows that need it, one at a time: others write meanwhile."""


def frame_rate(row: AnalysisRow) -> str | None:
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
