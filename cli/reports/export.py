"""``python -m reports export ANALYSIS_JSON --format FORMAT --out FILE``."""

from __future__ import annotations

import argparse
from pathlib import Path

from detector.files import open_atomically
from reports.bundle.manifest import OWN, manifest_in
from reports.errors import ExportError
from reports.exports.formats import FORMATS
from reports.inputs.input_files import parse_analysis, read_analysis


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "analysis", type=Path, metavar="ANALYSIS_JSON", help="pictures are read from its folder"
    )
    parser.add_argument(
        "--format",
        choices=list(FORMATS),
        required=True,
        help="; ".join(f"{export_format.name}: {export_format.what}" for export_format in FORMATS.values()),
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")


def run(options: argparse.Namespace) -> None:
    """Write one export, completely or not at all."""
    out: Path = options.out
    analysis = parse_analysis(read_analysis(options.analysis), options.analysis)
    if out.is_dir():
        raise ExportError(f"{out} is a folder. Name a file.")
    if not out.parent.is_dir():
        raise ExportError(f"{out}: there is no such folder. Make it first.")
    if out.exists() and out.samefile(options.analysis):
        raise ExportError(f"{out} is the analysis itself. Name another file.")
    _refuse_part_of_result(out)
    with open_atomically(out) as stream:
        FORMATS[options.format].write(analysis, options.analysis.parent, stream)


def _refuse_part_of_result(out: Path) -> None:
    """Raise for a file that a manifest lists: replacing it would invalidate the result."""
    place = out.resolve()
    for folder in place.parents:
        manifest = manifest_in(folder)
        entries = () if manifest is None else (*OWN, *(entry.path for entry in manifest.files))
        if place.relative_to(folder).as_posix() in entries:
            raise ExportError(f"{out} is a part of the result or bundle in {folder}. Name another file.")
