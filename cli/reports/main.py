"""Entry point of ``python -m reports``: render, export, sign and verify."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from cli.commands import Program, adder
from detector.errors import ReelproofError
from detector.process.console import describe_os_error, prepare_standard_files
from detector.process.resources import stay_forkable
from detector.process.signals import end_with_named_parent, exit_status, sigterm_interrupts


def main(arguments: Sequence[str] | None = None, program: str = Program.REPORTS) -> int:
    """Run the command; return 0 if done, 1 if something verified does not fit, 2 for bad input.

    Return 130 after Ctrl-C, 143 after SIGTERM.
    """
    speaker = "reports" if program == Program.REPORTS else "reelproof"
    end_with_named_parent()
    prepare_standard_files()
    stay_forkable()  # what is confined is forked, and need not import again what is here
    try:
        with sigterm_interrupts():
            options = _parser(program, speaker).parse_args(arguments)
            return int(options.run(options) or 0)
    except ReelproofError as error:
        return _refuse(speaker, str(error))
    except OSError as error:
        return _refuse(speaker, describe_os_error(error))
    except KeyboardInterrupt as stopped:
        print(f"{speaker}: stopped", file=sys.stderr)
        return exit_status(stopped)


def _parser(program: str, speaker: str) -> argparse.ArgumentParser:
    # Here, since to import them takes so long that somebody may press Ctrl-C.
    from cli.reports import export, render, sign, verify

    parser = argparse.ArgumentParser(prog=program, description="Evidence reports of Reelproof.")
    add = adder(parser)
    for name, command in (("report", render), ("export", export), ("verify", verify), ("sign", sign)):
        options = add(name)
        command.add_options(options)
        options.set_defaults(run=command.run, speaker=speaker)
    return parser


def _refuse(speaker: str, message: str) -> int:
    from language.formatting import file_name

    print(file_name(" ".join(f"{speaker}: {message}".split())), file=sys.stderr)
    return 2
