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
from reports.comparison.kept import read_comparisons
from reports.file_names import CUSTODY
from reports.inputs.case import case_details
from reports.inputs.input_files import ExhibitCheck
from reports.language.languages import DEFAULT
from reports.render.write import write_reports_alone
from reports.report_view import ReportInputs
from reports.review.annotation_file import parse
from reports.untrusted_input import kept
from webapp.storage.data_folder import Folders


def main(analysis: Path, out: Path) -> None:
    """Render one report."""
    end_with_named_parent()
    os.nice(5)  # as the worker is: pages stay quick
    given = json.load(sys.stdin)
    # Pictures of comparisons were drawn by the engine from the exhibits.
    compared = [Folders.local(_data(analysis)).comparison(each) for each in given["comparisons"]]
    places = AllowedPaths(readable=(analysis.parent, *compared), writable=(out,))
    confine(Limits(), places, out, network=capabilities().network)
    render_report(analysis, given, out)


def status(analysis: Path, out: Path) -> int:
    """Render one report; the status to end with."""
    try:
        main(analysis, out)
    except OSError as problem:
        if is_disk_full(problem):
            return errno.ENOSPC
        raise
    return 0


def render_report(analysis: Path, given: Mapping[str, Any], out: Path) -> None:
    """Write ``report.html`` and ``report.pdf`` into ``out``, in this process, which should be confined."""
    check = given["check"] | {"checked": timestamps.parse(given["check"]["checked"])}
    text = analysis.read_bytes()
    about = Analysis.from_json(text)
    inputs = ReportInputs(
        annotations=[parse(values) for values in given["annotations"]],
        case=case_details(given["case"]),
        custody=kept(out, CUSTODY),
        check=ExhibitCheck(**check),
        comparisons=read_comparisons(_data(analysis), given["comparisons"], about.media.sha256),
        laboratory=given["laboratory"].encode() if given["laboratory"] is not None else None,
        second_review=given["second_review"].encode() if given["second_review"] is not None else None,
        language_code=given.get("language", DEFAULT),
    )
    write_reports_alone(about, text, analysis.parent, out, inputs)


def _data(analysis: Path) -> Path:
    return analysis.parents[2]


if __name__ == "__main__":
    sys.exit(status(Path(sys.argv[1]), Path(sys.argv[2])))
