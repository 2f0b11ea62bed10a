"""docs/exhibit.md names each kind of anomaly as results do."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re

from detector.files import ROOT
from detector.metadata import anomalies
from detector.metadata.anomalies import _USES


def kinds() -> set[str]:
    """All that modules of the package give to ``Anomaly`` as its kind."""
    found = {kind for _, kind, *_ in _USES}
    for name in (each.name for each in pkgutil.iter_modules(anomalies.__path__)):
        module = importlib.import_module(f"{anomalies.__name__}.{name}")
        source = (ROOT / "detector" / "metadata" / "anomalies" / f"{name}.py").read_text("utf-8")
        given = [
            each.value
            for call in ast.walk(ast.parse(source))
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "Anomaly"
            for each in call.keywords
            if each.arg == "kind"
        ]
        own = [
            ast.unparse(each) for each in given if ast.unparse(each) != "kind"
        ]  # that of a use of programs
        found |= {eval(words, vars(module)) for words in own}
    return found


def test_each_kind_is_defined() -> None:
    text = (ROOT / "docs" / "exhibit.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| kind \| rule \|\n.*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    told = {kind.strip() for row in rows for kind in re.split("[,;]", row)}
    assert len(kinds()) > 20 and kinds() == told
