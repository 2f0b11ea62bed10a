"""Analyses that can be annotated, and what was said of them."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from made_results import finished
from sqlalchemy import select

from webapp.storage.tables import AnalysisRow, AnnotationRow, now

AGREE = {"kind": "segment", "segment": "A1", "verdict": "agree", "author": "Ann", "note": "seams"}


def finished_earlier(app: Flask) -> AnalysisRow:
    """An analysis that ended three hours ago: annotations may be dated after that."""
    row = finished(app, segments=3, persons=2, kept=False)
    with app.extensions["database"].begin() as session:
        stored = session.get_one(AnalysisRow, row.id)
        stored.created = stored.started = stored.finished = now() - timedelta(hours=3)
    return stored


def stored(app: Flask) -> list[AnnotationRow]:
    with app.extensions["database"].begin() as session:
        return list(session.scalars(select(AnnotationRow).order_by(AnnotationRow.made)))
