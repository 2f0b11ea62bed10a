"""The analysis that pages of a review are about."""

from __future__ import annotations

import pytest
from annotated import finished_earlier
from flask import Flask

from webapp.storage.tables import AnalysisRow


@pytest.fixture
def row(app: Flask) -> AnalysisRow:
    return finished_earlier(app)


@pytest.fixture
def address(row: AnalysisRow) -> str:
    """Of its annotations."""
    return f"/analyses/{row.id}/annotations"
