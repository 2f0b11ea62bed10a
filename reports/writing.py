"""From one analysis to the folder that is handed on."""

from __future__ import annotations

import hashlib
from pathlib import Path

from detector.analysis import Analysis
from reports.files import write_atomically
from reports.html import render_html
from reports.manifest import NAME, manifest_json
from reports.pdf import render_pdf
from reports.pictures import embed
from reports.view import report_view


def write_report(analysis: Analysis, folder: Path) -> None:
    """Write ``analysis.json``, ``report.html``, ``report.pdf`` and ``manifest.json`` into ``folder``.

    ``folder`` holds the pictures the analysis names. Each file appears whole or not at all,
    the manifest last. Raises :class:`~reports.errors.ReportError` when a picture lies outside
    the folder or cannot be read, before anything is written.
    """
    write_files(analysis, analysis.to_json().encode(), folder, folder)


def write_files(analysis: Analysis, text: bytes, folder: Path, out: Path) -> None:
    """As :func:`write_report`, with ``text`` the exact bytes of analysis.json and results in ``out``.

    The pictures are copied there, so that ``out`` is complete by itself.
    """
    view = report_view(analysis, folder)
    pictures = embed(folder, [picture.path for picture in view.pictures if picture.path])
    digest = hashlib.sha256(text).hexdigest()
    page = render_html(view, pictures, digest).encode()
    document = render_pdf(view, pictures, digest)
    out.mkdir(parents=True, exist_ok=True)
    if out.resolve() != folder.resolve():
        for path in view.kept:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(out / path, (folder / path).read_bytes())
    write_atomically(out / "analysis.json", text)
    write_atomically(out / "report.html", page)
    write_atomically(out / "report.pdf", document)
    write_atomically(out / NAME, manifest_json(analysis, out, view.kept))
