"""From one analysis to the folder that is handed on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from detector.analysis import Analysis
from reports.annotations import Annotation
from reports.files import write_atomically
from reports.html import render_html
from reports.manifest import FILES, SIGNATURE, about, listing, sealed
from reports.pdf import render_pdf
from reports.pictures import embed
from reports.view import ReportView, report_view


def write_report(analysis: Analysis, folder: Path) -> None:
    """Write ``analysis.json``, ``report.html``, ``report.pdf`` and the manifest into ``folder``.

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
    page, document = _rendered(view, text, folder)
    out.mkdir(parents=True, exist_ok=True)
    if out.resolve() != folder.resolve():
        for path in view.kept:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(out / path, (folder / path).read_bytes())
    write_atomically(out / "analysis.json", text)
    write_atomically(out / "report.html", page)
    write_atomically(out / "report.pdf", document)
    manifest = about(analysis, "result").model_copy(update={"files": listing(out, {*FILES, *view.kept})})
    beside = sealed(manifest)
    if SIGNATURE not in beside:  # an earlier result's says nothing of this one
        (out / SIGNATURE).unlink(missing_ok=True)
    for name, data in reversed(beside.items()):
        write_atomically(out / name, data)


def write_judged(
    analysis: Analysis, text: bytes, folder: Path, out: Path, annotations: Iterable[Annotation]
) -> None:
    """Write ``report.html`` and ``report.pdf`` with what reviewers say into ``out``, and nothing else.

    The result in ``folder``, whose manifest covers its own reports, stays as it is.
    """
    page, document = _rendered(report_view(analysis, folder, annotations), text, folder)
    write_atomically(out / "report.html", page)
    write_atomically(out / "report.pdf", document)


def _rendered(view: ReportView, text: bytes, folder: Path) -> tuple[bytes, bytes]:
    """The report as HTML and as PDF."""
    pictures = embed(folder, [picture.path for picture in view.pictures if picture.path])
    digest = hashlib.sha256(text).hexdigest()
    return render_html(view, pictures, digest).encode(), render_pdf(view, pictures, digest)
