"""Rows of the database as tests make and read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from webapp.custody import custody_log
from webapp.jobs import states
from webapp.storage.tables import AnalysisRow, AnnotationRow, now


def count(database, table) -> int:
    with database.begin() as session:
        return session.scalar(select(func.count()).select_from(table))


def say(database, analysis_id: str, **changes: object) -> None:
    annotation = {"kind": "exhibit", "author": "Ada", "verdict": "agree", "note": ""} | changes
    annotation |= {"id": f"{count(database, AnnotationRow):032x}", "made": "2026-11-20T10:00:00Z"}
    with database.begin() as session:
        session.add(
            AnnotationRow(
                analysis_id=analysis_id,
                id=annotation["id"],
                kind=annotation["kind"],
                author=annotation["author"],
                verdict=annotation["verdict"],
                made=now(),
                body=json.dumps(annotation),
            )
        )


@contextmanager
def earlier(monkeypatch: pytest.MonkeyPatch, **by: float) -> Iterator[None]:
    """What becomes of jobs meanwhile happens earlier by this much (``hours=3``), by rows and custody log."""
    with monkeypatch.context() as clock:
        for module in (states, custody_log):
            clock.setattr(module, "now", lambda: now() - timedelta(**by))
        yield


def retry(database, analysis_id: str) -> bool:
    with database.begin() as session:
        return states.retry(session, analysis_id)


def change(database, analysis_id: str, **values) -> None:
    with database.begin() as session:
        row = session.get_one(AnalysisRow, analysis_id)
        for name, value in values.items():
            setattr(row, name, value)


def row(database, analysis_id: str) -> AnalysisRow | None:
    """None: there is none, such as after it was deleted."""
    with database.begin() as session:
        return session.get(AnalysisRow, analysis_id)


def row_of(app: Flask, analysis_id: str) -> AnalysisRow:
    """Of an analysis that is there, as it is now."""
    with app.extensions["database"].begin() as session:
        return session.get_one(AnalysisRow, analysis_id)
