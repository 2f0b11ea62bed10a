"""Order, numbers and titles of the report's sections."""

from __future__ import annotations

import importlib
import re

from detector.files import ROOT
from reports.wording.sections import contents

TEMPLATES = ROOT / "templates" / "report"


def listed() -> list[list[str]]:
    """Rows of the document's table: section, content, modules, templates."""
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    _, _, table = text.partition("| section | content | module | template |\n|---|---|---|---|\n")
    return [line.strip("| ").split(" | ") for line in table.partition("\n\n")[0].splitlines()]


def test_the_document_lists_all_sections_in_order() -> None:
    always = contents(False)
    every = contents(False, compared=True, reviewed=True, several=True, declared=True, heard=True)
    headings = [always[key].heading if key in always else section.title for key, section in every.items()]
    assert [row[0] for row in listed()] == ["head", *headings], "the table of sections in docs/report.md"


def test_modules_and_templates_of_sections_are_there() -> None:
    named = set()
    for _, _, modules, templates in listed():
        for module in re.findall(r"`([\w.]+)`", modules):
            importlib.import_module(module)
        for template in re.findall(r"`([\w./]+)`", templates):
            folder = TEMPLATES.parent if "/" in template else TEMPLATES
            assert (folder / template).is_file(), template
            named.add(template)
    unnamed = {path.name for path in TEMPLATES.glob("*.html")} - {"facts.html"} - named
    assert unnamed == set(), "name these in the table of sections in docs/report.md"


def test_no_text_names_a_section_by_a_number_of_its_own() -> None:
    """Numbers depend on which sections a report has; :func:`contents` knows them."""
    written = re.compile(r"(?i)\b(?:section|Abschnitt|sección) \d")
    files = [
        path
        for folder in ("reports", "language", "verification", "templates")
        for path in (ROOT / folder).rglob("*.*")
    ]
    texts = [path for path in files if path.suffix in (".py", ".html")]
    texts += (ROOT / "translations").rglob("*.po")
    assert [path.name for path in texts if written.search(path.read_text("utf-8"))] == []
