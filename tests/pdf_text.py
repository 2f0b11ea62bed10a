"""What is written in a PDF, read by PDFium: pypdf takes seconds for a report."""

from __future__ import annotations

from pathlib import Path

import pypdfium2


def pdf_text(pdf: Path | bytes) -> str:
    """The text of all pages, one after the other."""
    with pypdfium2.PdfDocument(pdf) as document:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)
