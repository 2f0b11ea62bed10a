"""The report as a tagged PDF, set by WeasyPrint from the same templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weasyprint import HTML
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from reports.errors import ReportError
from reports.html import fill_template
from reports.pictures import Picture
from reports.seal import PLACEHOLDER, sealed
from reports.view import ReportView

SCHEME = "picture:"


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


def render_pdf(view: ReportView, pictures: Mapping[str, bytes], analysis_sha256: str) -> bytes:
    """The PDF's bytes, equal for equal input and fonts; ``pictures`` as for ``render_html``.

    Tagged after PDF/UA-1, with bookmarks. Raises :class:`ReportError` when the markup asks
    for anything but the pictures given.
    """
    # Numbered addresses: a path from an analysis.json never becomes part of a URL.
    address = {path: f"{SCHEME}{index}" for index, path in enumerate(pictures)}

    def source(picture: Picture) -> str:
        return address[picture.path or ""]

    markup = fill_template(view, "print", source, analysis_sha256)
    fetcher = SuppliedOnly({address[path]: data for path, data in pictures.items()})
    options: dict[str, Any] = {"pdf_variant": "pdf/ua-1", "pdf_identifier": PLACEHOLDER}
    try:
        return sealed(bytes(HTML(string=markup, url_fetcher=fetcher).write_pdf(**options)))
    except RefusedAddress as error:
        raise ReportError(f"{error} Its template must only show pictures of the analysis.") from error
