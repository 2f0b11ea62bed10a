"""Matches of exhibits made up for tests of the web app, with no fingerprints."""

from __future__ import annotations

from typing import Any

from flask import Flask

from detector.fingerprint.match import Match, Piece
from webapp.storage.tables import AnalysisRow, MatchRow, now

WHOLE = Piece(start=0, end=8, other_start=0, other_end=8)
PART = Piece(start=0, end=5, other_start=61.5, other_end=66.5)


def match_of(**changes: Any) -> Match:
    """Two clips that show the same, but for ``changes``."""
    usual: dict[str, Any] = {"likeness": 0.9, "pieces": (WHOLE,), "share": 1.0, "other_share": 1.0}
    sizes = {"size": (640, 360), "other_size": (1280, 720)}
    return Match(**(usual | sizes | changes))


def matched(app: Flask, row: AnalysisRow, first: AnalysisRow, **changes: Any) -> Match:
    """The exhibits of two analyses, the second of which was there first, show the same."""
    match = match_of(**changes)
    with app.extensions["database"].begin() as session:
        session.add(
            MatchRow(
                exhibit_id=row.exhibit_id,
                other_id=first.exhibit_id,
                of_all=match.of_all,
                found=now(),
                body=match.model_dump_json(),
            )
        )
    return match
