"""Comparisons made up for tests of the web app, with no engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask
from made_comparison_results import comparison_of

from detector.files import write_atomically
from detector.schema.comparison import Comparison
from webapp.custody.job_records import COMPARISON_FILE, COMPARISON_SUMS_FILE, comparison_sums_text
from webapp.jobs import claims
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, ComparisonRow, Exhibit
from webapp.worker import run_analysis


def engine(exhibit: Path, reference: Path, folder: Path, names, _settings, progress) -> Comparison:
    """Stand-in for :func:`webapp.worker.run_analysis.make_comparison`."""
    progress("comparing", 0.5)
    made = comparison_of(folder, names, (exhibit.name, reference.name))
    (folder / COMPARISON_FILE).write_text(made.to_json())
    return made


def queued(app: Flask, exhibit: AnalysisRow, reference: AnalysisRow) -> ComparisonRow:
    """A comparison of the exhibits of two analyses that waits."""
    with app.extensions["database"].begin() as session:
        both = (
            session.get_one(Exhibit, exhibit.exhibit_id),
            session.get_one(Exhibit, reference.exhibit_id),
        )
        return claims.create_comparison(session, *both, (exhibit.file, reference.file), "local user")


def compared(app: Flask, exhibit: AnalysisRow, reference: AnalysisRow, **changes: Any) -> ComparisonRow:
    """A finished one; ``changes`` go to :func:`comparison_of`."""
    database, folders = app.extensions["database"], Folders.local(app.extensions["settings"].data)
    row = queued(app, exhibit, reference)
    held = claims.claim_comparison(database, row.id)
    assert held is not None
    folder = folders.comparison(row.id)
    folder.mkdir()
    sums = exhibit.exhibit.sha256, reference.exhibit.sha256
    made = comparison_of(folder, held.files, sums, **changes)
    (folder / COMPARISON_FILE).write_text(made.to_json())
    write_atomically(folder / COMPARISON_SUMS_FILE, comparison_sums_text(folder))
    claims.finish_comparison(database, held, made, run_analysis.comparison_inputs(folders, held))
    with database.begin() as session:
        return session.get_one(ComparisonRow, row.id)


def comparison_rows(app: Flask) -> list[ComparisonRow]:
    with app.extensions["database"].begin() as session:
        return session.query(ComparisonRow).all()
