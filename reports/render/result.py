"""The folder of a result without reports: ``analysis.json``, pictures and manifest."""

from __future__ import annotations

from pathlib import Path

from detector.files import write_atomically
from detector.schema.analysis import Analysis
from reports.bundle.manifest import file_entries, manifest_files, new_manifest
from reports.file_names import ANALYSIS, CASE
from reports.inputs.case import CaseDetails
from reports.report_view import ReportInputs, report_view


def write_result(analysis: Analysis, folder: Path) -> None:
    """Write ``analysis.json``, ``case.json`` and ``manifest.json`` into ``folder``, the manifest last.

    ``folder`` holds the pictures that the analysis names; the manifest lists them. Raise ``OSError`` if one
    cannot be read, :class:`~reports.errors.ReportError` if one lies outside the folder.
    """
    case = CaseDetails().with_time_zone()
    pictures = report_view(analysis, folder, ReportInputs(case=case)).kept
    texts = {ANALYSIS: analysis.to_json().encode(), CASE: case.to_json().encode()}
    for name, data in texts.items():
        write_atomically(folder / name, data)
    entries = file_entries(folder, {*texts, *pictures})
    manifest_ = new_manifest(analysis, "result").model_copy(update={"files": entries})
    for name, data in reversed(manifest_files(manifest_, case=texts[CASE]).items()):
        write_atomically(folder / name, data)
