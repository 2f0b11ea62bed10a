"""All commands of ``reelproof``: name, purpose, and the program whose parser has the options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Program(StrEnum):
    """A part of Reelproof, and what starts it alone (kept for scripts of earlier versions)."""

    ENGINE = "python -m detector"
    REPORTS = "python -m reports"
    WEB = "python -m webapp"


@dataclass(frozen=True)
class Command:
    """One command of ``reelproof``."""

    program: Program
    help: str
    former: str = ""
    """Its name in ``program``, where that differs."""


GROUPS: dict[str, dict[str, Command]] = {
    "analyse files": {
        "analyze": Command(Program.ENGINE, "analyse one file and write its report"),
        "score": Command(Program.ENGINE, "print one line for each file: verdict and probability"),
        "compare": Command(Program.ENGINE, "compare a video or photo with its claimed original"),
        "watch": Command(Program.ENGINE, "analyse files as they arrive in a folder"),
        "live": Command(Program.ENGINE, "score a camera, a stream or a file as it plays"),
        "annotate": Command(Program.ENGINE, "draw the findings into a copy of the exhibit"),
        "sample": Command(Program.ENGINE, "create the demonstration clip"),
        "schema": Command(Program.ENGINE, "print the JSON schema of a result"),
        "setup-check": Command(Program.ENGINE, "check what is missing on this machine"),
    },
    "reports and evidence": {
        "report": Command(
            Program.REPORTS, "write report.html, report.pdf and manifest.json again", former="render"
        ),
        "export": Command(Program.REPORTS, "write segments, scores or pictures for other programs"),
        "verify": Command(Program.REPORTS, "check a bundle, the folder of a result, or a PDF"),
        "sign": Command(Program.REPORTS, "sign a report, or the folder of a result"),
    },
    "a laboratory's own validation": {
        "validate": Command(Program.ENGINE, "measure error rates on a laboratory's own material"),
        "threshold": Command(Program.ENGINE, "set a laboratory's own thresholds from its validation"),
    },
    "models and training": {
        "export-model": Command(
            Program.ENGINE, "export a model for other programs and for phones", former="export"
        ),
        "train": Command(Program.ENGINE, "train a recipe and publish the model"),
        "calibrate": Command(Program.ENGINE, "fit the calibration of segments and exhibits"),
        "evaluate": Command(Program.ENGINE, "evaluate a model on crops, clips, segments and heatmaps"),
        "leaderboard": Command(Program.ENGINE, "evaluate all models in the same way: models/LEADERBOARD.md"),
    },
    "the web app": {
        "serve": Command(Program.WEB, "run the web app until Ctrl-C"),
        "worker": Command(Program.WEB, "run workers of a shared queue, without pages"),
        "settings-doc": Command(
            Program.WEB, "print docs/settings.md: every setting with default and meaning"
        ),
        "backup": Command(
            Program.WEB,
            "write database, exhibits, results and keys to a new folder, while the app runs or not",
        ),
        "check-backup": Command(Program.WEB, "compare every file of a backup with its list"),
        "restore": Command(Program.WEB, "restore a backup into an empty data folder (REELPROOF_DATA)"),
        "fill-store": Command(Program.WEB, "copy the data folder into a new REELPROOF_STORE"),
        "clear-cache": Command(Program.WEB, "remove files from the data folder that the store has"),
        "verify-log": Command(Program.WEB, "check the custody log from its first entry to its last"),
        "export-log": Command(Program.WEB, "write the custody log to a file"),
    },
    "accounts and API tokens": {
        "add-user": Command(Program.WEB, "create an account"),
        "list-users": Command(Program.WEB, "list all accounts"),
        "set-role": Command(Program.WEB, "give an account another role"),
        "reset-password": Command(Program.WEB, "give an account another password"),
        "reset-second-factor": Command(Program.WEB, "remove the second factor of an account"),
        "disable-user": Command(Program.WEB, "prevent sign-in to an account"),
        "enable-user": Command(Program.WEB, "allow sign-in to a disabled account again"),
        "link-account": Command(
            Program.WEB, "let a subject of the OpenID Connect provider sign in to an account"
        ),
        "add-token": Command(Program.WEB, "create an API token, which is shown once"),
        "list-tokens": Command(Program.WEB, "list API tokens"),
        "revoke-token": Command(Program.WEB, "revoke an API token"),
    },
}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}

AddCommand = Callable[[str], argparse.ArgumentParser]
"""Adds the command of this name in :data:`COMMANDS` and returns the parser of its options."""


def adder(parser: argparse.ArgumentParser) -> AddCommand:
    """Return what adds commands to ``parser``, under their former names if it is a :class:`Program`'s own."""
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    is_program = parser.prog in list(Program)

    def add(name: str) -> argparse.ArgumentParser:
        command = COMMANDS[name]
        own = command.former if is_program and command.former else name
        return subparsers.add_parser(own, help=command.help, description=command.help)

    return add
