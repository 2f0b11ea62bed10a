"""A report's markup as WeasyPrint takes it: read as XML, and with a sheet of its own for what elements are.

Reports are well-formed markup of known elements. The rules by which browsers mend HTML take a tenth of a
second to apply, and WeasyPrint's sheet makes ten thousand styles of notes and markers that no report has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any
from xml.etree import ElementTree

import weasyprint
from weasyprint import cssselect2
from weasyprint.formatting_structure.boxes import TextBox
from weasyprint.text.line_break import split_first_line
from weasyprint.urls import URLFetcher

from reports.render.html import TEMPLATES

# What XML cannot hold, escaped or not: control characters, halves of surrogate pairs, two non-characters.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ELEMENTS = TEMPLATES / "report" / "elements.css"


class Markup(weasyprint.HTML):
    """A document of well-formed ``markup`` without named characters, whose pictures ``fetcher`` gives.

    Characters that XML cannot hold become escapes such as ``\\x07``. Raises ``ParseError`` of ElementTree
    where the markup is not well-formed.
    """

    def __init__(self, markup: str, fetcher: URLFetcher) -> None:
        # In place of that of HTML, which would read the markup with the rules of browsers.
        self.base_url = None
        self.url_fetcher = fetcher
        self.media_type = "print"
        root = ElementTree.fromstring(_FORBIDDEN.sub(_escaped, markup))
        self.wrapper_element = cssselect2.ElementWrapper.from_html_root(root, content_language=None)
        self.etree_element = self.wrapper_element.etree_element

    def _ua_stylesheets(self, forms: bool = False) -> list[weasyprint.CSS]:
        return [_elements()]

    def render(self, *given: Any, **options: Any) -> weasyprint.Document:
        """The document laid out, with page numbers where elements ask for that of ``data-page-of``."""
        document = super().render(*given, **options)
        _number(document.pages)
        return document


def _number(pages: Sequence[weasyprint.Page]) -> None:
    """Put page numbers in the place of the two digits that hold it, and keep them at its end.

    CSS would count for itself (``target-counter``), and lay out each page with such a number twice more.
    """
    page_of: dict[str, int] = {}
    for number, page in enumerate(pages, 1):
        for anchor in page.anchors:
            page_of.setdefault(anchor, number)
    for page in pages:
        for box in page._page_box.descendants():
            if not isinstance(box, TextBox) or box.element is None:  # None: in the margins
                continue
            if target := box.element.get("data-page-of"):
                text = str(page_of[target])
                layout, _, _, width, _, _ = split_first_line(text, box.style, None, None, 0)
                if box.style["direction"] == "ltr":
                    box.position_x += box.width - width
                box.text, box.pango_layout, box.width = text, layout, width


@cache
def _elements() -> weasyprint.CSS:
    return weasyprint.CSS(string=_ELEMENTS.read_text("utf-8"))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
