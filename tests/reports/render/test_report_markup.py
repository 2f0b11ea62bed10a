"""The report's markup is read as XML, with a sheet of its own; WeasyPrint's own means give the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import pytest
from test_pdf_conformance import EVERYTHING, PHOTO, made, made_before
from weasyprint import CSS, HTML

from detector.files import FILES
from reports.render.pdf import Markup, SuppliedOnly

TEMPLATES = FILES / "templates"
USED = [
    *TEMPLATES.glob("report/*.html"),
    *TEMPLATES.glob("validation/*.html"),
    *TEMPLATES.glob("macros/*.html"),
]
INLINE = {"a", "bdi", "br", "img", "span", "svg"}
NO_BOXES = {"title", "desc", "meta", "style", "head", "button"}  # button: pages only
DRAWN = {"g", "path", "text", "rect", "circle", "ellipse", "line", "pattern", "polygon", "image", "defs"}


class Theirs(Markup):
    """Read and styled as WeasyPrint does."""

    def __init__(self, markup: str, fetcher: SuppliedOnly) -> None:
        HTML.__init__(self, string=markup, url_fetcher=fetcher)

    def _ua_stylesheets(self, forms: bool = False) -> list[CSS]:
        return HTML._ua_stylesheets(self, forms)


@pytest.mark.parametrize(("name", "choices"), [("everything", EVERYTHING), ("photo", PHOTO)])
def test_sets_the_same_bytes_as_weasyprint_s_parser_and_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, choices: dict[str, Any]
) -> None:
    reference = made_before(name, choices)[0]
    monkeypatch.setattr("reports.render.pdf.Markup", Theirs)
    assert reference == made(tmp_path, **choices)[0]


def test_templates_are_well_formed_and_their_elements_known() -> None:
    """Branches that no test sets are too."""
    known = set(re.findall(r"[a-z][a-z0-9]*(?=[ ,:{])", (TEMPLATES / "report" / "elements.css").read_text()))
    for path in USED:
        text = re.sub(r"\{#.*?#\}", "", path.read_text("utf-8"), flags=re.DOTALL)
        assert not re.search(r"&(?!(amp|lt|gt|quot|apos|#\d+);)\w+;", text), path
        plain = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.DOTALL)
        for tag in re.findall(r"<(?:br|img|meta|hr|col|wbr|input|link)\b[^>]*>", plain):
            assert tag.endswith("/>"), (path, tag)
        assert not re.findall(r"<!doctype", plain), path
        assert set(re.findall(r"<([a-zA-Z][a-zA-Z0-9]*)", plain)) <= known | INLINE | NO_BOXES | DRAWN, path


def test_characters_that_xml_cannot_hold_become_escapes() -> None:
    document = Markup("<html><body><p>a\x07b\x00\udcff\ufffec&amp;\x85</p></body></html>", SuppliedOnly({}))
    (paragraph,) = document.etree_element.iter("p")
    assert paragraph.text == r"a\x07b\x00\udcff\ufffec&" + "\x85"


def test_markup_that_is_not_well_formed_is_refused() -> None:
    with pytest.raises(ParseError):
        Markup("<html><body><p>a<br></p></body></html>", SuppliedOnly({}))
