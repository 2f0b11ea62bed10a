"""Lines of ``score``: those of whole files have the fields of those of crops, and docs/cli.md names them."""

from __future__ import annotations

import re
from pathlib import Path

from analyses import build
from batch_files import KEYS

from detector.batch.results_file import verdict_fields
from detector.files import ROOT
from detector.schema.summary import summarise


def test_lines_of_files_and_of_crops_have_the_documented_fields(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)
    of_files = [*verdict_fields(analysis), "reason", *summarise(analysis)]
    assert ["file", *of_files, "seconds"] == list(KEYS)
    (line,) = re.findall(
        r"^`score` prints one line per file.*$", (ROOT / "docs" / "cli.md").read_text("utf-8"), re.M
    )
    assert [name for name in of_files if f"`{name}`" not in line] == []
