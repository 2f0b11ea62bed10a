"""One finished report shared by the tests that only read it, and folders for the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from analyses import build

from detector.analysis import Analysis
from reports import write_report


@dataclass(frozen=True)
class Written:
    """An analysis and the folder its report was written to."""

    analysis: Analysis
    folder: Path

    @property
    def html(self) -> str:
        return (self.folder / "report.html").read_text("utf-8")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Two persons, three segments of three peaks each, written once."""
    folder = tmp_path_factory.mktemp("report")
    analysis = build(folder)
    write_report(analysis, folder)
    return Written(analysis, folder)
