"""One finished report shared by the tests that only read it, and folders for the others."""

from __future__ import annotations

import pytest
from analyses import Written, build

from reports import write_report


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Two persons, three segments of three peaks each, written once."""
    folder = tmp_path_factory.mktemp("report")
    analysis = build(folder)
    write_report(analysis, folder)
    return Written(analysis, folder)
