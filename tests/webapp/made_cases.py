"""Cases for tests: what is put into them, and what the log says of them."""

from __future__ import annotations

import json

from sqlalchemy import select

from webapp.storage.tables import AnalysisRow, CaseRow, CustodyRow, now


def put(app, analysis_id: str, number: int) -> None:
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, analysis_id).case_id = number


def ids(app) -> list[str]:
    with app.extensions["database"].begin() as session:
        return list(session.scalars(select(AnalysisRow.id).order_by(AnalysisRow.file)))


def entries(app, action: str) -> list[dict]:
    with app.extensions["database"].begin() as session:
        rows = session.scalars(select(CustodyRow).where(CustodyRow.action == action))
        return [json.loads(entry.details) | {"actor": entry.actor} for entry in rows]


def another(app, name: str, *, closed: bool) -> int:
    """The number of another case."""
    with app.extensions["database"].begin() as session:
        case = CaseRow(name=name, created=now(), created_by="x", closed=now() if closed else None)
        session.add(case)
        session.flush()
        return case.id
