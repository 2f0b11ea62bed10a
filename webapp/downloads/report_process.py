"""Render a report in a process of its own: neither web process nor worker loads WeasyPrint."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detector import timestamps
from detector.files import is_disk_full
from detector.process.signals import end_with_named_parent
from detector.sandbox import AllowedPaths, Limits, capabilities, confine
from detector.schema.analysis import Analysis
from language.languages import DEFAULT
from reports.comparison.kept import read_comparisons
from reports.file_names import CUSTODY
from reports.inputs.case import case_details
from reports.inputs.input_files import ExhibitCheck
from reports.render.write import write_reports_alone
from reports.report_view import ReportInputs
from reports.review.annotation_file import parse
from reports.untrusted_input import kept
from reports.wording.lengths import FULL
from webapp.storage.data_folder import Folders


def main(analysis: Path, out: Path) -> None:
    """Render one report, confined."""
    end_with_named_parent()
    os.nice(5)  # like the worker, so that pages stay fast
    inputs = json.load(sys.stdin)
    # Pictures of comparisons were drawn by the engine from the exhibits.
    folders = Folders.local(_data(analysis))
    comparisons = [folders.comparison(comparison_id) for comparison_id in inputs["comparisons"]]
    paths = AllowedPaths(readable=(analysis.parent, *comparisons), writable=(out,))
    confine(Limits(), paths, out, network=capabilities().network)
    render_report(analysis, inputs, out)


def status(analysis: Path, out: Path) -> int:
    """Render one report and return the exit status."""
    try:
        main(analysis, out)
    except OSError as problem:
        if is_disk_full(problem):
            return errno.ENOSPC
        raise
    return 0


def render_report(analysis: Path, values: Mapping[str, Any], out: Path) -> None:
    """Write ``report.html`` and ``report.pdf`` into ``out``, in this process, which should be confined."""
    check = values["check"] | {"checked": timestamps.parse(values["check"]["checked"])}
    text = analysis.read_bytes()
    result = Analysis.from_json(text)
    inputs = ReportInputs(
        annotations=[parse(annotation) for annotation in values["annotations"]],
        case=case_details(values["case"]),
        custody=kept(out, CUSTODY),
        check=ExhibitCheck(**check),
        comparisons=read_comparisons(_data(analysis), values["comparisons"], result.media.sha256),
        laboratory=values["laboratory"].encode() if values["laboratory"] is not None else None,
        second_review=values["second_review"].encode() if values["second_review"] is not None else None,
        language_code=values.get("language", DEFAULT),
        length=values.get("length", FULL),
    )
    write_reports_alone(result, text, analysis.parent, out, inputs)


def _data(analysis: Path) -> Path:
    return analysis.parents[2]


if __name__ == "__main__":
    sys.exit(status(Path(sys.argv[1]), Path(sys.argv[2])))
