"""Training is a distribution of its own, which the product and its tests do without."""

from __future__ import annotations

import ast
import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

from detector.files import ROOT


def test_the_wheel_has_every_module_and_recipe_and_no_test(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT / "training")).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as files:
        names = {name for name in files.namelist() if ".dist-info/" not in name}
        (metadata,) = (name for name in files.namelist() if name.endswith("/METADATA"))
        assert "Requires-Dist: reelproof[training]" in files.read(metadata).decode()
    sources = [*(ROOT / "training").rglob("*.py"), *(ROOT / "training" / "recipes").glob("*.toml")]
    expected = {path.relative_to(ROOT).as_posix() for path in sources}
    assert names == {name for name in expected if not name.startswith("training/tests/")}


def test_no_test_of_the_product_imports_training() -> None:
    importing = []
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            importing += [path.name for name in names if name.partition(".")[0] == "training"]
    assert importing == []
