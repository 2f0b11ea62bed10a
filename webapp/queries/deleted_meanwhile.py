"""What to say where answering failed because what the address names was deleted meanwhile.

Rows go first, then files. A request that has read the row before may find no files, or none that fit the
row, at any of the many places that read them.
"""

from __future__ import annotations

from flask import request
from sqlalchemy.exc import SQLAlchemyError

from webapp import this_app
from webapp.errors import UserError
from webapp.queries import analyses, reference_comparisons
from webapp.storage.tables import AnalysisRow, ComparisonRow

_DELETED = 410


def told() -> UserError | None:
    """That the analysis or comparison of this request was deleted, and when; None where it was not."""
    names = request.view_args or {}
    try:
        with this_app.database().begin() as session:
            for name, table, gone in (
                ("analysis_id", AnalysisRow, analyses.gone),
                ("comparison_id", ComparisonRow, reference_comparisons.gone),
            ):
                if name in names and session.get(table, names[name]) is None:
                    problem = gone(session, names[name])
                    return problem if problem.status == _DELETED else None
    except SQLAlchemyError:  # the first error is the one to tell
        return None
    return None
