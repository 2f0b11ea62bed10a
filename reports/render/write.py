"""From one analysis to the folder that is handed on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from detector.files import write_atomically
from detector.schema.analysis import Analysis
from reports.bundle.manifest import FILES, SIGNATURE, file_entries, manifest_files, new_manifest
from reports.custody.format import NAME as CUSTODY
from reports.inputs.case import NAME as CASE
from reports.inputs.case import CaseDetails, read_case
from reports.inputs.comparisons import KeptComparison, kept_comparisons
from reports.inputs.exhibit_check import ExhibitCheck
from reports.inputs.laboratory import NAME as LABORATORY
from reports.inputs.laboratory import kept_laboratory, parse_laboratory
from reports.inputs.pictures import embed
from reports.render.attachments import Attachment, attachments
from reports.render.html import render_html
from reports.render.pdf import render_pdf
from reports.review.annotations import Annotation
from reports.review.second_review import NAME as SECOND_REVIEW
from reports.review.second_review import kept_review, review_of
from reports.text.languages import DEFAULT
from reports.view.report import ReportView, report_view


def write_report(
    analysis: Analysis,
    folder: Path,
    case: CaseDetails | None = None,
    custody: bytes | None = None,
    check: ExhibitCheck | None = None,
    laboratory: bytes | None = None,
    speak: str = DEFAULT,
) -> None:
    """Write ``analysis.json``, ``case.json``, the report and ``manifest.json`` into ``folder``.

    ``folder`` holds the pictures the analysis names. ``custody`` is the text of a
    ``custody.json``, which is kept there as well; ``check`` is what hashing the exhibit again,
    just now, has shown; ``laboratory`` is the text of a ``laboratory.json``, kept there too;
    ``speak`` is the language of the report. Each
    file appears whole or not at all, the manifest last. Raises :class:`~reports.errors.ReportError` when a
    picture lies outside the folder or cannot be read, before anything is written.
    """
    write_files(
        analysis, analysis.to_json().encode(), folder, folder, case, custody, check, laboratory, speak
    )


def write_files(
    analysis: Analysis,
    text: bytes,
    folder: Path,
    out: Path,
    case: CaseDetails | None = None,
    custody: bytes | None = None,
    check: ExhibitCheck | None = None,
    laboratory: bytes | None = None,
    speak: str = DEFAULT,
) -> None:
    """As :func:`write_report`, with ``text`` the exact bytes of analysis.json and results in ``out``.

    The pictures, and comparisons kept in ``folder``, are copied there, so that ``out`` is complete by itself.
    """
    case = (case or CaseDetails()).settled()
    compared = kept_comparisons(folder, analysis.media.sha256)
    laboratory = kept_laboratory(folder) if laboratory is None else laboratory
    own = parse_laboratory(laboratory) if laboratory is not None else None
    review = kept_review(folder)
    view = report_view(
        analysis,
        folder,
        case=case,
        custody=custody,
        check=check,
        comparisons=compared,
        laboratory=own,
        speak=speak,
        second_review=review_of(review, analysis.media.sha256),
    )
    enclosed = attachments(
        analysis,
        text,
        custody=custody,
        comparisons=compared,
        laboratory=laboratory,
        second_review=review,
    )
    page, document = _rendered(view, folder, enclosed, compared)
    out.mkdir(parents=True, exist_ok=True)
    if out.resolve() != folder.resolve():
        for path in (*view.kept, *view.beside):
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(out / path, (folder / path).read_bytes())
    beside_it = {"analysis.json": text, CASE: case.to_json().encode()}
    if custody is not None:
        beside_it[CUSTODY] = custody
    if laboratory is not None:
        beside_it[LABORATORY] = laboratory
    if review is not None:
        beside_it[SECOND_REVIEW] = review
    for name, data in (beside_it | {"report.html": page, "report.pdf": document}).items():
        write_atomically(out / name, data)
    listed = file_entries(out, {*FILES, *beside_it, *view.kept, *view.beside})
    stated = new_manifest(analysis, "result").model_copy(update={"files": listed})
    beside = manifest_files(stated, case=beside_it[CASE], custody=custody)
    if SIGNATURE not in beside:  # an earlier result's says nothing of this one
        (out / SIGNATURE).unlink(missing_ok=True)
    for name, data in reversed(beside.items()):
        write_atomically(out / name, data)


def write_reviewed(
    analysis: Analysis,
    text: bytes,
    folder: Path,
    out: Path,
    annotations: Iterable[Annotation],
    case: CaseDetails | None = None,
    custody: bytes | None = None,
    check: ExhibitCheck | None = None,
    comparisons: Sequence[KeptComparison] = (),
    laboratory: bytes | None = None,
    speak: str = DEFAULT,
    second_review: bytes | None = None,
) -> None:
    """Write ``report.html`` and ``report.pdf`` with what reviewers say into ``out``, and nothing else.

    The result in ``folder``, whose manifest covers its own reports, stays as it is. Case details
    and custody log are those kept there unless given. ``check`` is what hashing the exhibit again,
    just now, has shown. ``comparisons`` are those of the exhibit with references, ``laboratory`` is the text
    of a ``laboratory.json``, ``second_review`` that of a ``second-review.json``; both are kept there as well.
    ``speak`` is the language of the report.
    """
    said = list(annotations)
    case = read_case(folder) if case is None else case
    custody = kept_custody(folder) if custody is None else custody
    laboratory = kept_laboratory(folder) if laboratory is None else laboratory
    own = parse_laboratory(laboratory) if laboratory is not None else None
    second_review = kept_review(folder) if second_review is None else second_review
    reviewed = review_of(second_review, analysis.media.sha256)
    case = case.settled()
    view = report_view(analysis, folder, said, case, custody, check, comparisons, own, speak, reviewed)
    enclosed = attachments(analysis, text, said, custody, comparisons, laboratory, second_review)
    page, document = _rendered(view, folder, enclosed, comparisons)
    if laboratory is not None:
        write_atomically(out / LABORATORY, laboratory)
    if second_review is not None:
        write_atomically(out / SECOND_REVIEW, second_review)
    write_atomically(out / "report.html", page)
    write_atomically(out / "report.pdf", document)


def kept_custody(folder: Path) -> bytes | None:
    """The custody log kept in the folder of a result, if there is one."""
    path = folder / CUSTODY
    return path.read_bytes() if path.is_file() else None


def _rendered(
    view: ReportView,
    folder: Path,
    enclosed: Sequence[Attachment],
    comparisons: Sequence[KeptComparison],
) -> tuple[bytes, bytes]:
    """The report as HTML and as PDF."""
    root = comparisons[0].root if comparisons else None
    pictures = embed(folder, [picture.key for picture in view.pictures], root)
    return render_html(view, pictures, enclosed).encode(), render_pdf(view, pictures, enclosed)
