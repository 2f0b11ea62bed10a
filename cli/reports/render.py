"""``python -m reports render ANALYSIS_JSON``: render a report again, with the files beside the analysis."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.case_options import add_case_options, given_case
from cli.common import refuse_occupied_folder
from reports.bundle.manifest import holds_bundle, read_manifest
from reports.errors import ReportError
from reports.file_names import ANNOTATIONS, CUSTODY, MANIFEST
from reports.inputs.input_files import parse_analysis, read_analysis
from reports.review.annotation_file import annotations_of
from reports.untrusted_input import kept


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "analysis", type=Path, metavar="ANALYSIS_JSON", help="pictures are read from its folder"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to write everything to, with copies of the pictures"
    )
    parser.add_argument(
        "--custody",
        type=Path,
        metavar="FILE",
        help="a custody.json (default: the one in that folder, if any)",
    )
    parser.add_argument(
        "--laboratory",
        type=Path,
        metavar="FILE",
        help="a laboratory.json to quote (default: the one in that folder, if any)",
    )
    add_case_options(parser)


def run(options: argparse.Namespace) -> None:
    """Write the report and its files again.

    Raise :class:`~reports.errors.ReportError` if it would replace a bundle or another exhibit's report.
    """
    # WeasyPrint takes seconds to load; other commands go without.
    from reports.render.write import write_files
    from reports.report_view import ReportInputs

    text = read_analysis(options.analysis)
    folder = options.analysis.parent
    if holds_bundle(options.out or folder):
        raise ReportError(
            f"{options.out or folder} is an unpacked review bundle, whose manifest and signature would be "
            "lost. Name another folder with --out DIR."
        )
    custody = options.custody.read_bytes() if options.custody else kept(folder, CUSTODY)
    case = given_case(options, folder)
    laboratory = options.laboratory.read_bytes() if options.laboratory else None
    analysis, out = parse_analysis(text, options.analysis), options.out or folder
    _refuse_other_things(out, folder, analysis.media.sha256)
    annotations = kept(folder, ANNOTATIONS)
    inputs = ReportInputs(
        annotations=annotations_of(annotations, text),
        annotation_file=annotations,
        case=case,
        custody=custody,
        laboratory=laboratory,
        language_code=options.language,
        length=options.report_length,
    )
    write_files(analysis, text, folder, out, inputs)


def _refuse_other_things(out: Path, folder: Path, exhibit_sha256: str) -> None:
    """Raise if ``out`` differs from ``folder`` and is neither empty nor a result of the same exhibit."""
    if out.resolve() == folder.resolve():
        return
    refuse_occupied_folder(out, MANIFEST, "earlier result")
    if (out / MANIFEST).is_file():
        exhibit = read_manifest((out / MANIFEST).read_bytes()).exhibit
        if exhibit.sha256 != exhibit_sha256:
            raise ReportError(
                f"{out} holds the result of another exhibit, {exhibit.file}. Name another folder."
            )
