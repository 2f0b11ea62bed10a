"""The report as PDF, rendered by WeasyPrint from the templates of the page."""

from __future__ import annotations

import re
import unicodedata
import warnings
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from xml.etree import ElementTree

import pydyf
import weasyprint
from weasyprint import cssselect2
from weasyprint.formatting_structure.boxes import TextBox
from weasyprint.text.line_break import split_first_line
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from detector import timestamps
from detector.process.resources import gc_paused
from language import translation
from language.translation import capitalize_first
from reports.errors import ReportError
from reports.inputs.pictures import ShownPicture
from reports.render.attachments import Attachment
from reports.render.html import TEMPLATES, document_date, fill_template
from reports.render.pdf_conformance import PLACEHOLDER, finish, with_digest
from reports.report_view import ReportView
from reports.wording.lengths import DETAILS, MOST_PAGES, SUMMARY

# What XML cannot hold, escaped or not: control characters, halves of surrogate pairs, two non-characters.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ELEMENTS = TEMPLATES / "report" / "elements.css"


class Markup(weasyprint.HTML):
    r"""A document of well-formed ``markup`` without named characters, whose pictures ``fetcher`` supplies.

    Characters that XML cannot hold become escapes such as ``\x07``. Raise ``ParseError`` of ElementTree if
    the markup is not well-formed.
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
        """Lay out the document, with page numbers in elements that have ``data-page-of``."""
        document = super().render(*given, **options)
        _numbered(document.pages)
        return document


def _numbered(pages: Sequence[weasyprint.Page]) -> None:
    """Replace the two digits that reserve the place of a page number.

    CSS could count itself (``target-counter``), but would lay out each such page twice more.
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


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


_PICTURES = frozenset({"So", "Sk"})  # categories of Unicode: emoji and other symbols, skin tones

Finisher = Callable[[Any, Any], None]
"""Is given WeasyPrint's document and the PDF before it is written."""


class _TooLong(Exception):
    """The document has more pages than allowed."""


class _Unprintable(Exception):
    """No installed font has a glyph for these characters."""

    def __init__(self, codes: Collection[int]) -> None:
        self.codes = codes


def with_every_letter(markup: str, write: Callable[[str, Finisher], bytes]) -> bytes:
    """Return the PDF that ``write`` makes of ``markup``, with words in place of unprintable characters.

    ``write`` calls the given finisher before it writes.
    """
    try:
        return write(markup, _refuse_boxes)
    except _Unprintable as problem:
        return write(
            markup.translate({code: character_in_words(chr(code)) for code in problem.codes}), _refuse_boxes
        )


def character_in_words(character: str) -> str:
    r"""Return an emoji or symbol by its Unicode name, as ``[clapper board]``; a letter as ``\u6620``."""
    if unicodedata.category(character) in _PICTURES and (name := unicodedata.name(character, "")):
        return f"[{name.lower()}]"
    return character.encode("unicode_escape").decode()


def _refuse_boxes(document: Any, _: Any) -> None:
    missing = {code for font in document.fonts.values() for code in font.missing}
    if missing:
        raise _Unprintable(missing)


SCHEME = "picture:"
_LEVEL = 6  # of zlib; 9 takes three times as long for a hundredth of the size
_UNDATED = datetime(1980, 1, 1, tzinfo=UTC)


class RefusedAddress(FatalURLFetchingError):
    """The document requested an address that the report did not supply."""


class SuppliedOnly(URLFetcher):
    """A fetcher that knows only the report's own pictures: no file, no network.

    It raises because WeasyPrint would log any lesser error and leave a hole in the page.
    """

    def __init__(self, supplied: Mapping[str, bytes]) -> None:
        super().__init__(allowed_protocols=())
        self._supplied = supplied

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> URLFetcherResponse:
        """Return the picture at ``url``; raise :class:`RefusedAddress` for every other address."""
        if url not in self._supplied:
            raise RefusedAddress(f"The report does not supply {url[:200]!r}.")
        return URLFetcherResponse(url, self._supplied[url], {"Content-Type": "image/jpeg"})


