"""A report's markup as WeasyPrint takes it: read as XML, and with a sheet of its own for what elements are.

Reports are well-formed markup of known elements. The rules by which browsers mend HTML take a tenth of a
second to apply, and WeasyPrint's sheet makes ten thousand styles of notes and markers that no report has.
"""

from __future__ import annotations

import re
from functools import cache
from xml.etree import ElementTree

import weasyprint
from weasyprint import cssselect2
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


@cache
def _elements() -> weasyprint.CSS:
    return weasyprint.CSS(string=_ELEMENTS.read_text("utf-8"))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
