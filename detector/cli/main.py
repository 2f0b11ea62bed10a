"""The engine from a shell. What is slow to import is imported by the command that needs it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from detector.cli import analyze, annotate, compare, score, shipped, training, validate, watch_and_live
from detector.errors import MediaError, ReelproofError
from detector.process.native_threads import stay_forkable
from detector.process.parent import end_with_starter
from detector.process.sigterm import exit_status, sigterm_interrupts
from detector.process.standard_files import prepare_standard_files
from detector.process.system_errors import told
from detector.schema.formatting import printable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status: 0 done, 1 some files not scored, 2 an error.

    130 after Ctrl-C, 143 after SIGTERM.
    """
    end_with_starter()
    prepare_standard_files()
    options = argument_parser().parse_args(arguments)
    stay_forkable()  # what is confined or shares the work is forked, and need not import again what is here
    try:
        with sigterm_interrupts():
            if getattr(options, "backend", None):
                from detector.backends import selection as backends

                # By the environment it also reaches confined processes and those that share the work.
                os.environ[backends.SETTING] = backends.require(options.backend)
            return int(options.run(options))
    except MediaError as error:
        given = (getattr(options, name, None) for name in ("file", "source", "data"))
        of_file = next((f"{each}: " for each in given if each), "")
        _refuse(f"{of_file}{error}")
    except ReelproofError as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(told(error))
    except KeyboardInterrupt as stopped:
        print("reelproof: stopped", file=sys.stderr)
        return exit_status(stopped)
    return 2


def _refuse(message: str) -> None:
    print(printable(" ".join(f"reelproof: {message}".split())), file=sys.stderr)


def argument_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m detector``, with all its commands."""
    parser = argparse.ArgumentParser(
        prog="python -m detector", description="Find manipulated faces in videos and photos."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for each in (analyze, score, compare, watch_and_live, annotate, shipped):
        each.add_commands(commands)
    setup_check = commands.add_parser("setup-check", help="say what is missing on this machine")
    setup_check.set_defaults(run=_setup_check)
    training.add_commands(commands)
    validate.add_commands(commands)
    return parser


def _setup_check(options: argparse.Namespace) -> int:
    from detector.cli.setup_check import check_setup, table

    findings = check_setup()
    print(table(findings))
    return int(any(finding.state == "missing" for finding in findings))