def render_pdf(view: ReportView, pictures: Mapping[str, bytes], enclosed: Sequence[Attachment] = ()) -> bytes:
    """Return the PDF's bytes, equal for equal input and fonts; ``pictures`` as for ``render_html``.

    It follows PDF/A-3a and PDF/UA-1, with bookmarks and ``enclosed`` attached. Characters without an
    installed font are put into words. A summary that would be longer than two pages leaves out details.
    Raise :class:`ReportError` if the markup requests any other address.
    """
    # Numbered addresses: a path from an analysis.json never becomes part of a URL.
    address = {key: f"{SCHEME}{index}" for index, key in enumerate(pictures)}

    def source(picture: ShownPicture) -> str:
        return address[picture.key]

    supplied = {address[key]: data for key, data in pictures.items()}
    date, places = document_date(view.annotations.until_iso or view.head.created_iso), _places(view)
    details = DETAILS if view.length == SUMMARY else DETAILS[:1]
    for detail in details[:-1]:
        markup = fill_template(view, "print", source, enclosed, detail)
        try:
            return render_document(markup, supplied, enclosed, date, places, most_pages=MOST_PAGES)
        except _TooLong:
            continue
    markup = fill_template(view, "print", source, enclosed, details[-1])
    return render_document(markup, supplied, enclosed, date, places)


def render_document(
    markup: str,
    supplied: Mapping[str, bytes],
    enclosed: Sequence[Attachment],
    date: str,
    places: Mapping[str, str],
    *,
    most_pages: int | None = None,
) -> bytes:
    """Render a report's markup as PDF; raises like :func:`render_pdf`.

    ``supplied`` are the pictures it may request by address, ``date`` is that of ``enclosed``, ``places``
    names the targets of its links. Raise :class:`_TooLong` if it has more than ``most_pages``.
    """
    fetcher = SuppliedOnly(supplied)

    def write(markup: str, refuse_boxes: Finisher) -> bytes:
        def check(document: Any, pdf: Any) -> None:
            if most_pages is not None and len(document.pages) > most_pages:
                raise _TooLong
            refuse_boxes(document, pdf)

        return _typeset(markup, fetcher, enclosed, date, places, check)

    try:
        return with_every_letter(markup, write)
    except RefusedAddress as error:
        raise ReportError(f"{error} Its template must only show pictures of the analysis.") from error


def _typeset(
    markup: str,
    fetcher: URLFetcher,
    enclosed: Sequence[Attachment],
    date: str,
    places: Mapping[str, str],
    check: Finisher,
) -> bytes:
    def finisher(document: Any, pdf: Any) -> None:
        check(document, pdf)
        finish(pdf, places)
        _write(pdf)

    options: dict[str, Any] = {
        "pdf_variant": "pdf/a-3a",
        "pdf_identifier": PLACEHOLDER,
        "attachments": _attachments(enclosed, date),
    }
    with warnings.catch_warnings(), gc_paused():
        # WeasyPrint leaves the file of its colour profile for the garbage collector to close.
        warnings.simplefilter("ignore", ResourceWarning)
        return with_digest(bytes(Markup(markup, fetcher).write_pdf(finisher=finisher, **options)))


class _Written(pydyf.Object):
    """An object as bytes; otherwise pydyf would format it when writing and again for the document's hash."""

    data = b""

    def __init__(self, pdf_object: pydyf.Object) -> None:
        super().__init__()
        self.number, self.generation = pdf_object.number, pdf_object.generation
        self.data = pdf_object.data


def _write(pdf: pydyf.PDF) -> None:
    """Format each object and compress each stream once; nothing can be changed afterwards."""
    for index, pdf_object in enumerate(pdf.objects):
        if pdf_object.free == "f":
            continue
        if isinstance(pdf_object, pydyf.Stream):
            _compress(pdf_object)
        else:
            pdf.objects[index] = _Written(pdf_object)
    add = pdf.add_object

    def add_compressed(pdf_object: pydyf.Object) -> None:
        """For the streams of objects and references, which come while it writes."""
        if isinstance(pdf_object, pydyf.Stream):
            _compress(pdf_object)
        add(pdf_object)

    pdf.add_object = add_compressed


def _compress(stream: pydyf.Stream) -> None:
    if stream.compress:
        (text,) = pydyf.Stream(stream.stream).data.split(b"stream\n", 1)[1:]
        stream.stream = [zlib.compress(text[: -len(b"\nendstream")], _LEVEL)]
        stream.extra["Filter"] = "/FlateDecode"
        stream.compress = False


def _attachments(enclosed: Sequence[Attachment], date: str) -> list[weasyprint.Attachment]:
    """Return the attachments with their date; WeasyPrint would use the current time."""
    moment = timestamps.parse(date) if date else _UNDATED
    return [
        weasyprint.Attachment(
            string=attachment.data,
            name=attachment.name,
            description=capitalize_first(attachment.holds),
            created=moment,
            modified=moment,
            relationship=attachment.relationship,
        )
        for attachment in enclosed
    ]


def _places(view: ReportView) -> dict[str, str]:
    """Name the targets of links."""
    with translation.speaking(view.language):
        places = {
            section.key: translation.gettext("Section %(heading)s", heading=section.heading)
            for section in view.sections.values()
        }
    return places | {f"segment-{segment.id}": segment.title for segment in view.segments}
