"""Where an analysis stands, as JSON."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from detector.timestamps import iso_milliseconds
from webapp.queries import analyses as analysis_queries
from webapp.storage.tables import AnalysisRow, Priority, State


def status_json(row: AnalysisRow, *, ahead: bool = True) -> dict[str, Any]:
    """The row of an analysis as programs and pages that wait for it are told of it.

    ``ahead``: whether its place in the queue is looked up.
    """
    known: dict[str, Any] = {
        "id": row.id,
        "state": row.state,
        "priority": Priority(row.priority).words,
        "stage": row.stage,
        "progress": row.progress,
        "file": row.file,
        "model": row.model,
        "sha256": row.exhibit.sha256,
        "created": _iso(row.created),
        "started": _iso(row.started),
        "finished": _iso(row.finished),
        "attempt": row.attempt,
        "settings": json.loads(row.settings or "{}"),
        "duration": row.duration,
        "verdict": row.verdict,
        "probability": row.probability,
    }
    if row.state == State.QUEUED and ahead:
        known["ahead"] = analysis_queries.ahead(row)
    if row.state == State.FAILED:
        known |= {"error": row.error, "remedy": row.remedy}
    return known


def _iso(moment: datetime | None) -> str | None:
    return iso_milliseconds(moment) if moment else None
