"""Case details as command-line options. Must import nothing heavy because every parser uses it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from language.languages import DEFAULT, LANGUAGES
from reports.inputs.case_fields import PAPERS, STATED
from reports.wording.lengths import FULL, LENGTHS

if TYPE_CHECKING:
    from reports.inputs.case import CaseDetails


def add_case_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for case details."""
    group = parser.add_argument_group("case details, printed in the report and stored in case.json")
    for name in STATED:
        option = f"--{name.replace('_', '-')}"
        group.add_argument(option, metavar="TEXT", help="left out of the report when blank")
    group.add_argument("--paper", choices=PAPERS, help="size of the PDF's pages (default A4)")
    group.add_argument(
        "--language",
        choices=list(LANGUAGES),
        default=DEFAULT,
        help="language of the report (default en); not stored",
    )
    group.add_argument(
        "--report",
        choices=LENGTHS,
        default=FULL,
        dest="report_length",
        help="the full report (default), or a summary of two pages; not stored",
    )
    group.add_argument(
        "--time-zone",
        metavar="ZONE",
        help="zone of local times, such as Europe/Berlin (default: that of this machine)",
    )


def given_case(options: argparse.Namespace, folder: Path | None = None) -> CaseDetails:
    """Return the given case details, completed by ``folder``'s case.json.

    Raise :class:`~reports.inputs.case.CaseError` if one of them cannot be used.
    """
    from reports.inputs.case import CaseDetails, case_details, read_case

    options_ = {name: getattr(options, name) for name in CaseDetails.model_fields}
    values = {name: value for name, value in options_.items() if value is not None}
    stored = read_case(folder).model_dump() if folder else {}
    return case_details({**stored, **values})
