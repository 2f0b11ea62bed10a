"""What pages of a review are about: an analysis, a comparison of two exhibits, or a second review."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from annotated_analyses import finished_earlier
from flask import Flask
from made_comparisons import compared
from made_results import finished
from second_review_case import Review, review

from webapp.storage.tables import AnalysisRow, ComparisonRow


@pytest.fixture
def row(app: Flask) -> AnalysisRow:
    return finished_earlier(app)


@pytest.fixture
def address(row: AnalysisRow) -> str:
    """Of its annotations."""
    return f"/analyses/{row.id}/annotations"


@pytest.fixture
def pair(app: Flask) -> tuple[AnalysisRow, AnalysisRow]:
    return finished(app, file="altered.mp4"), finished(app, file="original.mp4")


@pytest.fixture
def done(app: Flask, pair: tuple[AnalysisRow, AnalysisRow]) -> ComparisonRow:
    return compared(app, *pair)


@pytest.fixture
def lab(tmp_path, sent) -> Iterator[Review]:
    made = review(tmp_path / "data", sent)
    yield made
    made.app.extensions["database"].close()
