"""Classes of style sheets and of markup belong together: no rule without an element, no page without its
rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from detector.files import ROOT

TEMPLATES, SHEETS = ROOT / "templates", ROOT / "static" / "css"
_NAME = re.compile(r"-?[a-z][\w-]*")
_ATTRIBUTE = re.compile(r'class="((?:[^"{}]|\{\{.*?\}\}|\{%.*?%\})*)"')
_BLOCK = re.compile(r"\{% block layout %\}(.*?)\{% endblock %\}")
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
_NEEDED = re.compile(r'\{%-?\s*(?:include|import|from)\s+"([^"]+)"')
# Of a script: class: …, className = …, classList.add(…), and what is quoted in that.
_SCRIPTED = re.compile(r"class(?:Name|List\.\w+)?(?:: | = |\()([^,;)]*)")
_QUOTED = re.compile(r'"[^"]*"|`[^`]*`')
# Drawn by the library that makes QR codes, and icons, whose files have it.
FROM_ELSEWHERE = {"qr", "icon"}


def selected(sheet: Path) -> set[str]:
    """Classes that a sheet has rules for."""
    bare = re.sub(r"/\*.*?\*/", "", sheet.read_text("utf-8"), flags=re.S)
    selectors = " ".join(re.findall(r"([^{};]+)\{", bare))
    return set(re.findall(r"\.(-?[A-Za-z_][\w-]*)", re.sub(r"@[^.]*", "", selectors)))


def named(text: str) -> set[str]:
    """Classes that a template gives; those put together of a beginning and a value end in a hyphen."""
    classes: set[str] = set()
    for value in [*_ATTRIBUTE.findall(text), *_BLOCK.findall(text)]:
        classes |= set(re.findall(r"""['"]([\w-]+)['"]""", " ".join(_JINJA.findall(value))))
        classes |= set(_NAME.findall(_JINJA.sub(" ", value)))
        classes |= {f"{begun}-" for begun in re.findall(r"([\w-]+)-\{\{", value)}
    return classes


def scripted(text: str) -> set[str]:
    values = " ".join(_QUOTED.findall(" ".join(_SCRIPTED.findall(text))))
    return set(_NAME.findall(values)) | set(re.findall(r"([\w-]+-)\$\{", values))


def is_among(name: str, known: Iterable[str]) -> bool:
    return any(name == pattern or (pattern.endswith("-") and name.startswith(pattern)) for pattern in known)


def test_every_class_with_a_rule_stands_in_markup_or_in_a_script() -> None:
    known = set(FROM_ELSEWHERE)
    for template in TEMPLATES.rglob("*.html"):
        known |= named(template.read_text("utf-8"))
    for script in (ROOT / "static" / "js").rglob("*.js"):
        known |= scripted(script.read_text("utf-8"))
    sheets = [*SHEETS.glob("*.css"), *TEMPLATES.rglob("*.css")]
    dead = {sheet.name: {name for name in selected(sheet) if not is_among(name, known)} for sheet in sheets}
    assert {name: classes for name, classes in dead.items() if classes} == {}


def parts(template: str) -> set[str]:
    """A template and those it takes pieces from, but for the one that has pieces for all pages."""
    templates = {template}
    for needed in _NEEDED.findall((TEMPLATES / template).read_text("utf-8")):
        if needed != "_parts.html":
            templates |= parts(needed)
    return templates


PAGES = sorted(
    path.relative_to(TEMPLATES).as_posix()
    for path in TEMPLATES.rglob("*.html")
    if '{% extends "base.html" %}' in path.read_text("utf-8")
)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_the_sheets_its_classes_have_rules_in(page: str) -> None:
    text = (TEMPLATES / page).read_text("utf-8")
    loaded = {"base.css", *re.findall(r"asset\('css/([\w]+\.css)'\)", text)}
    rules = {sheet.name: selected(sheet) for sheet in SHEETS.glob("*.css")}
    styled, here = set().union(*rules.values()), set().union(*(rules[name] for name in loaded))
    used = set().union(*(named((TEMPLATES / part).read_text("utf-8")) for part in parts(page)))
    assert used & styled - here == set()
    idle = {name for name in loaded - {"base.css"} if not used & (rules[name] - rules["base.css"])}
    assert idle == set(), "sheets without a use on this page"


def test_every_class_of_markup_has_a_rule_or_is_looked_up() -> None:
    sheets = [*SHEETS.glob("*.css"), *TEMPLATES.rglob("*.css"), TEMPLATES / "evaluation" / "base.html"]
    ruled = set().union(*(selected(sheet) for sheet in sheets))
    places = [*(ROOT / "static" / "js").rglob("*.js"), *(ROOT / "tests").rglob("*.py")]
    looked_up = set(_NAME.findall(" ".join(path.read_text("utf-8") for path in places)))
    idle = {
        f"{template.relative_to(TEMPLATES)}: {name}"
        for template in TEMPLATES.rglob("*.html")
        for name in named(template.read_text("utf-8")) - ruled - looked_up
        if not name.endswith("-")
    }
    assert idle == set()
