"""Reports from a shell: make them again, export, sign, and verify what was handed out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from detector.errors import ReelproofError
from reports.cli import export as export_command
from reports.cli import sign as sign_command
from reports.cli import verify as verify_command
from reports.cli.case_options import add_case_options, given_case
from reports.inputs.analysis_file import parse_analysis
from reports.render.write import kept_custody, write_files
from reports.view.report_inputs import ReportInputs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0 done, 1 something verified does not fit, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m reports", description="Evidence reports of Reelproof.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    render = commands.add_parser("render", help="write report.html, report.pdf and manifest.json again")
    render.add_argument(
        "analysis", type=Path, metavar="ANALYSIS_JSON", help="pictures are read from its folder"
    )
    render.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to write everything to, with copies of the pictures"
    )
    render.add_argument(
        "--custody",
        type=Path,
        metavar="FILE",
        help="a custody.json (default: the one in that folder, if any)",
    )
    render.add_argument(
        "--laboratory",
        type=Path,
        metavar="FILE",
        help="a laboratory.json to quote (default: the one in that folder, if any)",
    )
    add_case_options(render)
    render.set_defaults(run=_render)
    export = commands.add_parser("export", help="write segments, scores or pictures for other programs")
    export_command.add_options(export)
    export.set_defaults(run=export_command.export)
    verify = commands.add_parser("verify", help="check a bundle, the folder of a result, or a PDF")
    verify_command.add_options(verify)
    verify.set_defaults(run=verify_command.run)
    sign = commands.add_parser("sign", help="sign a report, or the folder of a result")
    sign_command.add_options(sign)
    sign.set_defaults(run=sign_command.run)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except ReelproofError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or 'reading or writing'}: {error.strerror}")


def _render(options: argparse.Namespace) -> None:
    text = options.analysis.read_bytes()
    folder = options.analysis.parent
    custody = options.custody.read_bytes() if options.custody else kept_custody(folder)
    case = given_case(options, folder)
    laboratory = options.laboratory.read_bytes() if options.laboratory else None
    analysis, out = parse_analysis(text, options.analysis), options.out or folder
    inputs = ReportInputs(case=case, custody=custody, laboratory=laboratory, language_code=options.language)
    write_files(analysis, text, folder, out, inputs)


def _refuse(message: str) -> int:
    print(" ".join(f"reports: {message}".split()), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
