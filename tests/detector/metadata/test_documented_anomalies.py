"""docs/exhibit.md lists the same kinds of anomalies as the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from detector import recordings
from detector.files import ROOT
from detector.metadata import anomalies, unreadable, video_anomalies


def find_kinds() -> set[str]:
    """Return all kinds that the modules pass to ``Anomaly``, and those of programs."""
    kinds = {kind for _, kind, *_ in anomalies._USES}
    for module in (anomalies, recordings, unreadable, video_anomalies):
        assert module.__file__
        arguments = [
            keyword.value
            for call in ast.walk(ast.parse(Path(module.__file__).read_text("utf-8")))
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "Anomaly"
            for keyword in call.keywords
            if keyword.arg == "kind" and ast.unparse(keyword.value) != "kind"
        ]
        kinds |= {eval(ast.unparse(argument), vars(module)) for argument in arguments}
    return kinds


def test_documented_kinds() -> None:
    text = (ROOT / "docs" / "exhibit.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| kind \| rule \|\n.*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    documented = {kind.strip() for row in rows for kind in re.split("[,;]", row)}
    assert len(find_kinds()) > 20 and find_kinds() == documented
