"""Reports from a shell: make them again, export, sign, and verify what was handed out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from detector.errors import ReelproofError
from reports.cli import export as export_command
from reports.cli import render as render_command
from reports.cli import sign as sign_command
from reports.cli import verify as verify_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0 done, 1 something verified does not fit, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m reports", description="Evidence reports of Reelproof.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    render = commands.add_parser("render", help="write report.html, report.pdf and manifest.json again")
    render_command.add_options(render)
    render.set_defaults(run=render_command.run)
    export = commands.add_parser("export", help="write segments, scores or pictures for other programs")
    export_command.add_options(export)
    export.set_defaults(run=export_command.run)
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


def _refuse(message: str) -> int:
    print(" ".join(f"reports: {message}".split()), file=sys.stderr)
    return 2
