"""Fixtures of tests of reports and their commands."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from analyses import Written, build
from run_cache import made_once
from unconfined import Unconfined

from reports import write_report


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Two persons, three segments of three peaks each, written once."""

    def make(folder: Path) -> None:
        place = folder / "report"
        place.mkdir()
        analysis = build(place)
        write_report(analysis, place)
        (folder / "analysis.pickle").write_bytes(pickle.dumps(analysis))

    folder = made_once(tmp_path_factory, "report", make)
    return Written(pickle.loads((folder / "analysis.pickle").read_bytes()), folder / "report")


@pytest.fixture
def unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is verified is read in this process: making a confined one takes longer than the checks."""
    monkeypatch.setattr("verification.verify.Sandbox", Unconfined)
