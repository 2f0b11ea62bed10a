"""``python -m reports render ANALYSIS_JSON [--out DIR]``: make the report again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from detector.analysis import Analysis
from reports.errors import ReportError
from reports.writing import write_files


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m reports", description="Evidence reports of Reelproof.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    render = commands.add_parser("render", help="write report.html, report.pdf and manifest.json again")
    render.add_argument(
        "analysis", type=Path, metavar="ANALYSIS_JSON", help="pictures are read from its folder"
    )
    render.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to write everything to, with copies of the pictures"
    )
    options = parser.parse_args(arguments)
    try:
        text = options.analysis.read_bytes()
        folder = options.analysis.parent
        write_files(Analysis.from_json(text), text, folder, options.out or folder)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        return _refuse(f"{options.analysis} is not an analysis of Reelproof: {where}: {first['msg']}")
    except ReportError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or options.analysis}: {error.strerror}")
    return 0


def _refuse(message: str) -> int:
    print(" ".join(f"reports: {message}".split()), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
