"""Write an analysis and its reports into a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from detector.files import write_atomically
from detector.schema.analysis import Analysis
from language.languages import DEFAULT
from reports.bundle.manifest import file_entries, listed_in, manifest_files, new_manifest
from reports.comparison.kept import KeptComparison, kept_comparisons
from reports.file_names import (
    ANALYSIS,
    CASE,
    CUSTODY,
    LABORATORY,
    MANIFEST_SIGNATURE,
    REPORT_HTML,
    REPORT_PDF,
    SECOND_REVIEW,
)
from reports.inputs.case import CaseDetails, read_case
from reports.inputs.input_files import ExhibitCheck
from reports.inputs.pictures import embed
from reports.render.attachments import Attachment, attachments
from reports.render.html import render_html
from reports.render.pdf import render_pdf
from reports.report_view import ReportInputs, ReportView, report_view
from reports.untrusted_input import kept
from reports.wording.lengths import FULL, Length


def write_report(
    analysis: Analysis,
    folder: Path,
    case: CaseDetails | None = None,
    check: ExhibitCheck | None = None,
    laboratory: bytes | None = None,
    language_code: str = DEFAULT,
    length: Length = FULL,
) -> None:
    """Write ``analysis.json``, ``case.json``, the report and ``manifest.json`` into ``folder``.

    ``folder`` holds the pictures that the analysis names. ``check`` is the result of hashing the exhibit
    again; ``laboratory`` is the text of a ``laboratory.json``, which is stored there too. Each file is
    written completely or not at all, the manifest last. Raise :class:`~reports.errors.ReportError` before
    anything is written if a picture lies outside the folder or cannot be read.
    """
    inputs = ReportInputs(
        case=case, check=check, laboratory=laboratory, language_code=language_code, length=length
    )
    write_files(analysis, analysis.to_json().encode(), folder, folder, inputs)


def write_files(analysis: Analysis, text: bytes, folder: Path, out: Path, inputs: ReportInputs) -> None:
    """Write a report like :func:`write_report`, from the exact bytes of analysis.json, into ``out``.

    Pictures and comparisons in ``folder`` are copied, so that ``out`` is complete. Files that only an earlier
    result had are removed; files that its manifest does not list stay. Laboratory and second review are those
    in ``folder`` unless given; comparisons are always those in ``folder``.
    """
    case = (inputs.case or CaseDetails()).with_time_zone()
    inputs = replace(
        _with_kept(inputs, folder),
        case=case,
        comparisons=kept_comparisons(folder, analysis.media.sha256),
    )
    view = report_view(analysis, folder, inputs)
    page, document = _rendered(view, folder, attachments(analysis, text, inputs), inputs.comparisons)
    out.mkdir(parents=True, exist_ok=True)
    earlier: tuple[str, ...] = ()
    if out.resolve() != folder.resolve():
        earlier = listed_in(out)
        _copy((*view.kept, *view.comparison_files), folder, out)
    beside_it = {ANALYSIS: text, CASE: case.to_json().encode(), **inputs.files()}
    _write_all(beside_it | {REPORT_HTML: page, REPORT_PDF: document}, out)
    entries = file_entries(
        out, {ANALYSIS, REPORT_HTML, REPORT_PDF, *beside_it, *view.kept, *view.comparison_files}
    )
    manifest_ = new_manifest(analysis, "result").model_copy(update={"files": entries})
    manifest = manifest_files(manifest_, case=beside_it[CASE], custody=inputs.custody)
    for name in set(earlier) - {entry.path for entry in entries}:
        (out / name).unlink(missing_ok=True)
    if MANIFEST_SIGNATURE not in manifest:  # an earlier result's says nothing of this one
        (out / MANIFEST_SIGNATURE).unlink(missing_ok=True)
    _write_all(dict(reversed(manifest.items())), out)


def write_reports_alone(
    analysis: Analysis, text: bytes, folder: Path, out: Path, inputs: ReportInputs
) -> None:
    """Write only ``report.html`` and ``report.pdf``, with the reviewers' annotations, into ``out``.

    ``text`` is the exact bytes of analysis.json. The result in ``folder``, whose manifest covers its own
    reports, stays unchanged. Case details, custody log, laboratory and second review are those in ``folder``
    unless given; the last two are written beside the reports.
    """
    case = read_case(folder) if inputs.case is None else inputs.case
    custody = kept(folder, CUSTODY) if inputs.custody is None else inputs.custody
    inputs = replace(_with_kept(inputs, folder), case=case.with_time_zone(), custody=custody)
    view = report_view(analysis, folder, inputs)
    page, document = _rendered(view, folder, attachments(analysis, text, inputs), inputs.comparisons)
    beside_it = {name: data for name, data in inputs.files().items() if name != CUSTODY}
    _write_all(beside_it | {REPORT_HTML: page, REPORT_PDF: document}, out)


def _rendered(
    view: ReportView,
    folder: Path,
    enclosed: Sequence[Attachment],
    comparisons: Sequence[KeptComparison],
) -> tuple[bytes, bytes]:
    """Render the report as HTML and as PDF."""
    root = comparisons[0].root if comparisons else None
    pictures = embed(folder, [picture.key for picture in view.pictures], root)
    return render_html(view, pictures, enclosed).encode(), render_pdf(view, pictures, enclosed)


def _with_kept(inputs: ReportInputs, folder: Path) -> ReportInputs:
    """Add the laboratory and the second review stored in the folder, if none is given."""
    return replace(
        inputs,
        laboratory=kept(folder, LABORATORY) if inputs.laboratory is None else inputs.laboratory,
        second_review=kept(folder, SECOND_REVIEW) if inputs.second_review is None else inputs.second_review,
    )


def _copy(paths: Iterable[str], folder: Path, out: Path) -> None:
    for path in paths:
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out / path, (folder / path).read_bytes())


def _write_all(files: Mapping[str, bytes], out: Path) -> None:
    """Write the files in the given order, each completely or not at all."""
    for name, data in files.items():
        write_atomically(out / name, data)
