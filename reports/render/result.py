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

    ``folder`` holds the pictures the analysis names; the manifest lists them. Raises ``OSError`` where one of
    them cannot be read, :class:`~reports.errors.ReportError` where one lies outside the folder.
    """
    case = CaseDetails().with_time_zone()
    kept = report_view(analysis, folder, ReportInputs(case=case)).kept
    texts = {ANALYSIS: analysis.to_json().encode(), CASE: case.to_json().encode()}
    for name, data in texts.items():
        write_atomically(folder / name, data)
    listed = file_entries(folder, {*texts, *kept})
    stated = new_manifest(analysis, "result").model_copy(update={"files": listed})
    for name, data in reversed(manifest_files(stated, case=texts[CASE]).items()):
        write_atomically(folder / name, data)
