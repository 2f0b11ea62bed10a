"""Lengths of exhibits whose analyses were made before rows kept them: read once from the results."""

from __future__ import annotations

import json
import logging

from sqlalchemy import select, update

from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, State

log = logging.getLogger(__name__)


def fill(database: Database, folders: Folders) -> None:
    """Complete the rows; a result that cannot be read leaves its row as it is."""
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
