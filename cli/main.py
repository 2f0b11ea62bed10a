"""``reelproof COMMAND``: hand the command to the program whose parser has its options.

A program is imported when one of its commands runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from cli.commands import COMMANDS, GROUPS, Program


def main(arguments: Sequence[str] | None = None, program: str = "reelproof") -> int:
    """Run one command and return its exit status, which docs/cli.md states for each.

    ``program`` is what usage messages call it.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    name, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if name == "export" and any(argument.split("=")[0] == "--to" for argument in rest):
        print("reelproof: to export a model is reelproof export-model from now on", file=sys.stderr)
        name = "export-model"
    if name not in COMMANDS:
        parser = argparse.ArgumentParser(
            program,
            usage="%(prog)s COMMAND …",
            description="Find manipulated faces and synthetic voices, and report the evidence.",
            epilog=f"{_table()}\n\n{program} COMMAND --help lists the options of one.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help=argparse.SUPPRESS)
        parser.parse_args(arguments)  # --help, or an error
    if name in ("serve", "worker"):
        return _run_process(name, rest, program)
    if COMMANDS[name].program is Program.ENGINE:
        from cli.engine.main import main as run_engine

        return run_engine([name, *rest], program)
    if COMMANDS[name].program is Program.REPORTS:
        from cli.reports.main import main as run_reports

        return run_reports([name, *rest], program)
    from cli.web.main import run

    return run([name, *rest], program)


def _table() -> str:
    """All commands with their purpose, by group."""
    return "\n\n".join(
        "\n".join([f"{title}:", *(f"  {name:21}{command.help}" for name, command in group.items())])
        for title, group in GROUPS.items()
    )


def _run_process(name: str, rest: Sequence[str], program: str) -> int:
    """Run the web app or its workers, which take settings from the environment and no options."""
    argparse.ArgumentParser(
        f"{program} {name}", description=f"{COMMANDS[name].help}: docs/settings.md"
    ).parse_args(rest)
    if name == "serve":
        from webapp.serve import main as serve

        return serve()
    from webapp.worker.standalone import main as work

    return work()
