"""Entry point of ``python -m reports``: render, export, sign and verify."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from detector.errors import ReelproofError
from detector.process.console import describe_os_error, prepare_standard_files
from detector.process.resources import stay_forkable
from detector.process.signals import end_with_named_parent, exit_status, sigterm_interrupts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if done, 1 if something verified does not fit, 2 for bad input.

    Return 130 after Ctrl-C, 143 after SIGTERM.
    """
    end_with_named_parent()
    prepare_standard_files()
    stay_forkable()  # what is confined is forked, and need not import again what is here
    try:
        with sigterm_interrupts():
            options = _parser().parse_args(arguments)
            return int(options.run(options) or 0)
    except ReelproofError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(describe_os_error(error))
    except KeyboardInterrupt as stopped:
        print("reports: stopped", file=sys.stderr)
        return exit_status(stopped)


def _parser() -> argparse.ArgumentParser:
    # Here, since to import them takes so long that somebody may press Ctrl-C.
    from cli.reports import export, render, sign, verify

    parser = argparse.ArgumentParser(prog="python -m reports", description="Evidence reports of Reelproof.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, description in (
        ("render", render, "write report.html, report.pdf and manifest.json again"),
        ("export", export, "write segments, scores or pictures for other programs"),
        ("verify", verify, "check a bundle, the folder of a result, or a PDF"),
        ("sign", sign, "sign a report, or the folder of a result"),
    ):
        of_command = commands.add_parser(name, help=description)
        command.add_options(of_command)
        of_command.set_defaults(run=command.run)
    return parser


def _refuse(message: str) -> int:
    from language.formatting import file_name

    print(file_name(" ".join(f"reports: {message}".split())), file=sys.stderr)
    return 2
