"""The report as a PDF for archives and for every reader, rendered by WeasyPrint from the same templates."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pydyf
import weasyprint
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from detector import timestamps
from detector.process.gc_pause import gc_paused
from reports.errors import ReportError
from reports.inputs.pictures import ShownPicture
from reports.render.attachments import Attachment
from reports.render.html import document_date, fill_template
from reports.render.markup import Markup
from reports.render.pdf_conformance import finish
from reports.render.pdf_digest import PLACEHOLDER, with_digest
from reports.render.unprintable import Finisher, with_every_letter
from reports.text.translation import language
from reports.text.translation.language import capitalize_first
from reports.view.report import ReportView

SCHEME = "picture:"
_LEVEL = 6  # of zlib; 9 takes three times as long for a hundredth of the size
_UNDATED = datetime(1980, 1, 1, tzinfo=UTC)


class RefusedAddress(FatalURLFetchingError):
    """Something in the document asked for an address the report did not supply."""


class SuppliedOnly(URLFetcher):
    """A fetcher that knows the report's own pictures and nothing else: no file, no network.

    It refuses loudly: WeasyPrint would log any lesser error and leave a hole in the page.
    """

    def __init__(self, supplied: Mapping[str, bytes]) -> None:
        super().__init__(allowed_protocols=())
        self._supplied = supplied

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> URLFetcherResponse:
        """The picture at ``url``; raises :class:`RefusedAddress` for every other address."""
        if url not in self._supplied:
            raise RefusedAddress(f"The report does not supply {url[:200]!r}.")
        return URLFetcherResponse(url, self._supplied[url], {"Content-Type": "image/jpeg"})


def render_pdf(view: ReportView, pictures: Mapping[str, bytes], enclosed: Sequence[Attachment] = ()) -> bytes:
    """The PDF's bytes, equal for equal input and fonts; ``pictures`` as for ``render_html``.

    Follows PDF/A-3a and PDF/UA-1, with bookmarks; ``enclosed`` are attached. Characters that no
    installed font can show stand in words (:mod:`reports.render.unprintable`). Raises
    :class:`ReportError` when the markup asks for anything but the pictures given.
    """
    # Numbered addresses: a path from an analysis.json never becomes part of a URL.
    address = {key: f"{SCHEME}{index}" for index, key in enumerate(pictures)}

    def source(picture: ShownPicture) -> str:
        return address[picture.key]

    markup = fill_template(view, "print", source, enclosed)
    supplied = {address[key]: data for key, data in pictures.items()}
    date = document_date(view.annotations.until_iso or view.head.created_iso)
    return render_document(markup, supplied, enclosed, date, _places(view))


def render_document(
    markup: str,
    supplied: Mapping[str, bytes],
    enclosed: Sequence[Attachment],
    date: str,
    places: Mapping[str, str],
) -> bytes:
    """A report's markup as PDF, as :func:`render_pdf` says.

    ``supplied`` are the pictures it may ask for by address, ``date`` is that of ``enclosed``, ``places`` says
    in words what its links lead to. Raises :class:`~reports.errors.ReportError` where the markup asks for
    another address.
    """
    fetcher = SuppliedOnly(supplied)

    def write(markup: str, refuse_boxes: Finisher) -> bytes:
        return _typeset(markup, fetcher, enclosed, date, places, refuse_boxes)

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
    refuse_boxes: Finisher,
) -> bytes:
    def finisher(document: Any, pdf: Any) -> None:
        refuse_boxes(document, pdf)
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
    """An object as bytes: pydyf would make them when it writes and again for the document's hash."""

    data = b""

    def __init__(self, each: pydyf.Object) -> None:
        super().__init__()
        self.number, self.generation = each.number, each.generation
        self.data = each.data


def _write(pdf: pydyf.PDF) -> None:
    """Turn each object into bytes, and compress each stream, once; nothing can be changed after it."""
    for index, each in enumerate(pdf.objects):
        if each.free == "f":
            continue
        if isinstance(each, pydyf.Stream):
            _compress(each)
        else:
            pdf.objects[index] = _Written(each)
    add = pdf.add_object

    def add_compressed(each: pydyf.Object) -> None:
        """For the streams of objects and references, which come while it writes."""
        if isinstance(each, pydyf.Stream):
            _compress(each)
        add(each)

    pdf.add_object = add_compressed


def _compress(stream: pydyf.Stream) -> None:
    if stream.compress:
        (text,) = pydyf.Stream(stream.stream).data.split(b"stream\n", 1)[1:]
        stream.stream = [zlib.compress(text[: -len(b"\nendstream")], _LEVEL)]
        stream.extra["Filter"] = "/FlateDecode"
        stream.compress = False


def _attachments(enclosed: Sequence[Attachment], date: str) -> list[weasyprint.Attachment]:
    """WeasyPrint dates files by the clock unless told otherwise."""
    moment = timestamps.parse(date) if date else _UNDATED
    return [
        weasyprint.Attachment(
            string=each.data,
            name=each.name,
            description=capitalize_first(each.holds),
            created=moment,
            modified=moment,
            relationship=each.relationship,
        )
        for each in enclosed
    ]


def _places(view: ReportView) -> dict[str, str]:
    """What links lead to, in words."""
    with language.speaking(view.language):
        places = {
            section.key: language.gettext("Section %(heading)s", heading=section.heading)
            for section in view.sections.values()
        }
    return places | {f"segment-{segment.id}": segment.title for segment in view.segments}
