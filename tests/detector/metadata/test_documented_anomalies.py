"""docs/exhibit.md lists the same kinds of anomalies as the code."""

from __future__ import annotations

import re

from detector.files import ROOT
from detector.schema.causes.anomalies import AnomalyCode


def test_documented_kinds() -> None:
    text = (ROOT / "docs" / "exhibit.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| kind \| rule \|\n.*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    documented = {kind.strip() for row in rows for kind in re.split("[,;]", row)}
    assert {code.kind for code in AnomalyCode} == documented
