"""The folder of a result without reports, as the web app keeps it."""

from __future__ import annotations

from pathlib import Path

from analyses import build

from reports import write_result
from verification.verify import verify


def test_a_result_folder_contains_findings_and_verifies(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=1, peaks=1)
    write_result(analysis, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"analysis.json", "case.json", "manifest.json", "manifest.sha256", "overlays"}
    assert (tmp_path / "analysis.json").read_text() == analysis.to_json()
    assert verify(tmp_path).results.problems == []
    picture = next((tmp_path / "overlays").iterdir())
    picture.write_bytes(picture.read_bytes() + b"more")
    assert [problem.file for problem in verify(tmp_path).results.problems] == [f"overlays/{picture.name}"]
