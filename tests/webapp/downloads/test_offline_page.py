"""The page of a bundle: one file that fetches nothing and runs its own script only."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from analyses import build
from flask import Flask

from detector.files import ROOT
from language import translation
from webapp.downloads import bundles, desk_data
from webapp.exhibits.results import load_result

SCRIPTS = ROOT / "static" / "js"


@pytest.fixture
def page(app: Flask, tmp_path: Path) -> str:
    return made(app, tmp_path / "result")


def made(app: Flask, folder: Path) -> str:
    folder.mkdir()
    analysis = build(folder, segments=2, file="</script><script>alert(1)</script>.mp4")
    (folder / "analysis.json").write_text(analysis.to_json())
    result = load_result(folder)
    data = desk_data.desk_document("a" * 32, result)
    with app.test_request_context():
        return bundles.render_offline_page(result.view, data, [], {"report.pdf": "PDF report"})


def hashed(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_policy_names_the_one_script_and_the_one_style(page: str) -> None:
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1])  # type: ignore[index]
    scripts = re.findall(r"<script(?![^>]*application/json)[^>]*>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style[^>]*>(.*?)</style>", page, re.DOTALL)
    assert len(scripts) == len(styles) == 1
    assert f"script-src '{hashed(scripts[0])}'" in policy and f"style-src '{hashed(styles[0])}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert not re.search(
        r"\son[a-z]+=|\sstyle=", re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    )


def test_file_names_cannot_break_out_of_the_data(page: str) -> None:
    assert "<script>alert(1)" not in page
    assert page.count("<script") == page.count("</script>") == 3


def test_the_page_contains_the_messages_of_its_language(app: Flask, page: str, tmp_path: Path) -> None:
    with translation.speaking("de"):
        german = made(app, tmp_path / "German")
    assert 'id="messages"' not in page
    brought = re.search(r'<script type="application/json" id="messages">(.*?)</script>', german, re.DOTALL)
    assert brought and json.loads(brought[1])["messages"]["Unsure"] == "Unsicher"
    assert '<html lang="de"' in german
    data = json.loads(re.search(r'id="review-data">(.*?)</script>', german, re.DOTALL)[1])  # type: ignore[index]
    assert data["segments"][0]["strength"].endswith("Anzeichen einer Manipulation"), (
        "the desk's data speak it too"
    )


def test_the_page_fetches_nothing_from_elsewhere(page: str) -> None:
    addresses = re.findall(r"""(?:src|href)=["']([^"'#]+)""", page)
    assert "report.pdf" in addresses
    assert [a for a in addresses if a.startswith(("http", "//", "/"))] == []


def test_modules_are_included_once_without_duplicate_names() -> None:
    code = bundles.combine_scripts()
    assert not re.search(r"^(import|export) ", code, re.MULTILINE)
    declared = re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", code, re.MULTILINE) + re.findall(
        r"^const \{ ([^}]+) \} =", code, re.MULTILINE
    )
    assert [name for name, count in Counter(declared).items() if count > 1] == []
    needed = {
        "dom.js",
        "formats.js",
        "review/data.js",
        "review/player.js",
        "review/timeline.js",
        "review/timeline_drawing.js",
        "review/controls.js",
        "review/main.js",
        "review/store.js",
    }
    for name in needed:
        first = re.search(
            r"^export (?:async )?(?:function|class|const) (\w+)", (SCRIPTS / name).read_text(), re.M
        )
        assert first and re.search(
            rf"^(?:async )?(?:function|class|const) {first[1]}\b", code, re.MULTILINE
        ), name


def test_imports_can_be_combined() -> None:
    for path in [*SCRIPTS.glob("*.js"), *SCRIPTS.glob("review/*.js")]:
        for line in path.read_text().splitlines():
            if line.startswith("import"):
                known = re.fullmatch(r'import \{ [\w, ]+ \} from "\.\.?/[a-z_]+\.js";', line)
                assert known, (path, line)
            assert " as " not in line or not line.startswith(("import", "export")), (path, line)
