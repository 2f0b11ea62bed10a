"""Comparisons made up for tests of the web app, with no engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask
from made_comparison_results import comparison_of

from detector.files import write_atomically
from detector.schema.comparison import Comparison
from webapp.custody.records.comparison_records import RESULT, SUMS, sums_text
from webapp.jobs import comparisons
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, ComparisonRow, Exhibit
from webapp.worker import run_comparison


def engine(exhibit: Path, reference: Path, folder: Path, names, _settings, progress) -> Comparison:
    """Stand-in for :func:`webapp.worker.run_comparison.compare`."""
    progress("comparing", 0.5)
    made = comparison_of(folder, names, (exhibit.name, reference.name))
    (folder / RESULT).write_text(made.to_json())
    return made


def queued(app: Flask, exhibit: AnalysisRow, reference: AnalysisRow) -> ComparisonRow:
    """A comparison of the exhibits of two analyses that waits."""
    with app.extensions["database"].begin() as session:
        both = (
            session.get_one(Exhibit, exhibit.exhibit_id),
            session.get_one(Exhibit, reference.exhibit_id),
        )
        return comparisons.create(session, *both, (exhibit.file, reference.file), "local user")


def compared(app: Flask, exhibit: AnalysisRow, reference: AnalysisRow, **changes: Any) -> ComparisonRow:
    """A finished one; ``changes`` go to :func:`comparison_of`."""
    database, folders = app.extensions["database"], Folders.local(app.extensions["settings"].data)
    row = queued(app, exhibit, reference)
    held = comparisons.claim(database, row.id)
    assert held is not None
    folder = folders.comparison(row.id)
    folder.mkdir()
    sums = exhibit.exhibit.sha256, reference.exhibit.sha256
    made = comparison_of(folder, held.files, sums, **changes)
    (folder / RESULT).write_text(made.to_json())
    write_atomically(folder / SUMS, sums_text(folder))
    comparisons.finish(database, held, made, run_comparison.made_of(folders, held))
    with database.begin() as session:
        return session.get_one(ComparisonRow, row.id)


def comparison_rows(app: Flask) -> list[ComparisonRow]:
    with app.extensions["database"].begin() as session:
        return session.query(ComparisonRow).all()
